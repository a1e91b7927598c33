"""Progress: plain lines where there is no terminal, a clock beside them where there is one, nothing if quiet."""

from __future__ import annotations

import io
import re
import threading

from mpc_tamper.core.notices import notice
from mpc_tamper.core.progress import shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines() -> None:
    stream = io.StringIO()
    with shown(quiet=False, stream=stream) as progress:
        progress("training [1/2]")
        progress("opening")
    assert stream.getvalue() == "training [1/2]\nopening\n"


def test_plain_lines_say_a_few_times_how_far_it_is() -> None:
    stream = io.StringIO()
    with shown(quiet=False, stream=stream) as progress:
        for i in range(101):
            progress("training", i / 100)
        progress("opening")
    assert stream.getvalue().splitlines() == [
        "training", "training: 25%", "training: 50%", "training: 75%", "training: 100%", "opening"
    ]  # fmt: skip


def test_terminal_shows_each_text_and_its_time() -> None:
    stream = Terminal()
    with shown(quiet=False, stream=stream) as progress:
        progress("training [1/2]")
        progress("opening")
    text = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", stream.getvalue())
    assert re.search(r"0:00:00 .*training \[1/2\]", text)
    assert re.search(r"0:00:00 .*opening", text)


def test_quiet_says_nothing() -> None:
    stream = Terminal()
    with shown(quiet=True, stream=stream) as progress:
        progress("training")
        notice("compiling")
    assert stream.getvalue() == ""


def test_notices_are_shown_where_they_come_from() -> None:
    """Of the innermost command alone, and of none in another thread or afterwards."""
    outer, inner = io.StringIO(), io.StringIO()
    with shown(quiet=False, stream=outer):
        with shown(quiet=False, stream=inner):
            notice("compiling")
        notice("loading")
        thread = threading.Thread(target=notice, args=("elsewhere",))
        thread.start()
        thread.join()
    notice("nobody")
    assert (outer.getvalue(), inner.getvalue()) == ("loading\n", "compiling\n")
