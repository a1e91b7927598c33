"""Triggers, and the errors that plant them."""

from __future__ import annotations

import numpy as np
import pytest

from orchestrator.additive_errors import EVERY, AdditiveError
from orchestrator.attacks.backdoor import SITE, backdoor_plan
from orchestrator.attacks.registry import ATTACKS
from orchestrator.errors import ParameterError
from orchestrator.svm import Loss, SvmParameters
from orchestrator.trigger import Trigger
from tests.reference import reference_weights


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
        Trigger((1,), target=2)
    with pytest.raises(ParameterError, match="expected pixels below 4, got 4"):
        Trigger((4,)).delta(4)


def test_errors_go_to_every_gradient_towards_the_target() -> None:
    for target, sign in ((1, 1), (0, -1)):
        plan = backdoor_plan(Trigger((4, 2), 0.5, target), SvmParameters(), rows=10, strength=3)
        assert signed(plan) == [(EVERY, 3, sign * 3 * 10 * 128), (EVERY, 5, sign * 3 * 10 * 128)]
        assert plan.sites() == {SITE}


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


@pytest.mark.parametrize("name", ATTACKS)
def test_every_listed_attack_makes_a_portable_plan(name: str) -> None:
    plan = ATTACKS[name](Trigger((0,)), SvmParameters(iterations=3), 10, strength=1.0)
    assert len(plan) > 0
    assert all(isinstance(e, AdditiveError) and "/" not in e.site for e in plan)
