"""What three ways to a model cost: train passively and hope, train passively and verify actively, or train actively.

Each run is svm_train.mpc or svm_verify.mpc (with handoff.mpc before it where shares change protocol) on MNIST 0/1, on
loopback. Predictions for other networks come from model.py, and some are checked by runs through engines/relay.py.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.report.costs import COSTS_JSON, write_report
from mpc_tamper.runs.network import LAN, WAN, Network
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.studies.costs.model import predict
from mpc_tamper.studies.environment import environment
from mpc_tamper.workflows.training import train
from mpc_tamper.workflows.verification import verify

DATASET = "mnist_0_1"
THRESHOLD = AccuracyThreshold(0.5)  # the cost does not depend on it
NETWORKS = (LAN, WAN)
SECRET_OWNER = 0
_FEW_ROWS = 100
_NO_LIMIT = 1000  # verdicts on a model that nobody will use
_ENOUGH_SECONDS = 4.0  # for one measurement, its start-up included: long runs are not repeated
_TIMEOUT_SECONDS = 300.0

PROTOCOLS = (
    ProtocolName.RING,
    ProtocolName.MAL_REP_RING,
    ProtocolName.PS_REP_RING,
    ProtocolName.SY_REP_RING,
    ProtocolName.SHAMIR,
    ProtocolName.MAL_SHAMIR,
)


@dataclass(frozen=True)
class Grid:
    """Sizes to measure: each of `iterations` on the most rows, and each of `rows` with the most iterations.

    protocols: None for all that the engine has.  examples: of a verification, at most the test images there are.
    repeats: the most runs to take a median of.
    """

    rows: tuple[int, ...]
    iterations: tuple[int, ...]
    examples: int
    protocols: frozenset[ProtocolName] | None = None
    repeats: int = 3

    def __post_init__(self) -> None:
        if min((*self.rows, *self.iterations, self.examples), default=0) < 1:
            raise ParameterError(f"expected rows, iterations and examples from 1, got {self}")

    def sizes(self) -> list[tuple[int, int]]:
        most, longest = max(self.rows), max(self.iterations)
        points = [(most, t) for t in self.iterations] + [(m, longest) for m in self.rows]
        return sorted(dict.fromkeys(points))


SMALL = Grid(rows=(300, 1000), iterations=(1, 3), examples=200)
_MP_SPDZ_FAST = frozenset({ProtocolName.RING, ProtocolName.SY_REP_RING})
GRIDS: Mapping[EngineName, tuple[Grid, ...]] = MappingProxyType(
    {
        EngineName.REP3: (Grid(rows=(1000, 4000, 12_665), iterations=(10, 30, 100), examples=2115),),
        EngineName.MP_SPDZ: (SMALL, Grid(rows=(12_665,), iterations=(10,), examples=200, protocols=_MP_SPDZ_FAST)),
    }
)
QUICK = Grid(rows=(100, 300), iterations=(1, 3), examples=50, repeats=1)
CHECKS: Mapping[EngineName, Grid] = MappingProxyType(  # through the relay
    {
        EngineName.REP3: Grid(rows=(500,), iterations=(5,), examples=100, repeats=1),
        EngineName.MP_SPDZ: Grid(rows=(100,), iterations=(3,), examples=20, repeats=1),
    }
)


@dataclass(frozen=True)
class Measured:
    """What a phase, train or verify, cost on loopback: seconds a median of `repeats` runs, bytes and rounds of one.

    rows: of the training data, or the number of examples.  examples: public or secret, in a verification.
    common_rounds: of the party that counts fewest. What others count beyond that goes one way, as inputs do, and such a
    round does not wait for the one before. The smallest count says how often all parties wait for each other.
    """

    engine: EngineName
    protocol: ProtocolName
    phase: str
    rows: int
    columns: int
    iterations: int | None
    examples: str | None
    seconds: float = 0.0
    bytes_per_party: int = 0
    rounds: int = 0
    common_rounds: int = 0
    repeats: int = 0

    def record(self) -> dict[str, Any]:
        """active: whether the protocol is secure against a corrupt party."""
        predicted = {network.name: self.on(network) for network in NETWORKS}
        return asdict(self) | {"active": self.protocol.active, "predicted_seconds": predicted}

    def on(self, network: Network) -> float:
        return predict(network, seconds=self.seconds, bytes_per_party=self.bytes_per_party, rounds=self.common_rounds)


def costs(
    engines: Sequence[Engine],
    out: Path,
    *,
    grid: Grid | None = None,
    check: bool = True,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure, write costs.json, .md and .png to `out`, and return the record.

    grid: the same sizes for every engine and protocol, instead of GRIDS.  check: whether to hold the cost model
    against runs through the relay.
    """
    for engine in engines:
        if engine.name not in GRIDS:
            raise ParameterError(f"expected engines {' and '.join(GRIDS)}, got {engine.name}, whose costs mean nothing")
    check_folder(out)
    task = load_task(DATASET)
    measured: list[Measured] = []
    for engine in engines:
        for sizes in (grid,) if grid is not None else _grids(engine, engines):
            measured += _measure_grid(engine, task, sizes, progress)
    unique = list({(m.engine, m.protocol, m.phase, m.rows, m.iterations, m.examples): m for m in measured}.values())
    record = {
        "dataset": DATASET,
        "columns": task.x_train.shape[1] + 1,
        "networks": [asdict(network) for network in NETWORKS],
        "model": "common_rounds * latency_seconds + 8 * bytes_per_party / bits_per_second + seconds on loopback",
        "runs": [m.record() for m in unique],
        "ratios": list(_ratios(unique)),
        "checks": [row for engine in engines if check for row in _checks(engine, task, progress)],
        "environment": environment(),
    }
    write_atomically(out / COSTS_JSON, json.dumps(record, indent=2) + "\n", public=True)
    write_report(out)
    return record


def _grids(engine: Engine, engines: Sequence[Engine]) -> list[Grid]:
    """The engine's own, and the small size at which all engines of a run are compared."""
    return list(dict.fromkeys([*GRIDS[engine.name], *([SMALL] if len(engines) > 1 else [])]))


def _measure_grid(engine: Engine, task: Task, grid: Grid, progress: Progress) -> Iterator[Measured]:
    wanted = [p for p in PROTOCOLS if p in engine.protocols and (grid.protocols is None or p in grid.protocols)]
    rows = tuple(min(m, len(task.x_train)) for m in grid.rows)
    missing: set[ProtocolName] = set()
    sizes = replace(grid, rows=rows).sizes()
    for (m, t), protocol in itertools.product(sizes, wanted):  # of one size one after the other: the machine drifts
        if protocol in missing:
            continue
        progress(f"{engine.name} {protocol}: training, {m:,} rows, {t} iterations")
        try:
            yield _measure_training(engine, protocol, _first_rows(task, m), t, grid.repeats)
        except EngineUnavailable as reason:
            progress(f"left out: {reason}")
            missing.add(protocol)
    for protocol in _verifying([p for p in wanted if p not in missing]):
        count = min(grid.examples, len(task.x_test))
        progress(f"{engine.name} {protocol}: verification, {count:,} examples, public and secret")
        try:
            with _model(engine, protocol, task) as shares:
                yield from _measure_verifications(engine, protocol, shares, task, count, grid.repeats)
        except EngineUnavailable as reason:
            progress(f"left out: {reason}")


def _verifying(protocols: Sequence[ProtocolName]) -> list[ProtocolName]:
    """The active protocols whose basis is there too or, where there is none, the passive ones, as a lower bound."""
    active = [p for p in protocols if p.active and p.basis in protocols]
    return active or [p for p in protocols if not p.active]


def _measure_training(engine: Engine, protocol: ProtocolName, task: Task, iterations: int, repeats: int) -> Measured:
    def run() -> list[RunResult]:
        with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
            return [_train(engine, protocol, task, iterations, Path(folder, "train"))]

    rows, pixels = task.x_train.shape
    return _median(run, repeats, Measured(engine.name, protocol, "train", rows, pixels + 1, iterations, None))


@contextlib.contextmanager
def _model(engine: Engine, protocol: ProtocolName, task: Task) -> Iterator[Path]:
    """Shares that the protocol can verify: from few rows, as the cost of that does not depend on the model."""
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        shares = Path(folder, "train")
        _train(engine, protocol.basis, _first_rows(task, _FEW_ROWS), 1, shares)
        yield shares


def _measure_verifications(
    engine: Engine, protocol: ProtocolName, shares: Path, task: Task, examples: int, repeats: int
) -> Iterator[Measured]:
    """With public and with secret examples, including the conversion of shares where the protocol needs one."""
    chosen = np.linspace(0, len(task.x_test) - 1, examples).astype(int)
    x, y = task.x_test[chosen], task.y_test[chosen]
    for kind, owner in (("public", None), ("secret", SECRET_OWNER)):

        def run(owner: int | None = owner) -> Sequence[RunResult]:
            return verify(
                shares,
                x,
                y,
                THRESHOLD,
                engine=engine,
                protocol=protocol,
                secret_owner=owner,
                timeout_seconds=_TIMEOUT_SECONDS,
                max_verdicts=_NO_LIMIT,
                insecure_passive=not protocol.active,
            ).runs

        what = Measured(engine.name, protocol, "verify", examples, x.shape[1] + 1, None, kind)
        yield _median(run, repeats, what)


def _train(engine: Engine, protocol: ProtocolName, task: Task, iterations: int, run_dir: Path) -> RunResult:
    """In the layout that is faster on the engine."""
    layout = Layout.BOTH if engine.capabilities.stores_transpose else Layout.ROWS
    parameters = replace(PLAIN, iterations=iterations)
    return train(task, parameters, engine=engine, run_dir=run_dir, protocol=protocol, layout=layout).run


def _median(run: Callable[[], Sequence[RunResult]], repeats: int, what: Measured) -> Measured:
    """The median of a few runs, or a single run where it is long. The runs that `run` returns follow one another."""
    began = time.monotonic()
    runs = run()
    seconds = [sum(r.seconds for r in runs)]
    while len(seconds) < repeats and time.monotonic() - began < _ENOUGH_SECONDS:
        runs = run()
        seconds.append(sum(r.seconds for r in runs))
    return replace(
        what,
        seconds=statistics.median(seconds),
        bytes_per_party=sum(r.bytes_per_party for r in runs),
        rounds=sum(r.rounds for r in runs),
        common_rounds=sum(min(party.cost.rounds for party in r.parties) for r in runs),
        repeats=len(seconds),
    )


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
            _measure_training(over, protocol, _first_rows(task, rows), iterations, size.repeats),
            *_measure_verifications(over, protocol, shares, task, size.examples, size.repeats),
        ]

    for protocol in (p for p in PROTOCOLS if p in engine.protocols):
        with contextlib.ExitStack() as stack:
            progress(f"{engine.name} {protocol}: small runs, to be repeated through delaying relays")
            try:
                shares = stack.enter_context(_model(engine, protocol, task))
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


def _first_rows(task: Task, rows: int) -> Task:
    return replace(task, x_train=task.x_train[:rows], y_train=task.y_train[:rows])
