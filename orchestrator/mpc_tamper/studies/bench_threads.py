"""One party's own work on one thread and on two: a step of a training, and the proof of an active one.

The party is run by itself, in this process: what the other two sent it in an earlier run is played to it again
(engines/rep3/alone.py). So nothing waits, and on two idle cores the seconds are those of its threads. Runs on one
thread and on two take turns. A step of the SVM reads shares of all rows twice, from memory: two threads cannot gain
much more there than what is measured beside it, by threads that read a component of the rows and do nothing else.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets import first_rows, load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine, LocalWork
from mpc_tamper.engines.huge_pages import use_huge_pages
from mpc_tamper.engines.kernels import limits
from mpc_tamper.engines.kernels.threads import helpers, on_threads
from mpc_tamper.models.base import Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.stages import Training

THREADS = (1, 2)
PARTY = 1  # not the owner of the rows, whose integers of 16 bits are read faster
REPETITIONS = 7
_STEPS = {"SVM": 20, "network": 8}
_HIDDEN = (32, 128)
_WARM_UP = 2  # steps that are left out


def bench_threads(engine: Engine, *, repetitions: int = REPETITIONS, progress: Progress = silent) -> dict[str, Any]:
    """engine: rep3.  Medians of seconds by number of threads, with quartiles, and the gain.  JSON types."""
    svm = load_task("mnist_0_1")
    digits = first_rows(load_task("mnist_10"), 128 * _STEPS["network"])
    trainings: list[tuple[str, Task, str, Any]] = [("SVM", svm, "linear_svm", replace(PLAIN, iterations=_STEPS["SVM"]))]
    trainings += [(f"network of {h}", digits, "mlp", MlpParameters(hidden=h, epochs=1)) for h in _HIDDEN]
    found = []
    for name, task, model, parameters in trainings:
        passive, active = (
            _alone(engine, task, model, parameters, protocol, repetitions, progress, name)
            for protocol in (ProtocolName.RING, ProtocolName.MAL_REP_RING)
        )
        found.append({"work": f"{name}, a step", **_gain([_steps(works) for works in passive])})
        proofs = [[work.proof_seconds for work in works] for works in active]
        found.append({"work": f"{name}, the proof of {_STEPS[name.split()[0]]} steps", **_gain(proofs)})
    found.insert(1, {"work": "SVM, reading a component of the rows", **_gain(_reading(svm, repetitions))})
    return {"party": PARTY, "repetitions": repetitions, "work": found}


def _alone(
    engine: Engine,
    task: Task,
    model: str,
    parameters: Any,
    protocol: ProtocolName,
    repetitions: int,
    progress: Progress,
    name: str,
) -> list[list[LocalWork]]:
    """By number of threads, a run for each repetition."""
    progress(f"threads: {name}, {protocol}, one party alone")
    stage = Training.of(task, get_model(model), parameters)
    with TemporaryFolder() as folder:
        call = stage.call(task, Owners.share_equally(len(task.x_train)), Path(folder), Layout.ROWS)
        spec = RunSpec(call.program, call.args, protocol, call.inputs, run_dir=Path(folder, "run"))
        party = engine.alone(spec, PARTY)
        runs: list[list[LocalWork]] = [[] for _ in THREADS]
        for repetition in range(repetitions + 1):
            for found, threads in zip(runs, THREADS, strict=True):
                work = party.run(threads)
                if repetition:  # the first one fills caches
                    found.append(work)
    return runs


def _reading(task: Task, repetitions: int) -> list[list[float]]:
    """Seconds by number of threads, of which each reads a part of what lies in memory as shares of rows do."""
    component = np.zeros(len(task.x_train) * (task.x_train.shape[1] + 1), np.uint64)
    use_huge_pages(component)
    component[:] = 1
    seconds: list[list[float]] = [[] for _ in THREADS]
    for repetition in range(repetitions + 1):
        for found, threads in zip(seconds, THREADS, strict=True):
            with on_threads(threads):
                begin = time.perf_counter()
                limits.read(helpers(threads), component)
                if repetition:
                    found.append(time.perf_counter() - begin)
    return seconds


def _steps(works: Sequence[LocalWork]) -> list[float]:
    """The seconds of a step of each run: the sum over sites of medians over occurrences."""
    found = []
    for work in works:
        sites = dict.fromkeys(step.site for step in work.steps if step.occurrence >= _WARM_UP)
        by_site = {site: [s.cost.seconds for s in work.steps if s.site == site][_WARM_UP:] for site in sites}
        found.append(sum(statistics.median(seconds) for seconds in by_site.values()))
    return found


def _gain(seconds: Sequence[list[float]]) -> dict[str, Any]:
    medians = [statistics.median(each) for each in seconds]
    return {
        "seconds": medians,
        "quartiles": [statistics.quantiles(each, n=4)[::2] for each in seconds],
        "gain": medians[0] / medians[1],
    }
