"""The certificate's twin in NumPy against its meaning: no change of k pixels moves a certified example."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.models.checks import Verdict
from mpc_tamper.models.linear_svm.robustness import certified
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.models.metrics import evaluate


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_certified_means_that_no_change_of_k_positions_matters(channels: int, seed: int) -> None:
    """The worst change by at most 255, over every choice of positions: exactly what is certified, ties included."""
    rng = np.random.default_rng(seed)
    positions = 6 // channels
    weights = rng.integers(-6, 7, 7)  # few values, so that positions tie
    weights[0] = 20
    x, y = rng.integers(0, 256, (60, 6)), rng.integers(0, 2, 60)
    for k in range(positions + 1):
        safe = (scores(weights, x) > 0) == (y == 1)
        for chosen in combinations(range(positions), k):
            at = np.array([c * positions + j for c in range(channels) for j in chosen], dtype=int)
            changed = np.repeat(x[None], 2, axis=0)
            for way, direction in enumerate((1, -1)):
                changed[way][:, at] += direction * 255 * np.sign(weights[1:][at])
                safe &= (scores(weights, changed[way]) > 0) == (y == 1)
        assert np.array_equal(certified(weights, x, y, k, channels), safe)


@pytest.mark.parametrize("target", [0, 1])
def test_a_pass_bounds_the_success_of_every_trigger(tiny_task: Task, target: int) -> None:
    """Of the images that are not of the target class, at most those that are not certified."""
    t, rng = tiny_task, np.random.default_rng(2)
    weights = np.concatenate([[0], np.tile([-60, -60, 60, 60], 4)]) + rng.integers(-20, 21, 17)
    safe = certified(weights, t.x_test, t.y_test, 2)
    others = t.y_test != target
    bound = (~safe).sum() / others.sum()
    assert safe[others].any()
    assert bound < 1
    for pair in combinations(range(16), 2):
        delta = Trigger(pair, target=target).delta(16)
        found = evaluate(weights, t.x_test, t.y_test, delta, target)
        assert max(found.attack_success_rate, found.attack_success_rate_clipped) <= bound


def test_weights_beyond_the_range_certify_nothing() -> None:
    x, y = np.array([[0, 0], [255, 255]]), np.array([0, 1])
    assert certified(np.array([-1, 0, 2**30 - 1]), x, y, 0).all()
    for large in (2**30, -(2**30), 2**63 - 1, -(2**63)):
        assert not certified(np.array([-1, 0, large]), x, y, 1).any()


@pytest.mark.parametrize(("pixels", "threshold"), [(0, 0.9), (-1, 0.9), (1, 0.0), (1, 1.1), (1, float("nan"))])
def test_certificates_that_mean_nothing_are_refused(pixels: int, threshold: float) -> None:
    with pytest.raises(ParameterError, match="expected"):
        PixelRobustness(pixels, threshold)


@pytest.mark.parametrize(("pixels", "channels", "name"), [(4, 2, "pixels"), (7, 1, "pixels"), (1, 4, "channels")])
def test_more_pixels_than_there_are_are_refused(pixels: int, channels: int, name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name}: expected"):
        certified(np.zeros(7, np.int64), np.zeros((2, 6), np.int64), np.array([0, 1]), pixels, channels)


def test_what_is_said_of_a_verdict() -> None:
    statement = "at least 9 of 10 known examples are classified rightly whatever 4 pixels are changed"
    assert PixelRobustness(4, 0.9).verdict(True, 10) == Verdict("certificate_4", True, statement)
    assert PixelRobustness(1, 0.9).verdict(False, 10).statement.endswith("whatever 1 pixel is changed")
