"""What a long command is doing: a callback that is passed down, so that nothing but the command line prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[str], None]  # called with what has begun or been done, a line without its end


def silent(text: str) -> None:
    """Says nothing: --quiet, and the default of the Python interface."""


@contextmanager
def shown(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """Lines with a clock where the stream (default standard error) is a terminal, plain lines elsewhere."""
    stream = stream or sys.stderr
    if quiet:
        yield silent
    elif stream.isatty():
        with _clock(stream) as progress:
            yield progress
    else:
        yield lambda text: print(text, file=stream, flush=True)


@contextmanager
def _clock(stream: TextIO) -> Iterator[Progress]:
    """The last text has a spinner and the seconds since it came; earlier ones keep theirs."""
    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(finished_text=" "), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Display(*columns, console=Console(file=stream)) as display:

        def end_last() -> None:
            if display.task_ids:
                display.update(display.task_ids[-1], total=1, completed=1)

        def progress(text: str) -> None:
            end_last()
            display.add_task(text, total=None)

        try:
            yield progress
        finally:
            end_last()
