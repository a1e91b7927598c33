"""How far a long command has come: a callback that is passed down, so that nothing but the command line prints."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from mpc_tamper.core.notices import told_to
from mpc_tamper.core.terminal import console_of, printable, takes_escape_codes

_STEPS = 4  # lines of one text, where there is no terminal to draw a bar on


class Progress(Protocol):
    """Called with what has begun or been done, a line without its end; again with the same text as it gets on.

    fraction: of the work that the text names, from 0 to 1; None where it is not known.
    """

    def __call__(self, text: str, fraction: float | None = None) -> None: ...


def silent(text: str, fraction: float | None = None) -> None:
    """Says nothing: --quiet, and the default of the Python interface."""


class PlainLines:
    """A line when a text is new, and a few as it gets on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: tuple[str, int] | None = None

    def __call__(self, text: str, fraction: float | None = None) -> None:
        step = int((fraction or 0.0) * _STEPS)
        if (text, step) == self._last:
            return
        self._last = (text, step)
        said = printable(text) + (f": {step / _STEPS:.0%}" if step else "")
        with contextlib.suppress(OSError):  # nobody reads it any more; the work goes on
            print(said, file=self._stream, flush=True)


@contextmanager
def shown(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """Bars with a clock where the stream (default standard error) is a terminal, plain lines elsewhere."""
    with _way_of(stream or sys.stderr, quiet) as progress, told_to(progress):
        yield progress


def _way_of(stream: TextIO | None, quiet: bool) -> contextlib.AbstractContextManager[Progress]:
    if quiet or stream is None:
        return contextlib.nullcontext(silent)
    return _bars(stream) if takes_escape_codes(stream) else contextlib.nullcontext(PlainLines(stream))


@contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    """The last text has a spinner, a bar and the seconds since it came; earlier ones keep theirs."""
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (
        SpinnerColumn(finished_text=" "),
        TimeElapsedColumn(),
        BarColumn(bar_width=20),
        TextColumn("{task.description}", markup=False),
    )
    with Display(*columns, console=console_of(stream)) as display:
        last: str | None = None

        def end_last() -> None:
            if display.task_ids:
                display.update(display.task_ids[-1], total=1, completed=1)

        def progress(text: str, fraction: float | None = None) -> None:
            nonlocal last
            text = printable(text)
            if text != last:
                end_last()
                last = text
                display.add_task(text, total=None)
            if fraction is not None:
                display.update(display.task_ids[-1], total=1, completed=fraction)

        try:
            yield progress
        finally:
            end_last()
