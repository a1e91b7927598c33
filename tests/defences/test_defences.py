"""What each defence changes of a training, and that it fits what an attacker is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpc_tamper import testing
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.low_variance import Kept, kept_pixels, low_variance
from mpc_tamper.defences.registry import DEFENCES, defences
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.linear_svm.bounds import fixed_point
from mpc_tamper.models.linear_svm.errors import UpdateSite
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.training import train_and_open
from tests.support.places import ROOT

MNIST = (12_665, 784)


@pytest.fixture
def plain(tiny_task: Task) -> Scenario:
    return Scenario.plain(tiny_task, SvmParameters(iterations=10))


@pytest.mark.parametrize("name", DEFENCES)
def test_an_honest_training_with_it_works(plain: Scenario, name: str) -> None:
    """Rows of its features, its parameters and constants: a model that is right on the tiny task."""
    scenario = DEFENCES[name].change(plain)
    task, features = scenario.task, scenario.features
    changed = replace(task, x_train=features.features(task.x_train), x_test=features.features(task.x_test))
    assert changed.x_train.shape == (len(task.x_train), features.size)
    model = train_and_open(changed, scenario.parameters, engine=ClearEngine())
    assert np.array_equal(model.predict(changed.x_test), task.y_test)
    assert fixed_point(scenario.parameters, *MNIST).width <= 40


@pytest.mark.parametrize("name", DEFENCES)
def test_it_passes_the_checks_that_plug_ins_have_to_pass(name: str) -> None:
    testing.check_defence(DEFENCES[name])


def test_the_checks_find_a_wrong_direction(plain: Scenario) -> None:
    class Doubled(Kept):
        def direction(self, delta: np.ndarray) -> np.ndarray:
            return 2 * super().direction(delta)

    wrong = Defence(lambda scenario: replace(scenario, features=Doubled(np.arange(16))))
    with pytest.raises(AssertionError, match="direction: expected what a trigger adds"):
        testing.check_defence(wrong, plain)


@pytest.mark.parametrize("name", DEFENCES)
def test_direction_is_what_a_trigger_adds_to_the_features(plain: Scenario, name: str) -> None:
    features, rng = DEFENCES[name].change(plain).features, np.random.default_rng(1)
    images, delta = rng.integers(0, 256, (5, 16)), rng.integers(-255, 256, 16)
    added = features.features(images + delta) - features.features(images)
    assert np.abs(added - features.direction(delta)).max() <= 1  # rounding


def test_names_of_checks(tiny_task: Task) -> None:
    assert {name: d.check.pixels for name, d in DEFENCES.items() if d.check} == {
        "accuracy": 0,
        "certificate_1": 1,
        "certificate_4": 4,
        "certificate_16": 16,
        "certificate_64": 64,
    }
    for name, defence in defences(0.7, {2: 0.6}).items():
        if defence.check is not None:
            verdict = defence.check.verdict(True, 10)
            assert verdict.check == name
            assert f"at least {7 if name == 'accuracy' else 6} of 10" in verdict.statement


def test_what_the_others_change(plain: Scenario) -> None:
    active = DEFENCES["active"].change(plain)
    assert (active.protocol, active.parameters) == (ProtocolName.MAL_REP_RING, plain.parameters)
    clipped = DEFENCES["clipping"].change(plain)
    assert (clipped.parameters.clip, clipped.errors.site) == (0.001, UpdateSite.CLIP)
    assert DEFENCES["none"].change(plain) is DEFENCES["certificate_4"].change(plain) is plain


def test_pixels_of_low_variance_are_left_out() -> None:
    images = np.array([[0, 0, 7, 255, 100], [2, 200, 7, 255, 130], [0, 0, 7, 0, 160]], np.uint8)
    variances = images.var(axis=0)  # 0.9, 8888.9, 0, 14450, 600; the mean is 4787.9
    assert kept_pixels(images, 0.1).indices.tolist() == [1, 3, 4]
    assert kept_pixels(images, 0.2).indices.tolist() == [1, 3]
    assert kept_pixels(images, 0).indices.tolist() == [0, 1, 2, 3, 4]
    assert kept_pixels(images[:, [1, 1]], 1).indices.tolist() == [0, 1]  # all equal to the mean
    assert variances[4] < 0.2 * variances.mean()
    assert np.array_equal(Kept(np.array([1, 3])).features(images), images[:, [1, 3]])


def test_a_trigger_on_left_out_pixels_has_no_effect(plain: Scenario) -> None:
    features = Kept(np.array([0, 5, 9]))
    delta = np.zeros(16, dtype=np.int64)
    delta[[1, 4]] = 255
    x = plain.task.x_test.astype(np.int64)
    weights = np.array([5, -1, 2, 3])
    assert not features.direction(delta).any()
    assert np.array_equal(scores(weights, features.features(x + delta)), scores(weights, features.features(x)))


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_shares_that_mean_nothing_are_refused(plain: Scenario, share: float) -> None:
    with pytest.raises(ParameterError, match="expected 0 to 1"):
        low_variance(share)(plain)


def test_low_variance_is_a_matter_of_pixels(plain: Scenario) -> None:
    with pytest.raises(ParameterError, match="expected a training on pixels"):
        low_variance()(replace(plain, features=Kept(np.array([0]))))


def test_every_defence_is_documented() -> None:
    text = (ROOT / "docs" / "defences.md").read_text(encoding="utf-8")
    for name in DEFENCES.keys() - {"none"}:
        assert f"`{name}`" in text or f"`_{name.rpartition('_')[2]}`" in text
