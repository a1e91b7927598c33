"""Processes that tests start: they begin as if a user had started them at a terminal, and none outlives its test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.places import ROOT

COMMAND = (sys.executable, "-m", "mpc_tamper.cli.main")
MARKER = "MPC_TAMPER_TEST_RUN"  # in the environment of whatever this test run starts, wherever it ends up
SECONDS_TO_LEAVE = 30.0  # for processes that are already ending when a test ends
# A shell starts background jobs with SIGINT ignored; Python then installs no handler, and an ignored signal is
# inherited. So a child first gets the dispositions back that a terminal gives, and then becomes the command.
_RESTORE = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.execvp(sys.argv[1], sys.argv[1:])
"""
# Of the test process's own children, these serve several tests and end with it.
_SHARED = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver", b"rep3.fork_server")

_trees: set[int] = set()  # processes that a fixture of several tests has started; they start others as they need them


@contextlib.contextmanager
def kept(processes: Iterable[int]) -> Iterator[None]:
    """Within the block these processes, which a fixture of several tests has started and ends, may start others."""
    own = set(processes)
    _trees.update(own)
    try:
        yield
    finally:
        _trees.difference_update(own)


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], *, cwd: Path | None = None, under: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process with a terminal's dispositions of signals; at the end of the block its whole tree is killed.

    under: a command that starts the process, such as `ip netns exec`, after which the dispositions are restored.
    """
    words = [*under, sys.executable, "-IS", "-c", _RESTORE, *map(str, command)]
    process = subprocess.Popen(
        words,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT / "orchestrator")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        kill([*descendants(process.pid), process.pid])
        with process:  # closes the pipes and takes the exit code
            pass


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> float:
    """How long it took; an error if it does not happen. The default is for what happens at once on an idle machine."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"it did not happen within {seconds:g} s"
        time.sleep(0.01)
    return time.monotonic() - start


def parents() -> dict[int, int]:
    """Process id -> that of its parent, of all processes that are no zombies."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            state, parent, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(folder.name)] = int(parent)
    return found


def descendants(ancestor: int) -> list[int]:
    by_parent: dict[int, list[int]] = {}
    for child, parent in parents().items():
        by_parent.setdefault(parent, []).append(child)
    found, waiting = [], [ancestor]
    while waiting:
        children = by_parent.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def kill(processes: Iterable[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def words(process: int) -> list[bytes]:
    """The command line; empty if there is no such process any more."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return []


def existing() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()} if sys.platform == "linux" else set()


def mark_this_run() -> None:
    os.environ[MARKER] = f"{os.getpid()}-{time.time_ns()}"


def left_of(before: set[int]) -> dict[int, str]:
    """Processes of this test run, with their command lines, that are not among those of `before`."""
    new = existing() - before - {os.getpid()}
    if not new:
        return {}
    tree, alive = set(descendants(os.getpid())), parents()
    new -= {process for root in _trees for process in descendants(root)}
    found = {}
    for process in new & alive.keys():
        own = process in tree or _environment_has(process, f"{MARKER}={os.environ[MARKER]}".encode())
        line = b" ".join(words(process))
        shared = alive[process] == os.getpid() and (any(name in line for name in _SHARED) or _watches(process))
        if own and not shared:
            found[process] = line.decode(errors="replace")
    return found


def fail_on_processes_left(before: set[int]) -> None:
    """Kill what a test left running, and fail the test with the command lines."""
    deadline = time.monotonic() + SECONDS_TO_LEAVE
    while (left := left_of(before)) and time.monotonic() < deadline:
        time.sleep(0.02)
    if left:
        kill(left)
        lines = "\n".join(f"  {process}: {line}" for process, line in left.items())
        pytest.fail(f"processes outlived the test, and were killed:\n{lines}", pytrace=False)


def _watches(process: int) -> bool:
    """Whether it waits for the end of this process to remove a temporary folder (core/temporary.py) that is in use.

    Whoever holds the folder, such as the fixture of a module, removes it and ends the watcher at once.
    """
    found = words(process)
    if len(found) < 3:
        return False
    shell, *options, _, folder = found
    return shell == b"sh" and any(b"rm -rf -- " in option for option in options) and os.path.isdir(folder)


def _environment_has(process: int, variable: bytes) -> bool:
    try:
        return variable in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or another user's
        return False
