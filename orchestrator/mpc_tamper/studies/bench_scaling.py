"""Whether a step of a training takes at most twice as long where its rows, columns, neurons or batch are twice as many.

Pixels and labels are random, as time does not depend on values. Seconds are medians over steps, of runs of all sizes in
turn: a single run of each says more of what the machine did meanwhile.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mpc_tamper.core.progress import Progress
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.studies.bench_networks import FIRST_STEP
from mpc_tamper.studies.bench_svm import iteration_seconds, quartiles
from mpc_tamper.workflows.training import train

Sizes = Mapping[str, int]

SVM: Sizes = {"rows": 12_665, "columns": 785}
NETWORK: Sizes = {"rows": 2_560, "columns": 785, "hidden": 32, "batch_size": 128}
CLASSES = 10
ITERATIONS = 14
TURNS = 3


def bench_scaling(engine: Engine, *, progress: Progress) -> list[dict[str, Any]]:
    """For each size, twice as much of it over the model's usual sizes. The rows of a network are those of its epoch,
    whose seconds are compared; else it is those of a step. JSON types."""
    found = []
    for model, sizes in (("linear_svm", SVM), ("mlp", NETWORK)):
        points = {"": sizes, **{name: {**sizes, name: 2 * sizes[name]} for name in sizes}}
        seconds: dict[str, list[float]] = {name: [] for name in points}
        for _ in range(TURNS):
            for name, each in points.items():
                progress(f"scaling: {model}, " + ", ".join(f"{key} {value:,}" for key, value in each.items()))
                seconds[name] += _seconds(engine, model, each)
        base = seconds.pop("")
        for name, times in seconds.items():
            of_epoch = model == "mlp" and name == "rows"
            steps = [points[which]["rows"] // points[which]["batch_size"] if of_epoch else 1 for which in ("", name)]
            before, after = statistics.median(base) * steps[0], statistics.median(times) * steps[1]
            found.append(
                {
                    "model": model,
                    "what": name,
                    "sizes": [dict(sizes), dict(points[name])],
                    "seconds": [before, after],
                    "step_quartiles": [quartiles(base), quartiles(times)],
                    "ratio": after / before,
                }
            )
    return found


def _seconds(engine: Engine, model: str, sizes: Sizes) -> list[float]:
    """Of steps."""
    if model == "linear_svm":
        task, parameters = random_task(sizes["rows"], sizes["columns"] - 1, 2), replace(PLAIN, iterations=ITERATIONS)
        return iteration_seconds(train(task, parameters, engine=engine).run)
    task = random_task(sizes["rows"], sizes["columns"] - 1, CLASSES)
    network = MlpParameters(hidden=sizes["hidden"], batch_size=sizes["batch_size"], epochs=1)
    run = train(task, network, model=get_model(model), engine=engine).run
    return iteration_seconds(run, FIRST_STEP)


def random_task(rows: int, pixels: int, classes: int) -> Task:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (rows, pixels), np.uint8)
    y = (np.arange(rows) % classes).astype(np.uint8)
    names = tuple(map(str, range(classes)))
    return Task("random", x, y, x[:classes], y[:classes], (1, pixels), names, "random pixels", sha256="")
