"""One party's own work on one thread and on two: a step of a training, the proof of an active one, and an epoch of a
network with all its proofs, most of which the second thread makes beside the program.

The party is run by itself, in this process: what the other two sent it in an earlier run is played to it again
(engines/rep3/alone.py). So nothing waits, and on two idle cores the seconds are those of its threads. Runs on one
thread and on two take turns. A step of the SVM reads shares of all rows twice, from memory: two threads cannot gain
much more there than what is measured beside it, by threads that read a component of the rows and do nothing else.

Nor can two threads gain much where the machine has no two cores for them: those of a virtual machine may be one core of
its host, or have to share it with others', for minutes. So before and after each work, what needs nothing but cores is
timed too: multiplications and additions in registers. That is an indication, and no bound.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

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
from mpc_tamper.studies.bench_networks import EPOCH_ROWS
from mpc_tamper.workflows.stages import Training

THREADS = (1, 2)
PARTY = 1  # not the owner of the rows, whose integers of 16 bits are read faster
REPETITIONS = 7
_STEPS = {"SVM": 20, "network": 8}
_HIDDEN = (32, 128)
_WARM_UP = 2  # steps that are left out
_MULTIPLICATIONS = 1 << 20  # steps of limits.multiply_and_add: some ten milliseconds
_Measured = TypeVar("_Measured")


def bench_threads(engine: Engine, *, repetitions: int = REPETITIONS, progress: Progress = silent) -> dict[str, Any]:
    """engine: rep3.  Medians of seconds by number of threads, with quartiles, and the gain; what multiplications and
    additions in registers gained just before and after (registers_gain and its quartiles); of the epoch, the active
    seconds over the passive ones by number of threads.  JSON types."""
    svm = load_task("mnist_0_1")
    digits = first_rows(load_task("mnist_10"), EPOCH_ROWS)
    few = first_rows(digits, 128 * _STEPS["network"])
    trainings: list[tuple[str, Task, str, Any]] = [("SVM", svm, "linear_svm", replace(PLAIN, iterations=_STEPS["SVM"]))]
    networks = [(f"network of {hidden}", MlpParameters(hidden=hidden, epochs=1)) for hidden in _HIDDEN]
    trainings += [(name, few, "mlp", parameters) for name, parameters in networks]
    found = []
    for name, task, model, parameters in trainings:
        passive, active = (
            _alone(engine, task, model, parameters, protocol, repetitions, progress, name)
            for protocol in (ProtocolName.RING, ProtocolName.MAL_REP_RING)
        )
        found.append({"work": f"{name}, a step", **_gain(passive, _step_seconds)})
        proof = f"{name}, the proof of {_STEPS[name.split()[0]]} steps"
        found.append({"work": proof, **_gain(active, lambda work: work.proof_seconds)})
    name, parameters = networks[0]
    epochs = []
    for protocol, how in ((ProtocolName.RING, ""), (ProtocolName.MAL_REP_RING, ", proofs included")):
        turns = _alone(engine, digits, "mlp", parameters, protocol, repetitions, progress, f"an epoch of a {name}")
        work = f"{name}, an epoch of {len(digits.x_train):,} rows{how}"
        epochs.append({"work": work, **_gain(turns, lambda work: work.seconds)})
    passive_seconds, active_seconds = (epoch["seconds"] for epoch in epochs)
    found += epochs
    found.insert(1, {"work": "SVM, reading a component of the rows", **_gain(_reading(svm, repetitions), float)})
    return {
        "party": PARTY,
        "repetitions": repetitions,
        "work": found,
        "active_over_passive_seconds": [a / p for a, p in zip(active_seconds, passive_seconds, strict=True)],
    }


@dataclass(frozen=True)
class _Turns(Generic[_Measured]):
    """By number of threads, a measurement for each repetition. registers: the seconds of multiplications around it."""

    works: list[list[_Measured]]
    registers: list[list[float]]


def _take_turns(repetitions: int, measure: Callable[[int], _Measured]) -> _Turns[_Measured]:
    """measure: on so many threads."""
    turns = _Turns[_Measured]([[] for _ in THREADS], [[] for _ in THREADS])
    for repetition in range(repetitions + 1):
        for threads, works, registers in zip(THREADS, turns.works, turns.registers, strict=True):
            before, work, after = _multiplying(threads), measure(threads), _multiplying(threads)
            if repetition:  # the first one fills caches
                works.append(work)
                registers.append(before + after)
    return turns


def _alone(
    engine: Engine,
    task: Task,
    model: str,
    parameters: Any,
    protocol: ProtocolName,
    repetitions: int,
    progress: Progress,
    name: str,
) -> _Turns[LocalWork]:
    progress(f"threads: {name}, {protocol}, one party alone")
    stage = Training.of(task, get_model(model), parameters)
    with TemporaryFolder() as folder:
        call = stage.call(task, Owners.share_equally(len(task.x_train)), Path(folder), Layout.ROWS)
        spec = RunSpec(call.program, call.args, protocol, call.inputs, run_dir=Path(folder, "run"))
        return _take_turns(repetitions, engine.alone(spec, PARTY).run)


def _reading(task: Task, repetitions: int) -> _Turns[float]:
    """Seconds in which each thread reads a part of what lies in memory as shares of rows do."""
    component = np.zeros(len(task.x_train) * (task.x_train.shape[1] + 1), np.uint64)
    use_huge_pages(component)
    component[:] = 1
    return _take_turns(repetitions, lambda threads: _seconds(threads, lambda note: limits.read(note, component)))


def _multiplying(threads: int) -> float:
    return _seconds(threads, lambda note: limits.multiply_and_add(note, _MULTIPLICATIONS, 3))


def _seconds(threads: int, kernel: Callable[[int], object]) -> float:
    """Of a kernel on so many threads."""
    with on_threads(threads):
        begin = time.perf_counter()
        kernel(helpers(threads))
        return time.perf_counter() - begin


def _step_seconds(work: LocalWork) -> float:
    """The sum over sites of medians over occurrences."""
    sites = dict.fromkeys(step.site for step in work.steps if step.occurrence >= _WARM_UP)
    by_site = {site: [s.cost.seconds for s in work.steps if s.site == site][_WARM_UP:] for site in sites}
    return sum(statistics.median(seconds) for seconds in by_site.values())


def _gain(turns: _Turns[_Measured], seconds_of: Callable[[_Measured], float]) -> dict[str, Any]:
    seconds = [[seconds_of(work) for work in works] for works in turns.works]
    medians = [statistics.median(each) for each in seconds]
    registers = [one / both for one, both in zip(*turns.registers, strict=True)]
    return {
        "seconds": medians,
        "quartiles": [statistics.quantiles(each, n=4)[::2] for each in seconds],
        "gain": medians[0] / medians[1],
        "registers_gain": statistics.median(registers),
        "registers_quartiles": statistics.quantiles(registers, n=4)[::2],
    }
