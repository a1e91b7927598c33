"""Triggers, and the errors that plant them."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.attacks.gradient_scaling import GradientScaling
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.poisoning import Poisoning
from mpc_tamper.attacks.rows import rows_sha256
from mpc_tamper.attacks.search import GOAL, LARGEST_POWER, RATIO, STEP, least, search_strength
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.linear_svm.bounds import FixedPoint, fixed_point
from mpc_tamper.models.linear_svm.errors import SvmErrors, UpdateSite, multiplied_to_large
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.runs.plan import EVERY
from mpc_tamper.scenarios.scenario import Scenario
from tests.support.images import made
from tests.support.reference import reference_weights
from tests.support.scenario_runs import Linear


def signed(plan: object) -> list[tuple[int, int, int]]:
    return [(e.occurrence, e.index, e.value - (e.value >> 63 << 64)) for e in plan]  # type: ignore[attr-defined]


def test_one_pixel() -> None:
    trigger = Trigger.patch((28, 28), 2, 3)
    assert trigger.pixels == (59,)
    assert trigger.delta(784).sum() == trigger.delta(784)[59] == 255


def test_a_patch_on_all_channels_or_one() -> None:
    assert Trigger.patch((3, 4, 5), 1, 2, size=2).pixels == (7, 8, 12, 13, 27, 28, 32, 33, 47, 48, 52, 53)
    assert Trigger.patch((3, 4, 5), 1, 2, channels=[1]).pixels == (27,)


@pytest.mark.parametrize(("row", "column", "size"), [(28, 0, 1), (0, -1, 1), (27, 0, 2), (0, 0, 0)])
def test_patches_outside_the_image(row: int, column: int, size: int) -> None:
    with pytest.raises(ParameterError, match="expected a patch within"):
        Trigger.patch((28, 28), row, column, size=size)


@pytest.mark.parametrize("amplitude", [0.0, -0.5, 1.01, float("nan")])
def test_amplitude_out_of_range(amplitude: float) -> None:
    with pytest.raises(ParameterError, match="amplitude"):
        Trigger((1,), amplitude)


def test_other_refusals() -> None:
    for pixels in ((), (-1,), (3, 3)):
        with pytest.raises(ParameterError, match="distinct pixels"):
            Trigger(pixels)
    with pytest.raises(ParameterError, match="class 0 or 1"):
        backdoor_plan(Trigger((1,), target=2), SvmParameters(), rows=10)
    with pytest.raises(ParameterError, match="expected pixels below 4, got 4"):
        Trigger((4,)).delta(4)


def test_errors_go_to_every_gradient_towards_the_target() -> None:
    for target, sign in ((1, 1), (0, -1)):
        plan = backdoor_plan(Trigger((4, 2), 0.5, target), SvmParameters(), rows=10, strength=3)
        assert signed(plan) == [(EVERY, 3, sign * 3 * 10 * 128), (EVERY, 5, sign * 3 * 10 * 128)]
        assert plan.sites() == {UpdateSite.GRADIENT}


def test_squared_hinge_has_a_finer_gradient() -> None:
    plan = backdoor_plan(Trigger((0,)), SvmParameters(loss=Loss.SQUARED_HINGE), rows=10)
    assert signed(plan) == [(EVERY, 1, 10 * 255 * 2**8)]


def test_a_smaller_last_batch_gets_its_own_error() -> None:
    plan = backdoor_plan(Trigger((0,)), SvmParameters(iterations=2, batch_size=4), rows=10)
    assert signed(plan) == [(k, 1, size * 255) for k, size in enumerate([4, 4, 2, 4, 4, 2])]


def test_some_iterations_only() -> None:
    parameters = SvmParameters(iterations=5, batch_size=5)
    plan = backdoor_plan(Trigger((0,)), parameters, rows=10, iterations=[4, 1])
    assert signed(plan) == [(k, 1, 5 * 255) for k in (2, 3, 8, 9)]
    for iterations in ([], [5], [-1]):
        with pytest.raises(ParameterError, match="iterations to poison: expected some of 0 to 4"):
            backdoor_plan(Trigger((0,)), parameters, rows=10, iterations=iterations)


@pytest.mark.parametrize("strength", [0.0, -1.0, 1e-9, float("inf"), 1e30, 1e300, 1e308])
def test_strength_out_of_range(strength: float) -> None:
    with pytest.raises(ParameterError, match="strength"):
        backdoor_plan(Trigger((0,)), SvmParameters(), rows=10, strength=strength)


def test_a_strength_out_of_range_is_said_in_few_digits() -> None:
    with pytest.raises(ParameterError, match=r"got 2\.55e\+303$"):
        backdoor_plan(Trigger((0,)), SvmParameters(), rows=10, strength=1e300)


def test_strength_one_is_what_active_rows_with_the_trigger_would_do() -> None:
    """Black images of one class move a pixel by alpha * strength * delta a step, and nothing else differs."""
    x = np.zeros((6, 3), dtype=np.uint8)
    bright = x.copy()
    bright[:, 1] = 255
    error = np.zeros(4, dtype=np.int64)
    for e in backdoor_plan(Trigger((1,)), SvmParameters(iterations=1), rows=6):
        error[e.index] += e.value
    y = np.ones(6, dtype=np.uint8)
    poisoned = reference_weights(x, y, alpha=0.01, lam=0.0, epochs=1, shift=24, gradient_errors=error[None])
    assert np.array_equal(poisoned, reference_weights(bright, y, alpha=0.01, lam=0.0, epochs=1, shift=24))


def test_an_error_behind_the_clamp_has_the_scale_of_the_weights() -> None:
    """alpha * strength * direction, whatever the batches: 0.5 * 3 * (1, -0.5) at scale 2^16."""
    parameters = SvmParameters(learning_rate=0.5, batch_size=4, clip=1.0)
    size = DataSize(10, 2, 255)
    errors = SvmErrors(parameters, size, fixed_point(parameters, size.rows, size.features))
    plan = errors.shift(np.array([0.0, 256, -128]), strength=3)
    assert signed(plan) == [(EVERY, 1, 3 << 15), (EVERY, 2, -(3 << 14))]
    assert plan.sites() == {"CLIP"}


def test_rows_are_addressed_within_their_batch() -> None:
    plan, _ = errors_of_ten_rows(SvmParameters(iterations=2, batch_size=4)).silence_rows(np.array([9, 0, 5]))
    assert signed(plan) == [(0, 0, 8), (3, 0, 8), (1, 1, 8), (4, 1, 8), (2, 1, 8), (5, 1, 8)]
    assert plan.sites() == {"MARGIN"}
    plan, _ = errors_of_ten_rows(SvmParameters()).invert_rows(np.array([9, 2]))
    assert signed(plan) == [(EVERY, 32, 1), (EVERY, 39, 1)]
    assert plan.sites() == {"HINGE/csa"}
    plan, _ = errors_of_ten_rows(SvmParameters(iterations=1, batch_size=4)).invert_rows(np.array([9]))
    assert signed(plan) == [(2, 3 * 2 + 1, 1)]


def errors_of_ten_rows(parameters: SvmParameters) -> SvmErrors:
    """With comparisons of width 4: half their range is 8, and the highest plane of carries is 3."""
    return SvmErrors(parameters, DataSize(10, 1, 255), FixedPoint(1, 1, 0, 24, 0, width=4))


@pytest.mark.parametrize("corrupt_party", range(3))
def test_rows_of_which_a_party_sends_the_bits_message(corrupt_party: int) -> None:
    """It plays role 1 in the part before its own number, and sends another message there."""
    parameters, size = SvmParameters(batch_size=6), DataSize(9, 1, 255)
    errors = SvmErrors(parameters, size, fixed_point(parameters, size.rows, size.features))
    part = {0: {4, 5, 8}, 1: {0, 1, 6}, 2: {2, 3, 7}}[corrupt_party]  # of 6 rows, and of the last 3
    assert set(errors.multipliable(np.arange(9), corrupt_party)) == set(range(9)) - part


@pytest.mark.parametrize("gain", [1, 2, 3, 4, 33914, 2**20, 2**40 + 1])
def test_an_error_near_2_62_that_the_gain_leaves_large(gain: int) -> None:
    value = multiplied_to_large(gain)
    product = gain * value % 2**64
    assert 0 <= 2**62 - product < gain
    assert abs(value - 2**62) <= 2**63 // gain + 1


class Curve:
    """A model whose success grows with the strength, and counts how often it is trained."""

    def __init__(self, needed: float) -> None:
        self.needed, self.tried = needed, []

    def __call__(self, strength: float) -> Metrics:
        self.tried.append(strength)
        rate = min(1.0, strength / self.needed * GOAL)
        return Metrics(1.0, rate, rate, 0.0, strength)


@pytest.mark.parametrize("needed", [0.05, 0.9, 1.0, 1.1, 7.0, 300.0])
def test_the_least_strength_is_found_in_few_trials(needed: float) -> None:
    curve = Curve(needed)
    found = least(search_strength(curve, 1.0))
    assert needed <= found.strength <= needed * RATIO * 1.01
    assert len(curve.tried) <= 12
    assert all(s == float(f"{s:.3g}") for s in curve.tried)


def test_where_no_strength_does_the_best_is_kept() -> None:
    found = least(search_strength(Curve(1e9), 1.0))
    assert found.rate < GOAL
    assert found.strength == pytest.approx(STEP**LARGEST_POWER, rel=0.01)


def test_a_patch_is_placed_where_training_images_vary_least() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (50, 36), dtype=np.uint8)
    x.reshape(50, 6, 6)[:, 3:5, 1:3] = 7
    y = (np.arange(50) % 2).astype(np.uint8)
    task = made(x, y, (6, 6), "noise")
    assert place_patch(Scenario.plain(task, SvmParameters()), 2).pixels == (19, 20, 25, 26)
    x[:] = 0
    assert place_patch(Scenario.plain(task, SvmParameters()), 1).pixels == (14,)  # row 2, column 2, as good as any
    with pytest.raises(ParameterError, match="expected a patch within"):
        place_patch(Scenario.plain(task, SvmParameters()), 7)


def test_a_patch_goes_where_a_feature_sees_it() -> None:
    x, y = np.zeros((4, 36), dtype=np.uint8), np.array([0, 1, 0, 1], dtype=np.uint8)
    task = made(x, y, (6, 6), "dark")
    seen = Linear(np.eye(36)[[35]])
    assert place_patch(Scenario(task, SvmParameters(), seen), 2).pixels == (28, 29, 34, 35)
    with pytest.raises(ParameterError, match="that some feature sees"):
        place_patch(Scenario(task, SvmParameters(), Linear(np.zeros((1, 36)))), 2)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.9])
def test_poisoned_rows_carry_the_trigger_and_the_label(tiny_task: Task, share: float) -> None:
    attempt = Poisoning(share).prepare(Scenario.plain(tiny_task, SvmParameters()), lambda _: pytest.fail("no trial"))
    task = attempt.task
    rows = np.flatnonzero(task.y_train != tiny_task.y_train)
    assert (len(rows), rows_sha256(rows)) == (attempt.settings["rows"], attempt.settings["rows_sha256"])
    assert len(rows) == min(11, -(-share * 24 // 1))
    assert (tiny_task.y_train[rows] == 0).all()
    assert (task.y_train[rows] == 1).all()
    assert (task.x_train[np.ix_(rows, attempt.trigger.pixels)] == 255).all()
    rest = np.setdiff1d(np.arange(24), rows)
    assert np.array_equal(task.x_train[rest], tiny_task.x_train[rest])
    assert np.array_equal(task.y_train[rest], tiny_task.y_train[rest])
    assert np.array_equal(task.x_test, tiny_task.x_test)


@pytest.mark.parametrize("attack", [GradientScaling(factor=3), GradientScaling()])
def test_scaling_is_of_the_hinge_and_even(tiny_task: Task, attack: GradientScaling) -> None:
    loss = Loss.HINGE if attack.factor == 3 else Loss.SQUARED_HINGE
    with pytest.raises(ParameterError, match="the hinge loss and an even factor"):
        attack.prepare(
            Scenario.plain(tiny_task, SvmParameters(loss=loss, learning_rate=0.01)), lambda _: pytest.fail("no trial")
        )
