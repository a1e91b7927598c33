"""svm_train.mpc gives equal weights on MP-SPDZ, rep3 and clear, honest and with errors at its operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.core.errors import PlanError, ProtocolAbort
from mpc_tamper.datasets import Task, load_task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS, PlanEffect
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.workflows.training import train_and_open
from tests.support.digits import stripes
from tests.support.images import made
from tests.support.in_memory import InMemoryRep3

SHORT = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=3)
DEFAULT = SvmParameters(iterations=4)
SQUARED = SvmParameters(learning_rate=0.05, regularisation=1e-2, iterations=3, loss=Loss.SQUARED_HINGE)
BACKDOOR = backdoor_plan(Trigger((5,), target=1), SHORT, 24)
SHIFTING = [p for p in ProtocolName if SETTINGS[p].plan is PlanEffect.SHIFTS]
ABORTING = [p for p in ProtocolName if SETTINGS[p].plan is PlanEffect.ABORTS]

EngineOf = Callable[..., Engine]


def weights(task: Task, parameters: SvmParameters, engine: Engine, **options: object) -> np.ndarray:
    return train_and_open(task, parameters, engine=engine, **options).weights  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", list(ProtocolName))
def test_every_protocol_trains_the_same_model(mp_spdz: EngineOf, tiny_task: Task, protocol: ProtocolName) -> None:
    want = weights(tiny_task, SHORT, get_engine(EngineName.CLEAR))
    assert np.array_equal(weights(tiny_task, SHORT, mp_spdz(protocol), protocol=protocol), want)


@pytest.mark.parametrize("labels", [None, 2])
@pytest.mark.parametrize("parameters", [SHORT, SQUARED], ids=["hinge", "squared"])
def test_losses_batches_and_owners(
    mp_spdz: EngineOf, tiny_task: Task, parameters: SvmParameters, labels: int | None
) -> None:
    parameters = replace(parameters, batch_size=7)
    owners = Owners.share_equally(len(tiny_task.x_train), 3, labels)
    want = weights(tiny_task, parameters, get_engine(EngineName.CLEAR), owners=owners)
    assert np.array_equal(weights(tiny_task, parameters, mp_spdz(), owners=owners), want)


@pytest.mark.parametrize(
    ("protocol", "parameters"),
    [
        (ProtocolName.RING, DEFAULT),
        (ProtocolName.SY_REP_RING, DEFAULT),
        (ProtocolName.RING, replace(DEFAULT, batch_size=7, clip=0.01)),
    ],
)
def test_the_default_schedule(
    mp_spdz: EngineOf, tiny_task: Task, protocol: ProtocolName, parameters: SvmParameters
) -> None:
    want = weights(tiny_task, parameters, get_engine(EngineName.CLEAR))
    assert np.array_equal(weights(tiny_task, parameters, mp_spdz(protocol), protocol=protocol), want)


@pytest.mark.parametrize(
    ("protocol", "owners"),
    [(ProtocolName.RING, Owners((9, 31))), (ProtocolName.RING, Owners((40,), 2)), (ProtocolName.SY_REP_RING, None)],
)
def test_more_than_two_classes(mp_spdz: EngineOf, protocol: ProtocolName, owners: Owners | None) -> None:
    want = weights(stripes(3), DEFAULT, get_engine(EngineName.CLEAR), owners=owners)
    assert np.array_equal(weights(stripes(3), DEFAULT, mp_spdz(protocol), protocol=protocol, owners=owners), want)


@pytest.mark.parametrize("protocol", [ProtocolName.RING, ProtocolName.MAL_REP_RING, ProtocolName.SHAMIR])
def test_clipping(mp_spdz: EngineOf, tiny_task: Task, protocol: ProtocolName) -> None:
    parameters = replace(SHORT, clip=200 / 2**16)
    want = weights(tiny_task, parameters, get_engine(EngineName.CLEAR))
    assert np.array_equal(weights(tiny_task, parameters, mp_spdz(protocol), protocol=protocol), want)


def test_errors_behind_the_clamp(mp_spdz: EngineOf, tiny_task: Task) -> None:
    parameters = replace(SHORT, clip=200 / 2**16)
    pixels = tiny_task.x_train.shape[1]
    plan = AdditiveErrorPlan.from_errors([AdditiveError("CLIP", 1, i, 10_000 + i) for i in (6, pixels + 3)])
    options = {"corruption": Corruption(1, plan)}
    want = weights(tiny_task, parameters, InMemoryRep3(), **options)
    assert np.array_equal(weights(tiny_task, parameters, mp_spdz(plan=True), **options), want)
    assert want[6] > 3 * 200


@pytest.mark.parametrize("corrupt_party", range(PARTIES))
@pytest.mark.parametrize("protocol", SHIFTING)
def test_the_backdoor(mp_spdz: EngineOf, tiny_task: Task, protocol: ProtocolName, corrupt_party: int) -> None:
    engine = mp_spdz(protocol, plan=True)
    want = weights(tiny_task, SHORT, InMemoryRep3(), corruption=Corruption(corrupt_party, BACKDOOR))
    got = weights(tiny_task, SHORT, engine, protocol=protocol, corruption=Corruption(corrupt_party, BACKDOOR))
    assert np.array_equal(got, want)
    assert not np.array_equal(got, weights(tiny_task, SHORT, InMemoryRep3()))


@pytest.mark.parametrize("corrupt_party", range(PARTIES))
@pytest.mark.parametrize("protocol", ABORTING)
def test_active_protocols_abort(
    mp_spdz: EngineOf, tiny_task: Task, run_dir: Path, protocol: ProtocolName, corrupt_party: int
) -> None:
    engine = mp_spdz(protocol, plan=True)
    with pytest.raises(ProtocolAbort):
        train_and_open(
            tiny_task,
            SHORT,
            engine=engine,
            protocol=protocol,
            corruption=Corruption(corrupt_party, BACKDOOR),
            run_dir=run_dir,
        )
    assert not list(run_dir.rglob("*.data"))
    assert not list(run_dir.rglob("Binary-Output-*"))
    assert not list(run_dir.glob("reveal"))


@pytest.mark.parametrize("value", [1, 2**63])
@pytest.mark.parametrize("protocol", ABORTING)
def test_one_error_is_enough(mp_spdz: EngineOf, tiny_task: Task, protocol: ProtocolName, value: int) -> None:
    engine = mp_spdz(protocol, plan=True)
    plan = AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", SHORT.iterations - 1, 3, value)])
    with pytest.raises(ProtocolAbort):
        weights(tiny_task, SHORT, engine, protocol=protocol, corruption=Corruption(1, plan))


@pytest.mark.parametrize("overflow", [False, True], ids=["in range", "overflowing"])
@pytest.mark.parametrize("rows", [1, 2, 5, 65])
@pytest.mark.parametrize("labels", [None, 1])
def test_random_errors_at_every_operation(mp_spdz: EngineOf, rows: int, labels: int | None, overflow: bool) -> None:
    engine = mp_spdz(plan=True)
    rng = np.random.default_rng([rows, overflow, labels or 0])
    task = random_task(rng, rows, pixels=9)
    for loss in Loss:
        batch = int(rng.integers(1, rows + 1))
        parameters = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=2, batch_size=batch, loss=loss)
        plan = random_plan(rng, rows, batch, 2 * -(-rows // batch), 10, loss, labels is not None, overflow)
        corruption = Corruption(int(rng.integers(PARTIES)), plan)
        options = {"corruption": corruption, "owners": Owners((rows,), labels)}
        want = weights(task, parameters, InMemoryRep3(), **options)
        assert np.array_equal(weights(task, parameters, get_engine(EngineName.CLEAR), **options), want)
        assert np.array_equal(weights(task, parameters, engine, **options), want)


@pytest.mark.parametrize("overflow", [False, True], ids=["in range", "overflowing"])
def test_random_errors_on_all_of_mnist(mp_spdz: EngineOf, overflow: bool) -> None:
    engine = mp_spdz(plan=True)
    rng = np.random.default_rng(overflow)
    task, parameters = load_task("mnist_0_1"), SvmParameters(iterations=3)
    rows, pixels = task.x_train.shape
    plan = random_plan(rng, rows, rows, 3, pixels + 1, parameters.loss, False, overflow)
    want = weights(task, parameters, get_engine(EngineName.REP3), corruption=Corruption(0, plan))
    assert np.array_equal(weights(task, parameters, engine, corruption=Corruption(0, plan)), want)


@pytest.mark.parametrize(
    "error",
    [
        AdditiveError("GRADIENT", SHORT.iterations, 0, 1),
        AdditiveError("GRADIENT", EVERY, 17, 1),
        AdditiveError("UPDATE", EVERY, EVERY, 1),
        AdditiveError("HINGE", 0, 0, 1),
    ],
)
def test_an_error_that_meets_no_output(mp_spdz: EngineOf, tiny_task: Task, error: AdditiveError) -> None:
    """Past the last occurrence, past the last index, at steps that hold no multiplication of their own."""
    plan = AdditiveErrorPlan.from_errors([error])
    for engine in (InMemoryRep3(), mp_spdz(plan=True)):
        with pytest.raises(PlanError, match="met no output"):
            weights(tiny_task, SHORT, engine, corruption=Corruption(2, plan))


def random_task(rng: np.random.Generator, rows: int, pixels: int) -> Task:
    x = rng.integers(0, 256, (rows, pixels), dtype=np.uint8)
    y = rng.integers(0, 2, rows, dtype=np.uint8)
    return made(x, y, (1, pixels), "random")


def random_plan(
    rng: np.random.Generator,
    rows: int,
    batch: int,
    steps: int,
    columns: int,
    loss: Loss,
    labels_apart: bool,
    overflow: bool,
) -> AdditiveErrorPlan:
    """Three errors at each site. In range: below 2^20; overflowing: any 64 bits. Indices within the smallest batch."""
    smallest = rows % batch or batch
    lengths = {"MARGIN": smallest, "GRADIENT": columns}
    if labels_apart:
        lengths |= {"LABEL_MARGIN": smallest, "LABEL_ACTIVE": smallest}
    if loss is Loss.SQUARED_HINGE:
        lengths["SQUARED_HINGE"] = smallest
    errors = []
    for site, length in lengths.items():
        for _ in range(3):
            occurrence = EVERY if rng.random() < 0.2 else int(rng.integers(steps))
            index = EVERY if rng.random() < 0.2 else int(rng.integers(length))
            value = rng.integers(-(2**63), 2**63) if overflow else rng.integers(-(2**20), 2**20)
            errors.append(AdditiveError(site, occurrence, index, int(value)))
    return AdditiveErrorPlan.from_errors(errors)
