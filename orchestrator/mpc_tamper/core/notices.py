"""What is told of work that no callback is passed down to, as it is done once, wherever it is first needed.

Whoever shows progress listens (progress.py); where nobody does, nothing is said.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[str], None]  # told a line, without its end


def _ignore(_: str) -> None:
    pass


_listener: ContextVar[Listener] = ContextVar("listener", default=_ignore)


def notice(line: str) -> None:
    """Tell whoever listens in this thread."""
    _listener.get()(line)


@contextlib.contextmanager
def told_to(listener: Listener) -> Iterator[None]:
    """In this thread, for the time of the block."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
