"""How far a long command has come: a callback that is passed down, so that nothing but the command line prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

_LINES = 10  # of one text, where there is no terminal to draw a bar on


class Progress(Protocol):
    """Called as report(done, total, text): done of total units of what the text names, 0 <= done <= total."""

    def __call__(self, done: int, total: int, text: str) -> None: ...


def silent(done: int, total: int, text: str) -> None:
    """Says nothing: --quiet, and the default of the Python interface."""


class PlainLines:
    """About ten lines for each text, the first and the last among them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last: tuple[str, int] | None = None

    def __call__(self, done: int, total: int, text: str) -> None:
        tenth = _LINES * done // total if total else _LINES
        if (text, tenth) != self._last:
            self._last = (text, tenth)
            print(f"{text}: {done}/{total}", file=self._stream, flush=True)


@contextmanager
def shown(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """A bar where the stream (default standard error) is a terminal, plain lines elsewhere, nothing if quiet."""
    stream = stream or sys.stderr
    if quiet:
        yield silent
    elif not stream.isatty():
        yield PlainLines(stream)
    else:
        with _bars(stream) as progress:
            yield progress


@contextmanager
def _bars(stream: TextIO) -> Iterator[Progress]:
    """One bar for each text."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Display(*columns, console=Console(file=stream)) as display:
        tasks = {}

        def report(done: int, total: int, text: str) -> None:
            if text not in tasks:
                tasks[text] = display.add_task(text, total=total)
            display.update(tasks[text], completed=done, total=total)

        yield report
