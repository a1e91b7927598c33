"""Jobs for tests of sweeps: functions of a module, as worker processes need them, and a Dask cluster of processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.progress import Progress
from tests.support.places import ROOT
from tests.support.processes import started, wait_for

FAILING = "fails"
_OF_A_RUN = ("seconds", "beside_others")  # of a cell; other tests may run beside it


def square(folder: Path, number: int | str, progress: Progress) -> None:
    """Leaves a file with the square."""
    if number == FAILING:
        raise DataError("expected a number, got none; give one")
    progress(f"squaring {number}")
    (folder / f"{number}").write_text(str(int(number) ** 2), encoding="utf-8")


def die_once(folder: Path, number: int, progress: Progress) -> None:
    """The worker of job 2 is killed the first time, in the middle of it."""
    if number == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    square(folder, number, progress)


def die(folder: Path, number: int, progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(folder: Path, number: int, progress: Progress) -> None:
    (folder / f"pid-{os.getpid()}").touch()
    time.sleep(600)


def squared(folder: Path, number: int, progress: Progress) -> Mapping[str, Any]:
    """A result for sweep(), which leaves word of each time that it was looked for."""
    with (folder / "asked").open("a", encoding="utf-8") as asked:
        asked.write(f"{number}\n")
    return {"square": number**2}


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """The address of a Dask scheduler, and its workers, processes of one thread each."""
    where = folder / "scheduler.json"
    dask = [sys.executable, "-P", "-m", "dask"]
    common = ["--scheduler-file", str(where), "--no-dashboard"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_running([*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", *common], folder))
        wait_for(where.exists)
        worker = [*dask, "worker", "--no-nanny", "--nthreads", "1", "--local-directory", str(folder), *common]
        processes = [stack.enter_context(_running(worker, folder)) for _ in range(workers)]
        yield json.loads(where.read_text(encoding="utf-8"))["address"], processes


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """As started(), with nobody who reads what it says."""
    path = f"{ROOT / 'orchestrator'}{os.pathsep}{ROOT}"
    quietly = ["sh", "-c", 'export PYTHONPATH="$1"; shift; exec "$@" > /dev/null 2>&1', "sh", path, *command]
    with started(quietly, cwd=folder) as process:
        yield process


def lasting(cell: dict[str, Any]) -> dict[str, Any]:
    """What is the same whenever and beside whatever a cell is run."""
    return {key: value for key, value in cell.items() if key not in _OF_A_RUN}
