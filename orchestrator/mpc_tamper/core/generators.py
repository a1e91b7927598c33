"""Whether other threads of this process draw from Python's global generators of random numbers.

A change of these generators then says nothing of the thread that looks at them (engines/frontend/reachable.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DRAW: ContextVar[bool] = ContextVar("other threads draw", default=False)


@contextmanager
def other_threads_draw() -> Iterator[None]:
    """For the time of the block, and the thread that runs it."""
    token = _DRAW.set(True)
    try:
        yield
    finally:
        _DRAW.reset(token)


def are_own() -> bool:
    """Whether what changes them is this thread."""
    return not _DRAW.get()
