"""Helpers take parts of a kernel's work: each part is done once, whoever does it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
import pytest
from numba import types

from mpc_tamper.engines.kernels import parts, threads
from mpc_tamper.engines.kernels.compilation import part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers, on_threads

ASLEEP = parts._HELPERS + parts._ASLEEP  # the first helper's
SECONDS = 120.0  # until something has surely happened, on a slow machine
PATIENCE = 10**8  # how often a caller lets others have its core until it does without them


@part_of_kernels
def _count(who: int, first: int, last: int, times: np.ndarray, of_thread: np.ndarray) -> None:
    for i in range(first, last):
        times[i] += 1
        of_thread[who] += 1


@numba.njit([types.void(NOTE, types.int64, types.int64[::1], types.int64[::1])], nogil=True)
def count(note: int, unit: int, times: np.ndarray, of_thread: np.ndarray) -> None:
    in_parts(_count, note, times.size, unit, (times, of_thread))


@part_of_kernels
def _bounds(who: int, first: int, last: int, begins: np.ndarray) -> None:
    begins[first] = 1


@numba.njit([types.void(NOTE, types.int64, types.int64[::1])], nogil=True)
def bounds(note: int, unit: int, begins: np.ndarray) -> None:
    in_parts(_bounds, note, begins.size, unit, (begins,))


@part_of_kernels
def _take_memory(who: int, first: int, last: int, words: int, taken: np.ndarray) -> None:
    for i in range(first, last):
        taken[i] = np.empty(words if i == 1 else 1, np.uint64).size


@numba.njit([types.void(NOTE, types.int64, types.int64[::1])], nogil=True)
def take_memory(note: int, words: int, taken: np.ndarray) -> None:
    in_parts(_take_memory, note, taken.size, 1, (words, taken))


@part_of_kernels
def _linger(who: int, first: int, last: int, steps: int, done: np.ndarray, begun: np.ndarray, word: np.ndarray) -> None:
    for i in range(first, last):
        if who > 0:
            parts._exchange(np.uintp(begun.ctypes.data), 1)
            for step in range(steps):
                word[0] = word[0] * np.uint64(3) + np.uint64(step)
        else:
            for _ in range(PATIENCE):
                if parts._load(np.uintp(begun.ctypes.data)):
                    break
                parts._let_others()
        done[i] = who + 1


@numba.njit([types.void(NOTE, types.int64, types.int64[::1], types.int64[::1], types.uint64[::1])], nogil=True)
def linger(note: int, steps: int, done: np.ndarray, begun: np.ndarray, word: np.ndarray) -> None:
    in_parts(_linger, note, done.size, 1, (steps, done, begun, word))


@numba.njit([types.int64(NOTE)], nogil=True)
def how_many(note: int) -> int:
    return threads_of(note)


def counted(size: int, unit: int = 1) -> tuple[np.ndarray, np.ndarray]:
    times, of_thread = np.zeros(size, np.int64), np.zeros(8, np.int64)
    count(helpers(2), unit, times, of_thread)
    return times, of_thread


def helped(steps: int = 1) -> bool:
    """Whether all parts are done when the caller has waited until a helper had begun one, and some by that. However
    busy the machine is.

    steps: of each part that a helper does.
    """
    done = np.zeros(64, np.int64)
    linger(helpers(2), steps, done, np.zeros(1, np.int64), np.ones(1, np.uint64))
    return bool(done.all() and (done == 2).any())


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_each_part_is_done_once(number: int) -> None:
    with on_threads(number):
        for size in [0, 1, 2, 7, 64, 1000, 100_003]:
            for unit in (1, 8, 64):
                times, of_thread = counted(size, unit)
                assert (times == 1).all()
                assert of_thread.sum() == size
                assert not of_thread[number:].any()


@pytest.mark.parametrize("number", [2, 3])
def test_parts_begin_at_multiples_of_the_unit(number: int) -> None:
    with on_threads(number):
        for size, unit in ((100, 8), (1000, 64), (5, 64)):
            begins = np.zeros(size, np.int64)
            bounds(helpers(2), unit, begins)
            assert not [place for place in begins.nonzero()[0] if place % unit]
            assert 1 <= begins.sum() <= -(-size // unit)
            assert size < 2 * unit or begins.sum() > 1


def test_nobody_helps_where_there_is_little_work_or_one_thread() -> None:
    with on_threads(3):
        assert helpers(0) == helpers(1) == 0
        assert how_many(helpers(2)) == 3
    with on_threads(1):
        assert helpers(1000) == 0
    assert how_many(0) == 1


def test_helpers_take_parts_also_after_they_have_slept() -> None:
    with on_threads(2):
        for _ in range(3):
            assert helped()
            assert until(asleep)
            assert helped()


def asleep() -> bool:
    """Whether the helper of two threads says that it is to be woken."""
    return bool(threads._threads._helpers[2]._note[ASLEEP])


def until(condition: Any) -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.001)
    return False


def test_a_kernel_waits_for_what_helpers_have_begun() -> None:
    """They take some ten milliseconds for a part, and the caller no time once one of them has begun."""
    with on_threads(2):
        for _ in range(3):
            assert helped(10_000_000)


class Note:
    """What a caller finds when its only helper does nothing at all."""

    def __init__(self) -> None:
        self._words = parts.new_note(2)
        self.address = self._words.ctypes.data
        parts.begin(self._words, 2)
        self.read, self.write = os.pipe()
        parts.enrol(self._words, 1, self.write)

    def __getitem__(self, place: int) -> int:
        return int(self._words[place])

    def __setitem__(self, place: int, value: int) -> None:
        self._words[place] = value


@pytest.fixture
def by_hand() -> Iterator[Note]:
    note = Note()
    yield note
    os.close(note.read)
    os.close(note.write)


def test_a_helper_that_sleeps_is_woken_once(by_hand: Note) -> None:
    """A byte for each call would fill the pipe in the end."""
    by_hand[ASLEEP] = 1
    for _ in range(3):
        times, of_thread = np.zeros(100, np.int64), np.zeros(2, np.int64)
        count(by_hand.address, 1, times, of_thread)
        assert (times == 1).all()
        assert by_hand[ASLEEP] == 0
    os.set_blocking(by_hand.read, False)
    assert len(os.read(by_hand.read, 10)) == 1


@pytest.mark.parametrize(
    ("job", "stop", "stays_awake"), [(3, 0, True), (4, 1, True), (1, 0, False), (4, 0, False)],
    ids=["another note", "the end", "the note that it has seen", "no note"],
)  # fmt: skip
def test_a_helper_does_not_sleep_over_what_has_come(job: int, stop: int, stays_awake: bool, by_hand: Note) -> None:
    """Before it said that it sleeps, so that nobody wakes it."""
    by_hand[parts._JOB], by_hand[parts._STOP] = job, stop
    closed, end = os.pipe()
    os.close(end)  # so that it need not sleep for ever
    seen = 1
    assert parts._sleep(by_hand.address, parts._HELPERS, closed, seen) == stays_awake
    assert by_hand[ASLEEP] == (not stays_awake)
    os.close(closed)


@pytest.mark.parametrize("number", [1, 2])
def test_a_part_that_finds_no_memory_is_an_error_of_the_kernel(number: int) -> None:
    """Whoever does it; and the other parts are done."""
    with on_threads(number):
        for _ in range(20):
            taken = np.zeros(10, np.int64)
            with pytest.raises(MemoryError, match="expected memory for the work of a kernel"):
                take_memory(helpers(2), 1 << 58, taken)
            assert number == 1 or (taken == [1, 0, *[1] * 8]).all()
        taken[:] = 0
        take_memory(helpers(2), 5, taken)
        assert (taken == [1, 5, *[1] * 8]).all()


def test_callers_at_the_same_time_do_not_meet() -> None:
    """One has its work shared, the others do theirs by themselves."""
    found: list[bool] = []

    def call() -> None:
        for size in range(1, 400):
            times, of_thread = counted(size)
            found.append(bool((times == 1).all()) and of_thread.sum() == size)

    with on_threads(3):
        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert len(found) == 3 * 399
    assert all(found)


def test_a_fork_has_helpers_of_its_own() -> None:
    with on_threads(2):
        counted(1000)
        child = os.fork()
        if child == 0:
            os._exit(0 if helped() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (counted(1000)[0] == 1).all()


@pytest.mark.parametrize("started", [0, 1])
def test_helpers_that_cannot_be_started_are_done_without(started: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pipes = iter([os.pipe() for _ in range(started)])

    def pipe() -> tuple[int, int]:
        for each in pipes:
            return each
        raise OSError(24, "too many open files")

    monkeypatch.setattr(threads, "_threads", fresh := threads._Threads())
    monkeypatch.setattr(os, "pipe", pipe)
    with on_threads(4):
        assert (counted(1000)[0] == 1).all()
        assert how_many(helpers(2)) == started + 1
    assert len(fresh._helpers[4]._threads) == started
    fresh.end()


def test_an_interrupt_while_helpers_start_ends_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, start, started = threads._Threads(), threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        if started:
            raise KeyboardInterrupt
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threads, "_threads", fresh)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with on_threads(3), pytest.raises(KeyboardInterrupt):
        helpers(2)
    assert until(lambda: not started[0].is_alive())
    assert not fresh._helpers


def test_a_number_of_threads_that_changes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread of the process may change it at any time."""
    numbers = itertools.cycle([2, 3, 4])

    class Changing(threads._Threads):
        @property
        def count(self) -> int:
            return next(numbers)

        @count.setter
        def count(self, value: int) -> None: ...

    changing = Changing()
    for _ in range(20):
        assert changing.note()
    assert {number: len(found._threads) for number, found in changing._helpers.items()} == {2: 1, 3: 2, 4: 3}
    changing.end()


def test_signals_are_for_other_threads_than_helpers() -> None:
    with on_threads(2):
        counted(1000)
        [helper] = threads._threads._helpers[2]._threads
        with open(f"/proc/self/task/{helper.native_id}/status") as file:
            [blocked] = [int(line.split()[1], 16) for line in file if line.startswith("SigBlk")]
        assert blocked >> signal.SIGINT - 1 & 1
        assert blocked >> signal.SIGTERM - 1 & 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


AT_THE_END = """
import time
import numpy as np
from mpc_tamper.engines.kernels import matmul
from mpc_tamper.engines.kernels.threads import on_threads

x = np.ones((400, 400), np.uint64)
with on_threads(3):
    print(matmul.matmul(x, x)[0, 0], flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_a_process_ends_whatever_its_helpers_do(seconds: float) -> None:
    """At work, or asleep."""
    command = [sys.executable, "-c", AT_THE_END.format(seconds=seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout, done.stderr) == (0, "400\n", "")
