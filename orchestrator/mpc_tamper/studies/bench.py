"""What a full-batch training step costs on rep3, against plaintext NumPy, in one run on one machine.

The step is that of svm_train.mpc on MNIST 0/1, 12,665 x 785 with the constant attribute. NumPy does the same step in
float64 with all threads that its BLAS has, in whichever memory layout is faster. Where MP-SPDZ is given as the
reference, it runs the same program, also in the faster layout. Seconds are medians over iterations.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.records.studies import BENCH
from mpc_tamper.report.bench import BENCH_JSON, BENCH_MARKDOWN, bench_table
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import Cost, RunResult
from mpc_tamper.studies.bench_networks import bench_networks
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.start_up import start_up
from mpc_tamper.workflows.training import train_and_open

DATASET = "mnist_0_1"
ITERATIONS = 30
MIN_ITERATIONS = 10
_WARM_UP = 2  # iterations that are left out: caches and connections settle
_FIRST_STEP = "MARGIN"
_NUMPY_RUNS = 30
_ACTIVE = ProtocolName.MAL_REP_RING
_ACTIVE_ITERATIONS = 100


def bench(
    engine: Engine,
    out: Path,
    *,
    reference: Engine | None = None,
    iterations: int = ITERATIONS,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure, write bench.json and bench.md to `out`, and return the record.

    engine: rep3.  reference: MP-SPDZ, or None to leave it out.  configuration: for the record, the options of the
    command that asked for this.
    """
    if iterations < MIN_ITERATIONS:
        raise ParameterError(f"expected at least {MIN_ITERATIONS} iterations to take a median of, got {iterations}")
    check_folder(out)
    task = load_task(DATASET)
    rows, pixels = task.x_train.shape
    progress(f"NumPy float64: {rows} x {pixels + 1}")
    numpy_before = numpy_step_seconds(task)
    progress(f"{engine.name} ring: {iterations} iterations")
    run = _train(task, engine, iterations)
    numpy_seconds = statistics.median([*numpy_before, *numpy_step_seconds(task)])
    seconds = statistics.median(_iteration_seconds(run))
    cost = _iteration_cost(run, iterations)
    record = {
        "dataset": task.name,
        "rows": rows,
        "columns": pixels + 1,
        "iterations": iterations,
        "engine": str(engine.name),
        "numpy_float64_seconds": numpy_seconds,
        "rep3_ring_seconds": seconds,
        "ratio_to_numpy": seconds / numpy_seconds,
        "bytes_per_iteration_per_party": cost["bytes_per_iteration_per_party"],
        "rounds_per_iteration": cost["rounds_per_iteration"],
        "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in run.parties),
        "scaling": [
            {"m": rows, "n": pixels + 1, "seconds": seconds},
            *_scaling(engine, rows, pixels, iterations, progress),
        ],
        "phases": _phases(run),
        **(_price_of_active_security(engine, task, progress) if _ACTIVE in engine.protocols else {}),
        **(_against(reference, task, iterations, seconds, cost, progress) if reference is not None else {}),
        "networks": bench_networks(engine, reference=reference, progress=progress),
        "start_up": start_up(task, progress=progress),
        "configuration": configuration,
        "environment": environment(),
    }
    record = BENCH.write(out / BENCH_JSON, record, indent=2)
    write_atomically(out / BENCH_MARKDOWN, bench_table(record), public=True)
    return record


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
    for _ in range(_NUMPY_RUNS + _WARM_UP):
        begin = time.perf_counter()
        active = (x @ w < 1.0).astype(np.float64)
        w -= rate * (2 * decay * w - (active @ x) / rows)
        seconds.append(time.perf_counter() - begin)
    return seconds[_WARM_UP:]


def _train(task: Task, engine: Engine, iterations: int, layout: Layout = Layout.ROWS) -> RunResult:
    return train_and_open(task, replace(PLAIN, iterations=iterations), engine=engine, layout=layout).run


def _price_of_active_security(engine: Engine, task: Task, progress: Progress) -> dict[str, Any]:
    """A whole training run, inputs included, actively and passively."""
    runs = {}
    for protocol in (ProtocolName.RING, _ACTIVE):
        progress(f"{engine.name} {protocol}: {_ACTIVE_ITERATIONS} iterations")
        parameters = replace(PLAIN, iterations=_ACTIVE_ITERATIONS)
        runs[protocol] = train_and_open(task, parameters, engine=engine, protocol=protocol).run
    passive, active = runs[ProtocolName.RING], runs[_ACTIVE]
    return {
        "active_protocol": str(_ACTIVE),
        "active_iterations": _ACTIVE_ITERATIONS,
        "passive_training_seconds": passive.seconds,
        "active_training_seconds": active.seconds,
        "active_over_passive_seconds": active.seconds / passive.seconds,
        "active_over_passive_bytes": active.bytes_per_party / passive.bytes_per_party,
        "active_peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in active.parties),
    }


def _against(
    reference: Engine, task: Task, iterations: int, seconds: float, cost: dict[str, int], progress: Progress
) -> dict[str, Any]:
    """The same program on MP-SPDZ, in both layouts; the ratios are to the faster."""
    layouts = {}
    for layout in Layout:
        progress(f"{reference.name} ring, layout {layout}: {iterations} iterations")
        run = _train(task, reference, iterations, layout)
        layouts[str(layout)] = {
            "seconds": statistics.median(_iteration_seconds(run)),
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


def _scaling(engine: Engine, rows: int, pixels: int, iterations: int, progress: Progress) -> list[dict[str, float]]:
    """Half and twice the rows, half and twice the columns; random pixels, as time does not depend on values."""
    sizes = [(rows // 2, pixels), (2 * rows, pixels), (rows, pixels // 2), (rows, 2 * pixels + 1)]
    points = []
    for m, n in sizes:
        progress(f"{engine.name} ring: {m} x {n + 1}")
        run = _train(_random_task(m, n), engine, max(MIN_ITERATIONS, iterations // 2) + _WARM_UP)
        points.append({"m": m, "n": n + 1, "seconds": statistics.median(_iteration_seconds(run))})
    return points


def _random_task(rows: int, pixels: int) -> Task:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (rows, pixels), np.uint8)
    y = (np.arange(rows) % 2).astype(np.uint8)
    return Task("random", x, y, x[:2], y[:2], (1, pixels), ("0", "1"), "random pixels", sha256="")


def _iteration_seconds(run: RunResult) -> list[float]:
    """From one iteration's first step to the next one's, at the party for which it took longest."""
    starts = [[s.start for s in party.steps if s.site == _FIRST_STEP][_WARM_UP:] for party in run.parties]
    return [max(later) for later in zip(*(np.diff(party).tolist() for party in starts), strict=True)]


def _iteration_cost(run: RunResult, iterations: int) -> dict[str, int]:
    """Bytes and rounds within steps, of the party that sends most, by iteration."""
    totals = [sum((step.cost for step in party.steps), Cost()) for party in run.parties]
    return {
        "bytes_per_iteration_per_party": round(max(total.bytes_sent for total in totals) / iterations),
        "rounds_per_iteration": round(max(total.rounds for total in totals) / iterations),
    }


def _phases(run: RunResult) -> dict[str, float]:
    """Median seconds of each step at party 0."""
    steps = [step for step in run.parties[0].steps if step.occurrence >= _WARM_UP]
    sites = dict.fromkeys(step.site for step in steps)
    return {site: statistics.median(s.cost.seconds for s in steps if s.site == site) for site in sites}
