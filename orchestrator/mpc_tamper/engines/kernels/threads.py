"""How many threads the kernels of this process use, and how work is split among them.

Kernels run without Python's lock, so that threads of a ThreadPoolExecutor are enough. They start when they are first
used, and several parties of one process may use them at once, neither of which holds for those that Numba brings.
Threads do not survive a fork: a fork's child has none until it uses one. What a thread gets are views, so that no large
array is copied for it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class _Threads:
    """count: with the one that calls."""

    def __init__(self) -> None:
        self.count = 1
        self._pool: ThreadPoolExecutor | None = None
        self._workers = 0

    def pool(self) -> ThreadPoolExecutor:
        """Of one thread less, at least: the one that calls works too."""
        if self._pool is None or self._workers < self.count - 1:
            from concurrent.futures import ThreadPoolExecutor  # which a party of one thread does without

            self._workers = self.count - 1
            self._pool = ThreadPoolExecutor(self._workers, "kernels")
        return self._pool

    def forget(self) -> None:
        self._pool = None


class _Within(threading.local):
    """share: whether this thread does its share of a larger piece of work, and splits nothing itself."""

    share = False


_threads = _Threads()
_within = _Within()
os.register_at_fork(after_in_child=_threads.forget)


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """In this process, what runs meanwhile uses so many; 1 or more."""
    before, _threads.count = _threads.count, count
    try:
        yield
    finally:
        _threads.count = before


def all_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ranges(size: int, worth: int, multiple: int = 1) -> list[tuple[int, int]]:
    """0 .. size in (first, last) for each thread, beginning at multiples; at least one.

    worth: for how many threads there is work: to hand some over takes tens of microseconds.
    """
    if worth <= 1 or _threads.count == 1 or _within.share:
        return [(0, size)]
    count = min(_threads.count, worth)
    units = -(-size // multiple)
    bounds = [min(size, units * i // count * multiple) for i in range(count + 1)]
    return [(a, b) for a, b in itertools.pairwise(bounds) if b > a] or [(0, size)]


def together(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The results of these calls, which threads share: the last is made by the caller itself."""
    if len(calls) == 1:
        return [function(*calls[0])]
    pending = [_threads.pool().submit(function, *arguments) for arguments in calls[:-1]]
    try:
        own = function(*calls[-1])
    finally:
        found = [each.exception() for each in pending]  # none writes any more when this returns or raises
    for exc in found:
        if exc is not None:
            raise exc
    return [*(each.result() for each in pending), own]


def shared(function: Callable[..., Any], calls: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The results of these calls, which may be more than there are threads: each takes the next one that nobody has.

    For pieces of work that are made of many small ones. What a call calls is not split once more.
    """
    if _within.share or _threads.count == 1:
        return list(itertools.starmap(function, calls))
    found: dict[int, Any] = {}
    numbered, turn = enumerate(calls), threading.Lock()

    def work() -> None:
        _within.share = True
        try:
            while True:
                with turn:
                    number, arguments = next(numbered, (-1, ()))
                if number < 0:
                    return
                found[number] = function(*arguments)
        finally:
            _within.share = False

    together(work, [()] * _threads.count)
    return [found[number] for number in range(len(found))]
