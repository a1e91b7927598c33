"""How many threads this process computes on, and how work is split among them.

Kernels have their helpers (parts.py), who need no turn of Python's lock to begin. What is not a kernel of ours, such as
AES, runs without the lock, and is shared among threads that are started for it: it takes far longer than their start.
Helpers start when they are first used, and several parties of one process may use all of these at once, neither of
which holds for the threads that Numba brings. Threads do not survive a fork: a fork's child has none until it uses one.
Where none can be started, whoever calls does the work. Whatever their number, results are the same.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import itertools
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_SECONDS_TO_END = 1.0  # for a thread that is at work when the process ends
_Result = TypeVar("_Result")


class _Helpers:
    """Threads that help kernels of this process, all for the same note.

    address: of the note; 0 if none of them could be started, as where there are too many threads already.
    """

    def __init__(self, count: int) -> None:
        self._parts: Any = importlib.import_module("mpc_tamper.engines.kernels.parts")
        self._note = self._parts.new_note(count)
        self._threads: list[threading.Thread] = []
        self._pipes: list[tuple[int, int]] = []
        try:
            for who in range(1, count):
                self._start(who)
        except (OSError, RuntimeError):  # those that there are help: results do not depend on how many
            pass
        except BaseException:
            self.end()
            raise
        self._parts.begin(self._note, 1 + len(self._threads))
        self.address = self._note.ctypes.data if self._threads else 0

    def _start(self, who: int) -> None:
        asleep, wake = pipe = os.pipe()
        self._pipes.append(pipe)
        self._parts.enrol(self._note, who, wake)
        arguments = (self._note.ctypes.data, who, asleep)
        self._threads.append(_started(f"kernels {who}", self._parts.help_others, *arguments))

    def end(self) -> None:
        """Python may not end under a helper that is at work."""
        self._parts.begin(self._note, 1 + len(self._threads))
        self._parts.stop(self._note.ctypes.data)
        for thread in self._threads:
            thread.join(_SECONDS_TO_END)

    def forget(self) -> None:
        """In a fork: they are the parent's."""
        for handle in itertools.chain(*self._pipes):
            os.close(handle)


def _started(name: str, target: Callable[..., object], *arguments: Any) -> threading.Thread:
    """A thread that leaves signals to others. Raises RuntimeError where there are too many threads already."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return thread


class _Threads:
    """count: with the one that calls.  aside: so many of them are at other work."""

    def __init__(self) -> None:
        self.count = 1
        self.aside = 0
        self.changing = threading.RLock()  # what is aside; again, where memory is collected meanwhile
        self.at_other_work: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._helpers: dict[int, _Helpers] = {}
        self._starting = threading.Lock()

    @property
    def free(self) -> int:
        return max(1, self.count - self.aside)

    def note(self) -> int:
        """Where as many helpers as there may be look for work."""
        count = self.free  # which another thread may change meanwhile
        found = self._helpers.get(count)
        if found is None:
            with self._starting:
                found = self._helpers.get(count)
                if found is None:
                    found = self._helpers[count] = _Helpers(count)
        return found.address

    def end(self) -> None:
        for each in self._helpers.values():
            each.end()
        for thread in list(self.at_other_work):
            thread.join(_SECONDS_TO_END)

    def forget(self) -> None:
        helpers, self._helpers = self._helpers, {}
        self.aside, self.changing, self._starting = 0, threading.RLock(), threading.Lock()
        self.at_other_work = weakref.WeakSet()
        for each in helpers.values():
            each.forget()


_threads = _Threads()
os.register_at_fork(after_in_child=_threads.forget)
atexit.register(_threads.end)


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """In this process, what runs meanwhile uses so many; 1 or more."""
    before, _threads.count = _threads.count, count
    try:
        yield
    finally:
        _threads.count = before


class SetAside:
    """One of this process's threads is at other work from now on, until it comes back or this is dropped."""

    def __init__(self) -> None:
        _change(1)
        self._back = weakref.finalize(self, _change, -1)
        self._back.atexit = False

    def compute(self, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        """Begin it. Where no thread can be started, it is done when this returns. Where this raises, it is back."""
        try:
            return _begin("aside", function, *arguments)
        except BaseException:  # such as an interrupt, whose traceback keeps this from being dropped
            self.back()
            raise

    def back(self) -> None:
        """Once; whoever calls again does nothing. What it has begun goes on."""
        self._back()


def _begin(name: str, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
    """In a thread of its own; where none can be started, it is done when this returns."""
    from concurrent.futures import Future  # which a party of one thread does without

    computed: Future[_Result] = Future()
    try:
        _threads.at_other_work.add(_started(name, _compute, computed, function, arguments))
    except RuntimeError:
        _compute(computed, function, arguments)
    return computed


def _compute(computed: Future[_Result], function: Callable[..., _Result], arguments: tuple[Any, ...]) -> None:
    try:
        result = function(*arguments)
    except BaseException as exc:
        computed.set_exception(exc)
    else:
        computed.set_result(result)


def _change(by: int) -> None:
    with _threads.changing:
        _threads.aside = max(0, _threads.aside + by)  # a fork's child begins with none


def all_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def helpers(worth: int) -> int:
    """Who helps a kernel with its work, which is its first argument (parts.py): nobody is 0.

    worth: for how many threads there is work: to hand some over takes a microsecond or two.
    """
    return 0 if worth <= 1 or _threads.free == 1 else _threads.note()


def ranges(size: int, worth: int) -> list[tuple[int, int]]:
    """0 .. size in (first, last) for each thread; at least one.

    worth: for how many threads there is work: to hand some over takes tens of microseconds.
    """
    count = max(1, min(_threads.free, worth, size))
    bounds = [size * i // count for i in range(count + 1)]
    return list(itertools.pairwise(bounds))


def together(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> None:
    """Makes these calls, which threads share: the last is made by the caller itself."""
    pending: list[Future[Any]] = []
    try:
        for arguments in calls[:-1]:
            pending.append(_begin("pads", function, *arguments))
        function(*calls[-1])
    finally:
        # None writes any more when this returns, or raises what a call raises. An interrupt may come before.
        found = [each.exception() for each in pending]
    for exc in found:
        if exc is not None:
            raise exc
