"""One phase of one way to a model, measured: a training or a verification of some size, under one protocol."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ParameterError
from mpc_tamper.core.progress import Progress
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.runs.network import LAN, WAN, Network
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.studies.costs.model import predict
from mpc_tamper.workflows.training import train
from mpc_tamper.workflows.verdicts import NO_LIMIT
from mpc_tamper.workflows.verification import verify

DATASET = "mnist_0_1"
THRESHOLD = AccuracyThreshold(0.5)  # the cost does not depend on it
NETWORKS = (LAN, WAN)
SECRET_OWNER = 0
_FEW_ROWS = 100
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


def check_engines(engines: Sequence[Engine]) -> None:
    """Raises ParameterError for an engine without parties."""
    for engine in engines:
        if engine.name not in GRIDS:
            raise ParameterError(f"expected engines {' and '.join(GRIDS)}, got {engine.name}, whose costs mean nothing")


def grids(engine: Engine, engines: Sequence[Engine]) -> list[Grid]:
    """The engine's own, and the small size at which all engines of a run are compared."""
    return list(dict.fromkeys([*GRIDS[engine.name], *([SMALL] if len(engines) > 1 else [])]))


def protocols_of(engine: Engine, grid: Grid) -> list[ProtocolName]:
    """Those that the engine has and the grid asks for."""
    return [p for p in PROTOCOLS if p in engine.protocols and (grid.protocols is None or p in grid.protocols)]


def measure_grid(engine: Engine, task: Task, grid: Grid, progress: Progress) -> Iterator[Measured]:
    """Trainings, then verifications. Protocols that the engine's installation lacks are left out."""
    wanted = protocols_of(engine, grid)
    rows = tuple(min(m, len(task.x_train)) for m in grid.rows)
    missing: set[ProtocolName] = set()
    sizes = replace(grid, rows=rows).sizes()
    for (m, t), protocol in itertools.product(sizes, wanted):  # of one size one after the other: the machine drifts
        if protocol in missing:
            continue
        progress(f"{engine.name} {protocol}: training, {m:,} rows, {t} iterations")
        try:
            yield measure_training(engine, protocol, first_rows_of(task, m), t, grid.repeats)
        except EngineUnavailable as reason:
            progress(f"left out: {reason}")
            missing.add(protocol)
    for protocol in verifying([p for p in wanted if p not in missing]):
        count = min(grid.examples, len(task.x_test))
        progress(f"{engine.name} {protocol}: verification, {count:,} examples, public and secret")
        try:
            with model_shares(engine, protocol, task) as shares:
                yield from measure_verifications(engine, protocol, shares, task, count, grid.repeats)
        except EngineUnavailable as reason:
            progress(f"left out: {reason}")


def verifying(protocols: Sequence[ProtocolName]) -> list[ProtocolName]:
    """The active protocols whose basis is there too or, where there is none, the passive ones, as a lower bound."""
    active = [p for p in protocols if p.active and p.basis in protocols]
    return active or [p for p in protocols if not p.active]


def measure_training(engine: Engine, protocol: ProtocolName, task: Task, iterations: int, repeats: int) -> Measured:
    """On all rows of the task."""

    def run() -> list[RunResult]:
        with TemporaryFolder() as folder:
            return [_train(engine, protocol, task, iterations, Path(folder, "train"))]

    rows, pixels = task.x_train.shape
    return _median(run, repeats, Measured(engine.name, protocol, "train", rows, pixels + 1, iterations, None))


@contextlib.contextmanager
def model_shares(engine: Engine, protocol: ProtocolName, task: Task) -> Iterator[Path]:
    """Shares that the protocol can verify: from few rows, as the cost of that does not depend on the model."""
    with TemporaryFolder() as folder:
        shares = Path(folder, "train")
        _train(engine, protocol.basis, first_rows_of(task, _FEW_ROWS), 1, shares)
        yield shares


def measure_verifications(
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
                max_verdicts=NO_LIMIT,
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


def first_rows_of(task: Task, rows: int) -> Task:
    """All test images stay."""
    return replace(task, x_train=task.x_train[:rows], y_train=task.y_train[:rows])
