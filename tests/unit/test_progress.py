"""Progress: plain lines where there is no terminal, a bar where there is one, nothing if quiet."""

from __future__ import annotations

import io

from orchestrator.progress import shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_are_about_ten_for_each_text() -> None:
    stream = io.StringIO()
    with shown(quiet=False, stream=stream) as report:
        for done in range(101):
            report(done, 100, "training")
        report(0, 0, "opening")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "training: 0/100"
    assert lines[-2:] == ["training: 100/100", "opening: 0/0"]
    assert len(lines) == 12


def test_terminal_shows_a_bar_for_each_text() -> None:
    stream = Terminal()
    with shown(quiet=False, stream=stream) as report:
        report(1, 2, "training")
        report(2, 2, "training")
        report(1, 1, "opening")
    assert "training" in stream.getvalue()
    assert "2/2" in stream.getvalue()
    assert "1/1" in stream.getvalue()


def test_quiet_says_nothing() -> None:
    stream = Terminal()
    with shown(quiet=True, stream=stream) as report:
        report(1, 2, "training")
    assert stream.getvalue() == ""
