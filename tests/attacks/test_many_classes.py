"""Attacks on tasks of more than two classes: which rows they touch, and which targets they take."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.attacks.gradient_scaling import GradientScaling
from mpc_tamper.attacks.gradient_zeroing import GradientZeroing
from mpc_tamper.attacks.gradient_zeroing_gate import GradientZeroingGate
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.poisoning import Poisoning
from mpc_tamper.attacks.sabotage import Sabotage
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.workflows.stages import TRAIN
from tests.support.images import striped


def scenario(classes: int) -> Scenario:
    return Scenario.plain(striped(classes), SvmParameters(iterations=1))


def no_trial(attempt: Attempt) -> Metrics:
    pytest.fail("no trial")


def accuracies(*values: float) -> Trial:
    left = list(values)
    return lambda attempt: Metrics(left.pop(0), 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("kind", [GradientZeroing, GradientZeroingGate])
@pytest.mark.parametrize(
    ("classes", "target", "silenced", "expected"),
    [(2, 1, None, 0), (2, 0, None, 1), (4, 1, None, 2), (4, 3, None, 0), (4, 1, 3, 3), (4, 1, 1, 1)],
)
def test_one_class_is_silenced(
    kind: type[GradientZeroing | GradientZeroingGate], classes: int, target: int, silenced: int | None, expected: int
) -> None:
    attempt = kind(target, silenced).prepare(scenario(classes), no_trial)
    rows = np.flatnonzero(striped(classes).y_train == expected)
    assert (attempt.settings["class"], attempt.settings["rows"]) == (expected, len(rows))
    outputs = classes if kind is GradientZeroing and classes > 2 else 1  # the gate of the silenced class alone
    assert len(attempt.plans[TRAIN]) == len(rows) * outputs
    assert attempt.trigger.target == target


def test_a_class_to_silence_that_there_is_not() -> None:
    with pytest.raises(ParameterError, match="silenced: expected a class from 0 to 3, got 4"):
        GradientZeroing(1, 4).prepare(scenario(4), no_trial)


def test_poisoned_rows_come_from_all_other_classes() -> None:
    attempt = Poisoning(0.5, target=2).prepare(scenario(4), no_trial)
    before, after = striped(4).y_train, attempt.task.y_train
    assert set(before[before != after].tolist()) == {0, 1, 3}
    assert (after[before != after] == 2).all()
    assert np.count_nonzero(before != after) == attempt.settings["rows"] == 30


def test_rows_that_count_often_are_of_the_target() -> None:
    rows = GradientScaling(share=0.1, target=3).rows(scenario(4))
    assert len(rows) > 0
    assert (striped(4).y_train[rows] == 3).all()


@pytest.mark.parametrize(("classes", "enough"), [(2, 0.6), (4, 0.35), (5, 0.3)])
def test_a_model_is_spoilt_where_it_is_little_better_than_guessing(classes: int, enough: float) -> None:
    attempt = Sabotage().prepare(scenario(classes), accuracies(0.9, enough + 0.01, enough))
    assert (attempt.settings["strength"], attempt.settings["sign"]) == (10.0, 1)


def test_a_patch_is_for_a_class_of_the_task() -> None:
    assert place_patch(scenario(4), 2, 3).target == 3
    for target in (-1, 4):
        with pytest.raises(ParameterError, match=f"target: expected a class from 0 to 3, got {target}"):
            place_patch(scenario(4), 2, target)
