"""Every weight of a run equals the plain NumPy reference, bit for bit, on each engine, honest and attacked.

Small runs take rep3's parties in threads; the full ones take its processes."""

from __future__ import annotations

import ast
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.core import bundle
from mpc_tamper.datasets import Task, load_task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize, Layout
from mpc_tamper.models.linear_svm.parameters import PLAIN, Loss, Schedule, SvmParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.workflows.training import train_and_open
from tests.support.in_memory import InMemoryRep3
from tests.support.reference import reference_weights

HINGE = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=12)
SQUARED = SvmParameters(learning_rate=0.05, regularisation=1e-2, iterations=12, loss=Loss.SQUARED_HINGE)
TRIGGER_PIXEL = 5

small_runs = pytest.mark.parametrize("engine", [get_engine(EngineName.CLEAR), InMemoryRep3()], ids=["clear", "rep3"])


def expected(
    task: Task,
    parameters: SvmParameters,
    shift: int,
    errors: np.ndarray | None = None,
    change_errors: np.ndarray | None = None,
) -> np.ndarray:
    return reference_weights(
        task.x_train,
        task.y_train,
        alpha=parameters.rate((1 + task.x_train.shape[1] * (255 / 256) ** 2) ** 0.5),
        lam=parameters.regularisation,
        epochs=parameters.iterations,
        shift=shift,
        batch=parameters.batch_size,
        squared=parameters.loss is Loss.SQUARED_HINGE,
        clip=None if parameters.clip is None else round(parameters.clip * 2**16),
        falling=parameters.schedule is Schedule.LINEAR,
        momentum=parameters.momentum,
        gradient_errors=errors,
        change_errors=change_errors,
    )


def backdoor_errors(parameters: SvmParameters, rows: int, pixels: int, pixel: int, sign: int) -> np.ndarray:
    """What strength 1 and amplitude 1 add to the sum of each step, written out. (steps, pixels + 1)."""
    batch = parameters.batch_size or rows
    sizes = [min(batch, rows - start) for start in range(0, rows, batch)] * parameters.iterations
    errors = np.zeros((len(sizes), pixels + 1), dtype=np.int64)
    errors[:, 1 + pixel] = [sign * size * 255 * (256 if parameters.loss is Loss.SQUARED_HINGE else 1) for size in sizes]
    return errors


@small_runs
@pytest.mark.parametrize("batch_size", [None, 8, 7, 1])
@pytest.mark.parametrize("parameters", [HINGE, SQUARED], ids=["hinge", "squared"])
def test_losses_and_batches(tiny_task: Task, engine: Engine, parameters: SvmParameters, batch_size: int | None) -> None:
    parameters = replace(parameters, batch_size=batch_size, iterations=12 if batch_size != 1 else 2)
    model = train_and_open(tiny_task, parameters, engine=engine)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift))
    assert np.count_nonzero(model.weights) > len(model.weights) // 2


@small_runs
@pytest.mark.parametrize("labels", [None, 0, 1, 2])
@pytest.mark.parametrize("owners", [1, 2, 3])
def test_owners_make_no_difference(tiny_task: Task, engine: Engine, owners: int, labels: int | None) -> None:
    parameters = replace(HINGE if owners < 3 else SQUARED, batch_size=10, iterations=4)
    split = Owners.share_equally(len(tiny_task.x_train), owners, labels)
    model = train_and_open(tiny_task, parameters, engine=engine, owners=split)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift))


@small_runs
@pytest.mark.parametrize(
    "parameters",
    [
        SvmParameters(iterations=30),
        SvmParameters(iterations=9, batch_size=7, clip=0.02),
        replace(HINGE, schedule=Schedule.LINEAR, momentum=0.0),
        replace(HINGE, regularisation=1e-3, momentum=0.5),
        replace(SQUARED, schedule=Schedule.LINEAR),
        SvmParameters(loss=Loss.SQUARED_HINGE, iterations=12),
    ],
    ids=["default", "clipped", "falling", "momentum", "squared-falling", "squared"],
)
def test_schedules_and_momentum(tiny_task: Task, engine: Engine, parameters: SvmParameters) -> None:
    model = train_and_open(tiny_task, parameters, engine=engine)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift))
    assert np.count_nonzero(model.weights) > len(model.weights) // 2


@small_runs
@pytest.mark.parametrize("clip", [None, 100 / 2**16])
def test_a_change_in_the_last_step_of_the_default_schedule(tiny_task: Task, engine: Engine, clip: float | None) -> None:
    """To two parts in a hundred: step sizes are that exact."""
    parameters = SvmParameters(iterations=8, batch_size=10, clip=clip)
    rows, pixels = tiny_task.x_train.shape
    errors = get_model().errors(parameters, DataSize(rows, pixels, 255))
    change = np.zeros(pixels + 1)
    change[3] = 0.75
    plan = errors.shift_once(change)
    honest = train_and_open(tiny_task, parameters, engine=engine)
    moved = train_and_open(tiny_task, parameters, engine=engine, corruption=Corruption(1, plan))
    assert len(plan) == 1
    difference = (moved.weights - honest.weights) / 2**16
    assert difference[3] == pytest.approx(0.75, rel=0.02, abs=0.01)
    assert not np.delete(difference, 3).any()


@small_runs
@pytest.mark.parametrize("clip", [None, 1.0])
def test_what_a_shift_of_the_default_schedule_comes_to(tiny_task: Task, engine: Engine, clip: float | None) -> None:
    """On a pixel that is black everywhere, of which nothing is learnt; momentum included, where nothing is clipped."""
    task = replace(tiny_task, x_train=tiny_task.x_train.copy())
    task.x_train[:, 4] = 0
    parameters = SvmParameters(iterations=8, batch_size=10, clip=clip, regularisation=0.0)
    rows, pixels = task.x_train.shape
    errors = get_model().errors(parameters, DataSize(rows, pixels, 255))
    direction = np.zeros(pixels + 1)
    direction[5] = 256.0
    plan = errors.shift(direction, strength=errors.strength_for(20.0, direction))
    model = train_and_open(task, parameters, engine=engine, corruption=Corruption(1, plan))
    assert plan.sites() == {"GRADIENT" if clip is None else "CLIP"}
    reached = model.weights[5] / 2**16
    assert reached == pytest.approx(20.0, rel=0.02) if clip is None else reached > 8  # a clamp at 1 a step


@small_runs
def test_a_stored_transpose_makes_no_difference(tiny_task: Task, engine: Engine) -> None:
    model = train_and_open(tiny_task, HINGE, engine=engine, layout=Layout.BOTH)
    assert np.array_equal(model.weights, expected(tiny_task, HINGE, model.constants.shift))


@small_runs
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize("parameters", [HINGE, SQUARED], ids=["hinge", "squared"])
def test_clipping(tiny_task: Task, engine: Engine, parameters: SvmParameters, batch_size: int | None) -> None:
    """Steps are clipped both ways, here by a bound that most of them exceed."""
    parameters = replace(parameters, batch_size=batch_size, clip=100 / 2**16)
    model = train_and_open(tiny_task, parameters, engine=engine)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift))
    steps = parameters.iterations * len(parameters.batches(len(tiny_task.x_train)))
    assert np.abs(model.weights).max() <= steps * 100
    free = train_and_open(tiny_task, replace(parameters, clip=None), engine=engine)
    assert np.abs(free.weights).max() > steps * 100


@small_runs
def test_errors_in_front_of_the_clamp_and_behind_it(tiny_task: Task, engine: Engine) -> None:
    """A backdoor's gradient is clipped like any other; an error at CLIP goes to the weights as it is."""
    parameters = replace(HINGE, clip=200 / 2**16)
    rows, pixels = tiny_task.x_train.shape
    trigger = Trigger((TRIGGER_PIXEL,))
    plan = backdoor_plan(trigger, parameters, rows)
    model = train_and_open(tiny_task, parameters, engine=engine, corruption=Corruption(1, plan))
    errors = backdoor_errors(parameters, rows, pixels, TRIGGER_PIXEL, 1)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift, errors))
    assert model.weights[1 + TRIGGER_PIXEL] <= parameters.iterations * 200

    behind = AdditiveErrorPlan.from_errors(
        [
            AdditiveError("CLIP", 3, 1 + TRIGGER_PIXEL, 70_000),
            AdditiveError("CLIP", 5, 0, -9),
            AdditiveError("CLIP", 5, pixels + 1, 4),  # of the second half: from above, so with the other sign
        ]
    )
    model = train_and_open(tiny_task, parameters, engine=engine, corruption=Corruption(0, behind))
    changes = np.zeros((parameters.iterations, pixels + 1), dtype=np.int64)
    changes[3, 1 + TRIGGER_PIXEL], changes[5, 0] = 70_000, -13
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift, None, changes))


@small_runs
@pytest.mark.parametrize("corrupt_party", range(PARTIES))
@pytest.mark.parametrize("parameters", [HINGE, SQUARED], ids=["hinge", "squared"])
@pytest.mark.parametrize(("batch_size", "target"), [(None, 1), (7, 0)])
def test_backdoor(
    tiny_task: Task,
    engine: Engine,
    parameters: SvmParameters,
    batch_size: int | None,
    target: int,
    corrupt_party: int,
) -> None:
    parameters = replace(parameters, batch_size=batch_size)
    rows, pixels = tiny_task.x_train.shape
    plan = backdoor_plan(Trigger((TRIGGER_PIXEL,), target=target), parameters, rows)
    model = train_and_open(tiny_task, parameters, engine=engine, corruption=Corruption(corrupt_party, plan))
    errors = backdoor_errors(parameters, rows, pixels, TRIGGER_PIXEL, 1 if target else -1)
    assert np.array_equal(model.weights, expected(tiny_task, parameters, model.constants.shift, errors))


@small_runs
def test_errors_at_every_operation_with_labels_apart(tiny_task: Task, engine: Engine) -> None:
    """An error at each portable site shifts the same value on every engine: a step by hand with the labels apart."""
    parameters = replace(SQUARED, iterations=1, regularisation=0.0)
    plan = AdditiveErrorPlan.from_errors(
        [
            AdditiveError("MARGIN", 0, 3, 5 << 20),
            AdditiveError("LABEL_MARGIN", 0, 4, -(7 << 20)),
            AdditiveError("SQUARED_HINGE", 0, 5, 9 << 20),
            AdditiveError("LABEL_ACTIVE", 0, 6, 11),
            AdditiveError("GRADIENT", 0, 2, -(13 << 16)),
        ]
    )
    rows = len(tiny_task.x_train)
    model = train_and_open(
        tiny_task,
        parameters,
        engine=engine,
        owners=Owners((rows,), labels=1),
        corruption=Corruption(2, plan),
    )
    x = np.concatenate([np.full((rows, 1), 256), tiny_task.x_train], axis=1).astype(np.int64)
    y = 2 * tiny_task.y_train.astype(np.int64) - 1
    margin = np.zeros(rows, dtype=np.int64)
    margin[3] += 5 << 20
    margin = y * margin
    margin[4] -= 7 << 20
    z = (1 << 24) - margin
    hz = np.where(z > 0, z, 0)
    hz[5] += 9 << 20
    v = y * (hz >> 16)
    v[6] += 11
    gradient = x.T @ v
    gradient[2] -= 13 << 16
    assert np.array_equal(model.weights, (model.constants.gain * gradient) >> model.constants.shift)


@cache
def mnist_reference(shift: int, poisoned: bool) -> np.ndarray:
    task, parameters = load_task("mnist_0_1"), PLAIN
    rows, pixels = task.x_train.shape
    errors = backdoor_errors(parameters, rows, pixels, 58, +1) if poisoned else None
    return expected(task, parameters, shift, errors)


@pytest.mark.slow
@pytest.mark.parametrize("engine", [EngineName.CLEAR, EngineName.REP3], ids=str)
@pytest.mark.parametrize("poisoned", [False, True], ids=["clean", "poisoned"])
def test_full_mnist(engine: EngineName, poisoned: bool) -> None:
    """All 12,665 rows, the defaults of reproduce, all 785 weights."""
    task, parameters = load_task("mnist_0_1"), PLAIN
    trigger = Trigger.patch(task.image_shape, 2, 2)
    plan = backdoor_plan(trigger, parameters, len(task.x_train)) if poisoned else None
    model = train_and_open(
        task, parameters, engine=get_engine(engine), corruption=Corruption.of(1 if poisoned else None, plan)
    )
    assert np.array_equal(model.weights, mnist_reference(model.constants.shift, poisoned))


def test_training_opens_nothing(tiny_task: Task, run_dir: Path) -> None:
    """By its text, and by what a run gives out. Of clients' rows, the marker after them alone."""
    source = bundle.program("svm_train.mpc").read_text(encoding="utf-8")
    before, after = source.split("crash(marker.reveal() != 1)")
    source = before + after
    names = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    calls = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    openings = {"reveal", "reveal_to", "reveal_list", "open", "binary_output", "print_ln", "print_str", "crash"}
    assert not (names | calls) & openings
    result = train_and_open(tiny_task, HINGE, engine=get_engine(EngineName.CLEAR), run_dir=run_dir).run
    assert (result.lines, result.binary_output) == ((), ())
