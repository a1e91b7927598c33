"""What three ways to a model cost: train passively and hope, train passively and verify actively, or train actively.

Each run is svm_train.mpc or svm_verify.mpc (with handoff.mpc before it where shares change protocol) on MNIST 0/1, on
loopback. Predictions for other networks come from model.py, and some are checked by runs through engines/relay.py.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.records.costs import COSTS
from mpc_tamper.report.costs import COSTS_JSON, write_report
from mpc_tamper.runs.network import Network
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.studies.costs.measure import (
    CHECKS,
    DATASET,
    NETWORKS,
    PROTOCOLS,
    Grid,
    Measured,
    check_engines,
    first_rows_of,
    grids,
    measure_grid,
    measure_training,
    measure_verifications,
    model_shares,
)
from mpc_tamper.studies.environment import environment


def costs(
    engines: Sequence[Engine],
    out: Path,
    *,
    grid: Grid | None = None,
    check: bool = True,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure, write costs.json, .md and .png to `out`, and return the record.

    grid: the same sizes for every engine and protocol, instead of GRIDS.  check: whether to hold the cost model
    against runs through the relay.  configuration: for the record, the options of the command that asked for this.
    """
    check_engines(engines)
    check_folder(out)
    task = load_task(DATASET)
    measured: list[Measured] = []
    for engine in engines:
        for sizes in (grid,) if grid is not None else grids(engine, engines):
            measured += measure_grid(engine, task, sizes, progress)
    unique = list({(m.engine, m.protocol, m.phase, m.rows, m.iterations, m.examples): m for m in measured}.values())
    record = {
        "dataset": DATASET,
        "columns": task.x_train.shape[1] + 1,
        "networks": [asdict(network) for network in NETWORKS],
        "model": "common_rounds * latency_seconds + 8 * bytes_per_party / bits_per_second + seconds on loopback",
        "runs": [m.record() for m in unique],
        "ratios": list(_ratios(unique)),
        "checks": [row for engine in engines if check for row in _checks(engine, task, progress)],
        "configuration": configuration,
        "environment": environment(),
    }
    record = COSTS.write(out / COSTS_JSON, record, indent=2)
    write_report(out)
    return record


def _ratios(measured: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    """Per engine, active protocol and size: what the paper argues about, in each quantity.

    active_over_passive: of training.  verified_over_active: passive training and active verification, to active
    training, by what the examples are.
    """
    for active in measured:
        basis = active.protocol.basis
        if active.phase != "train" or not active.protocol.active:
            continue
        passive = _find(measured, active, protocol=basis)
        checks = {kind: _most_examples(measured, active, kind) for kind in ("public", "secret")}
        if passive is None:
            continue
        yield {
            "engine": active.engine,
            "protocol": active.protocol,
            "passive_protocol": basis,
            "rows": active.rows,
            "iterations": active.iterations,
            "examples": {kind: check.rows for kind, check in checks.items() if check is not None},
            "active_over_passive": _quotients(active, [passive]),
            "verified_over_active": {
                kind: {name: 1 / q for name, q in _quotients(active, [passive, check]).items()}
                for kind, check in checks.items()
                if check is not None
            },
        }


def _find(measured: Sequence[Measured], like: Measured, *, protocol: ProtocolName) -> Measured | None:
    key = (like.engine, protocol, like.phase, like.rows, like.iterations)
    return next((m for m in measured if (m.engine, m.protocol, m.phase, m.rows, m.iterations) == key), None)


def _most_examples(measured: Sequence[Measured], like: Measured, kind: str) -> Measured | None:
    """The largest verification under the same protocol."""
    found = [m for m in measured if (m.engine, m.protocol, m.examples) == (like.engine, like.protocol, kind)]
    return max(found, key=lambda m: m.rows, default=None)


def _quotients(one: Measured, others: Sequence[Measured]) -> dict[str, float]:
    """One to the sum of the others."""
    quantities: dict[str, Callable[[Measured], float]] = {
        "seconds": lambda m: m.seconds,
        "bytes": lambda m: m.bytes_per_party,
        "rounds": lambda m: m.rounds,
    }
    quantities |= {network.name: functools.partial(Measured.on, network=network) for network in NETWORKS}
    return {name: of(one) / sum(of(other) for other in others) for name, of in quantities.items()}


def _checks(engine: Engine, task: Task, progress: Progress) -> Iterator[dict[str, Any]]:
    """The model against runs through the relay; all three parties, and the relay, on this machine."""
    size = CHECKS[engine.name]
    (rows,), (iterations,) = size.rows, size.iterations

    def measure(over: Engine, protocol: ProtocolName, shares: Path) -> list[Measured]:
        return [
            measure_training(over, protocol, first_rows_of(task, rows), iterations, size.repeats),
            *measure_verifications(over, protocol, shares, task, size.examples, size.repeats),
        ]

    for protocol in (p for p in PROTOCOLS if p in engine.protocols):
        with contextlib.ExitStack() as stack:
            progress(f"{engine.name} {protocol}: small runs, to be repeated through delaying relays")
            try:
                shares = stack.enter_context(model_shares(engine, protocol, task))
                here = measure(engine, protocol, shares)
            except EngineUnavailable:
                continue  # said so before
            for network in NETWORKS:
                progress(f"{engine.name} {protocol}: the same through a {network.name}")
                there = measure(engine.over(network), protocol, shares)
                yield from (_comparison(near, far, network) for near, far in zip(here, there, strict=True))


def _comparison(near: Measured, far: Measured, network: Network) -> dict[str, Any]:
    return {
        "engine": near.engine,
        "protocol": near.protocol,
        "phase": near.phase,
        "rows": near.rows,
        "iterations": near.iterations,
        "examples": near.examples,
        "active": near.protocol.active,
        "network": network.name,
        "predicted_seconds": near.on(network),
        "measured_seconds": far.seconds,
        "measured_over_predicted": far.seconds / near.on(network),
    }
