"""How long the shortest commands take, from the shell's point of view: what a user waits for before any protocol runs.

Seconds are of the command's process from its start to its end; CPU seconds are its own and those of every process that
it has started, the three parties included. The first run of each is left out: it fills the caches on disk.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.task import Task

REPETITIONS = 5
ROWS, ITERATIONS = 300, 3
_ONE_LINE = "print_ln('%s', sint(3).reveal())\n"
_OF_TASK = ("x_train", "y_train", "x_test", "y_test")


class Seconds(NamedTuple):
    wall: float
    cpu: float


def start_up(
    task: Task, *, repetitions: int = REPETITIONS, progress: Progress = silent
) -> dict[str, dict[str, float | int]]:
    """Medians by what is run: a program of one line, a training on the first ROWS rows of a task, --help."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.mpc").write_text(_ONE_LINE, encoding="utf-8")
        arrays = {array: getattr(task, array)[:ROWS] for array in _OF_TASK}
        np.savez(folder / "rows.npz", image_shape=task.image_shape, **arrays)
        for what, words in (
            ("program", ["run", "one.mpc", "--quiet"]),
            ("training", ["train", "--data", "rows.npz", "--iterations", str(ITERATIONS), "--quiet"]),
            ("help", ["--help"]),
        ):
            progress(f"start-up: {what}")
            runs = [_time(words, folder) for _ in range(repetitions + 1)][1:]
            wall, cpu = (statistics.median(column) for column in zip(*runs, strict=True))
            found[what] = {"wall_seconds": wall, "cpu_seconds": cpu, "repetitions": repetitions}
    return found


def _time(words: Sequence[str], folder: Path) -> Seconds:
    """Of this command line in that working folder."""
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "mpc_tamper.cli.main", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise EngineUnavailable(f"expected mpc-tamper {' '.join(words)} to run, got: {said}; try it by itself")
    return Seconds(wall, usage.ru_utime + usage.ru_stime)
