"""What a step of the network's training costs on rep3, passively and actively, against MP-SPDZ, in one run.

Ten-class MNIST, batches of 128 rows, for narrow and wide networks. Seconds of a step are medians.
"""

from __future__ import annotations

import statistics
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
from mpc_tamper.workflows.training import train

DATASET = "mnist_10"
ROWS, EPOCHS = 2_560, 2
WIDTHS = (32, 128)
_FIRST_STEP = "HIDDEN"
_WARM_UP = 2  # steps that are left out: caches and connections settle
_ACTIVE = ProtocolName.MAL_REP_RING


def bench_networks(engine: Engine, *, reference: Engine | None = None, progress: Progress = silent) -> dict[str, Any]:
    """engine: rep3.  reference: MP-SPDZ, or None to leave it out.  Returns JSON types."""
    task = first_rows(load_task(DATASET), ROWS)
    networks = [_network(engine, reference, task, hidden, progress) for hidden in WIDTHS]
    return {"dataset": task.name, "rows": ROWS, "epochs": EPOCHS, "batch_size": 128, "networks": networks}


def _network(engine: Engine, reference: Engine | None, task: Task, hidden: int, progress: Progress) -> dict[str, Any]:
    parameters = MlpParameters(hidden=hidden, epochs=EPOCHS)
    runs = {str(engine.name): (engine, ProtocolName.RING)}
    if _ACTIVE in engine.protocols:
        runs["active"] = (engine, _ACTIVE)
    if reference is not None:
        runs["mp_spdz"] = (reference, ProtocolName.RING)
    found = {}
    for name, (runs_on, protocol) in runs.items():
        progress(f"network of {hidden} neurons, {runs_on.name} {protocol}")
        run = train(task, parameters, model=get_model("mlp"), engine=runs_on, protocol=protocol).run
        found[name] = _costs(run)
    pairs = {"active_over_passive": ("active", str(engine.name)), "rep3_over_mp_spdz": (str(engine.name), "mp_spdz")}
    ratios = {
        f"{name}_{key}": found[over][key] / found[under][key]
        for name, (over, under) in pairs.items()
        if over in found and under in found
        for key in ("seconds", "step_seconds", "bytes_per_party")
    }
    return {"hidden": hidden, "runs": found, "ratios": ratios}


def _costs(run: RunResult) -> dict[str, float | int]:
    """Of the whole training, inputs included, and of a step, at the party for which it took longest."""
    starts = [[s.start for s in party.steps if s.site == _FIRST_STEP][_WARM_UP:] for party in run.parties]
    steps = [max(later) for later in zip(*(np.diff(party).tolist() for party in starts), strict=True)]
    return {
        "seconds": run.seconds,
        "step_seconds": statistics.median(steps),
        "bytes_per_party": run.bytes_per_party,
        "rounds": run.rounds,
        "peak_rss_bytes_per_party": max(party.peak_rss_bytes for party in run.parties),
    }
