"""What the network's training costs on rep3, passively and actively, against NumPy and MP-SPDZ, in one run.

Ten-class MNIST, batches of 128 rows, for narrow and wide networks. Seconds of a step are medians. What active security
adds is measured on one epoch of 12,032 rows with 32 neurons, in runs that take turns.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import first_rows, load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.studies.bench_svm import active_and_passive, iteration_seconds, phases, quartiles
from mpc_tamper.workflows.training import train

DATASET = "mnist_10"
ROWS, EPOCHS, BATCH = 2_560, 2, 128
WIDTHS = (32, 128)
EPOCH_ROWS, EPOCH_WIDTH = 12_032, 32
FIRST_STEP = "HIDDEN"
_NUMPY_STEPS = 60
_ACTIVE = ProtocolName.MAL_REP_RING


def bench_networks(
    engine: Engine, *, reference: Engine | None = None, repetitions: int, progress: Progress = silent
) -> dict[str, Any]:
    """engine: rep3.  reference: MP-SPDZ, or None to leave it out.  Returns JSON types."""
    digits = load_task(DATASET)
    task = first_rows(digits, ROWS)
    networks = [_network(engine, reference, task, hidden, progress) for hidden in WIDTHS]
    found = {"dataset": task.name, "rows": ROWS, "epochs": EPOCHS, "batch_size": BATCH, "networks": networks}
    if _ACTIVE in engine.protocols:
        found["epoch"] = _epoch(engine, first_rows(digits, EPOCH_ROWS), repetitions, progress)
    return found


def _epoch(engine: Engine, task: Task, repetitions: int, progress: Progress) -> dict[str, Any]:
    parameters, model = MlpParameters(hidden=EPOCH_WIDTH, epochs=1), get_model("mlp")
    found = active_and_passive(
        lambda protocol: train(task, parameters, model=model, engine=engine, protocol=protocol).run,
        f"network of {EPOCH_WIDTH} neurons, an epoch of {EPOCH_ROWS:,} rows",
        repetitions,
        progress,
    )
    return {"rows": EPOCH_ROWS, "hidden": EPOCH_WIDTH, **found}


def _network(engine: Engine, reference: Engine | None, task: Task, hidden: int, progress: Progress) -> dict[str, Any]:
    parameters = MlpParameters(hidden=hidden, epochs=EPOCHS)
    runs = {str(engine.name): (engine, ProtocolName.RING)}
    if _ACTIVE in engine.protocols:
        runs["active"] = (engine, _ACTIVE)
    if reference is not None:
        runs["mp_spdz"] = (reference, ProtocolName.RING)
    plain = numpy_step_seconds(task, hidden)
    found: dict[str, dict[str, Any]] = {
        "numpy": {"step_seconds": statistics.median(plain), "step_quartiles": quartiles(plain)}
    }
    for name, (runs_on, protocol) in runs.items():
        progress(f"network of {hidden} neurons, {runs_on.name} {protocol}")
        run = train(task, parameters, model=get_model("mlp"), engine=runs_on, protocol=protocol).run
        found[name] = _costs(run)
    rep3 = str(engine.name)
    pairs = {
        "active_over_passive": ("active", rep3),
        "rep3_over_mp_spdz": (rep3, "mp_spdz"),
        "rep3_over_numpy": (rep3, "numpy"),
    }
    ratios = {
        f"{name}_{key}": found[over][key] / found[under][key]
        for name, (over, under) in pairs.items()
        if over in found and under in found
        for key in ("seconds", "step_seconds", "bytes_per_party")
        if key in found[over] and key in found[under]
    }
    return {"hidden": hidden, "runs": found, "ratios": ratios}


def _costs(run: RunResult) -> dict[str, Any]:
    """Of the whole training, inputs included, and of a step, at the party for which it took longest."""
    steps = iteration_seconds(run, FIRST_STEP)
    return {
        "seconds": run.seconds,
        "step_seconds": statistics.median(steps),
        "step_quartiles": quartiles(steps),
        "bytes_per_party": run.bytes_per_party,
        "rounds": run.rounds,
        "cpu_seconds": run.cpu_seconds,
        "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in run.parties),
        "phases": phases(run),
    }


def numpy_step_seconds(task: Task, hidden: int) -> list[float]:
    """Seconds of steps of mlp_train.mpc in plaintext, float64, with all threads that BLAS has."""
    rng = np.random.default_rng(0)
    classes = len(task.classes)
    x = np.column_stack([np.ones(len(task.x_train)), task.x_train / 256.0])
    y = np.where(task.y_train[:, None] == np.arange(classes), 1.0, -1.0)
    w1, w2 = (rng.normal(0, 0.05, shape) for shape in ((x.shape[1], hidden), (hidden, classes)))
    rate, cap, seconds = 0.125, 2.0, []
    for step in range(_NUMPY_STEPS):
        first = step * BATCH % (len(x) - BATCH + 1)
        rows, labels = x[first : first + BATCH], y[first : first + BATCH]
        begin = time.perf_counter()
        z = rows @ w1
        a = z.clip(0.0, cap)
        e = np.where(labels * (a @ w2) < 1.0, labels, 0.0)
        d = np.where((z > 0.0) & (z <= cap), e @ w2.T, 0.0)
        w2 += rate / BATCH * (a.T @ e)
        w1 += rate / BATCH * (rows.T @ d)
        seconds.append(time.perf_counter() - begin)
    return seconds[_NUMPY_STEPS // 4 :]
