"""What a full-batch step of the SVM costs on rep3, against plaintext NumPy and MP-SPDZ, and what active security adds.

The step is that of svm_train.mpc on MNIST 0/1, 12,665 x 785 with the constant attribute. NumPy does the same step in
float64 with all threads that its BLAS has, in whichever memory layout is faster. Where MP-SPDZ is given as the
reference, it runs the same program, also in the faster layout. All rows are one owner's; rep3's step is also measured
with rows of three owners. Seconds of a step are medians over iterations, those of whole trainings over runs that take
turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import Cost, RunResult
from mpc_tamper.workflows.training import train

DATASET = "mnist_0_1"
WARM_UP = 2  # iterations that are left out: caches and connections settle
_FIRST_STEP = "MARGIN"
_NUMPY_RUNS = 30
_ACTIVE = ProtocolName.MAL_REP_RING
_ACTIVE_ITERATIONS = 100
_OWNERS = 3


def bench_svm(
    engine: Engine, *, reference: Engine | None, iterations: int, repetitions: int, progress: Progress
) -> dict[str, Any]:
    """engine: rep3.  reference: MP-SPDZ, or None to leave it out.  JSON types."""
    task = load_task(DATASET)
    rows, pixels = task.x_train.shape
    progress(f"NumPy float64: {rows} x {pixels + 1}")
    numpy_before = numpy_step_seconds(task)
    progress(f"{engine.name} ring: {iterations} iterations")
    run = _train(task, engine, iterations)
    progress(f"{engine.name} ring, rows of {_OWNERS} owners: {iterations} iterations")
    of_owners = iteration_seconds(_train(task, engine, iterations, owners=_OWNERS))
    numpy_all = [*numpy_before, *numpy_step_seconds(task)]
    numpy_seconds, all_seconds = statistics.median(numpy_all), iteration_seconds(run)
    seconds = statistics.median(all_seconds)
    cost = _iteration_cost(run, iterations)
    return {
        "dataset": task.name,
        "rows": rows,
        "columns": pixels + 1,
        "iterations": iterations,
        "engine": str(engine.name),
        "numpy_float64_seconds": numpy_seconds,
        "numpy_float64_quartiles": quartiles(numpy_all),
        "rep3_ring_seconds": seconds,
        "rep3_ring_quartiles": quartiles(all_seconds),
        "owners": _OWNERS,
        "rep3_ring_of_owners_seconds": statistics.median(of_owners),
        "rep3_ring_of_owners_quartiles": quartiles(of_owners),
        "ratio_to_numpy": seconds / numpy_seconds,
        "bytes_per_iteration_per_party": cost["bytes_per_iteration_per_party"],
        "rounds_per_iteration": cost["rounds_per_iteration"],
        "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in run.parties),
        "phases": phases(run),
        **(_price_of_active_security(engine, task, repetitions, progress) if _ACTIVE in engine.protocols else {}),
        **(_against(reference, task, iterations, seconds, cost, progress) if reference is not None else {}),
    }


def numpy_step_seconds(task: Task) -> list[float]:
    """Seconds of _NUMPY_RUNS steps in plaintext, in the faster of the two memory layouts."""
    labels = task.y_train.astype(np.float64) * 2 - 1
    by_rows = np.column_stack([np.ones(len(labels)), task.x_train / 256.0]) * labels[:, None]
    by_columns = np.asfortranarray(by_rows)
    return min((_time_steps(x) for x in (by_rows, by_columns)), key=statistics.median)


def _time_steps(x: np.ndarray) -> list[float]:
    rows, columns = x.shape
    w, seconds = np.zeros(columns), []
    rate, decay = 0.1, 1e-4
    for _ in range(_NUMPY_RUNS + WARM_UP):
        begin = time.perf_counter()
        active = (x @ w < 1.0).astype(np.float64)
        w -= rate * (2 * decay * w - (active @ x) / rows)
        seconds.append(time.perf_counter() - begin)
    return seconds[WARM_UP:]


def _train(task: Task, engine: Engine, iterations: int, layout: Layout = Layout.ROWS, owners: int = 1) -> RunResult:
    parameters, rows = replace(PLAIN, iterations=iterations), Owners.share_equally(len(task.x_train), owners)
    return train(task, parameters, engine=engine, layout=layout, owners=rows).run


def _price_of_active_security(engine: Engine, task: Task, repetitions: int, progress: Progress) -> dict[str, Any]:
    """Whole training runs, inputs included, actively and passively in turn. Medians, with all seconds beside them."""
    parameters = replace(PLAIN, iterations=_ACTIVE_ITERATIONS)
    found = active_and_passive(
        lambda protocol: train(task, parameters, engine=engine, protocol=protocol).run,
        f"{engine.name}, {_ACTIVE_ITERATIONS} iterations",
        repetitions,
        progress,
    )
    return {"active_protocol": str(_ACTIVE), "active_iterations": _ACTIVE_ITERATIONS, **found}


def active_and_passive(
    run: Callable[[ProtocolName], RunResult], what: str, repetitions: int, progress: Progress
) -> dict[str, Any]:
    """Seconds and processor seconds of all parties: medians over runs that take turns, and the ratios of medians."""
    runs: dict[ProtocolName, list[RunResult]] = {ProtocolName.RING: [], _ACTIVE: []}
    for repetition in range(repetitions):
        for protocol, done in runs.items():
            progress(f"{what}, {protocol}, {repetition + 1} of {repetitions}")
            done.append(run(protocol))
    passive, active = runs.values()
    found: dict[str, Any] = {"repetitions": repetitions}
    for name, done in (("passive", passive), ("active", active)):
        seconds = [each.seconds for each in done]
        found[f"{name}_training_seconds"] = statistics.median(seconds)
        found[f"{name}_training_seconds_of_runs"] = seconds
        cpu = [each.cpu_seconds for each in done if each.cpu_seconds is not None]
        found[f"{name}_training_cpu_seconds"] = statistics.median(cpu)
        found[f"{name}_peak_rss_bytes_per_party"] = max(p.peak_rss_bytes for each in done for p in each.parties)
        found[f"{name}_bytes_per_party"] = done[0].bytes_per_party
        found[f"{name}_rounds"] = done[0].rounds
    for ratio, key in (
        ("seconds", "training_seconds"),
        ("cpu_seconds", "training_cpu_seconds"),
        ("bytes", "bytes_per_party"),
    ):
        found[f"active_over_passive_{ratio}"] = found[f"active_{key}"] / found[f"passive_{key}"]
    return found


def _against(
    reference: Engine, task: Task, iterations: int, seconds: float, cost: dict[str, int], progress: Progress
) -> dict[str, Any]:
    """The same program on MP-SPDZ, in both layouts; the ratios are to the faster."""
    layouts: dict[str, dict[str, Any]] = {}
    for layout in Layout:
        progress(f"{reference.name} ring, layout {layout}: {iterations} iterations")
        run = _train(task, reference, iterations, layout)
        layouts[str(layout)] = {
            "seconds": statistics.median(iteration_seconds(run)),
            "quartiles": quartiles(iteration_seconds(run)),
            "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in run.parties),
            **_iteration_cost(run, iterations),
        }
    fastest = min(layouts, key=lambda name: layouts[name]["seconds"])
    theirs = layouts[fastest]
    return {
        "mp_spdz_ring_seconds": theirs["seconds"],
        "mp_spdz_layout": fastest,
        "mp_spdz_layouts": layouts,
        "rep3_over_mp_spdz_seconds": seconds / theirs["seconds"],
        "rep3_over_mp_spdz_bytes": cost["bytes_per_iteration_per_party"] / theirs["bytes_per_iteration_per_party"],
    }


def iteration_seconds(run: RunResult, first_step: str = _FIRST_STEP) -> list[float]:
    """From one iteration's first step to the next one's, at the party for which it took longest."""
    starts = [[s.start for s in party.steps if s.site == first_step][WARM_UP:] for party in run.parties]
    return [max(later) for later in zip(*(np.diff(party).tolist() for party in starts), strict=True)]


def quartiles(seconds: list[float]) -> list[float]:
    """The first and the third."""
    return statistics.quantiles(seconds, n=4)[::2] if len(seconds) > 1 else seconds * 2


def _iteration_cost(run: RunResult, iterations: int) -> dict[str, int]:
    """Bytes and rounds within steps, of the party that sends most, by iteration."""
    totals = [sum((step.cost for step in party.steps), Cost()) for party in run.parties]
    return {
        "bytes_per_iteration_per_party": round(max(total.bytes_sent for total in totals) / iterations),
        "rounds_per_iteration": round(max(total.rounds for total in totals) / iterations),
    }


def phases(run: RunResult) -> dict[str, float]:
    """Median seconds of each step at party 0."""
    steps = [step for step in run.parties[0].steps if step.occurrence >= WARM_UP]
    sites = dict.fromkeys(step.site for step in steps)
    return {site: statistics.median(s.cost.seconds for s in steps if s.site == site) for site in sites}
