"""Scores of a linear model, exactly, and what the attack is judged by.

f(x) = w.x with w at scale 2^16 and rows at 2^8, so scores are integers at scale 2^24. An image is class 1 iff f(x) > 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.fixed_point import MAX_PIXEL
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, WEIGHT_SCALE
from mpc_tamper.models.linear_svm.scoring import scores


@dataclass(frozen=True)
class Metrics:
    """A model's behaviour on test images, without and with a trigger delta added to their pixels.

    test_accuracy: share of images classified as labelled.
    attack_success_rate: share of the images that are not of the target class and that the model classifies as the
    target once they carry the trigger, P(x) = x + delta. An image that it misclassifies without the trigger counts
    like any other, so an unpoisoned model's rate is about its error rate on that class.
    attack_success_rate_clipped: the same with pixels clipped to 0..255, as a real image would be.
    smoothed_bkd: the paper's smoothed objective, the mean of w.(x + delta) over all test images, in real units. An
    attack towards class 1 raises it, one towards class 0 lowers it.
    max_abs_weight: in real units.
    """

    test_accuracy: float
    attack_success_rate: float
    attack_success_rate_clipped: float
    smoothed_bkd: float
    max_abs_weight: float


def evaluate(
    weights: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    delta: np.ndarray,
    target: int,
    features: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Metrics:
    """Metrics on test images.

    weights: (d + 1,) int64 at scale 2^16.  x: (m, n) pixels 0..255.  y: (m,) labels 0 and 1, both present.
    delta: (n,) integers, what the trigger adds to the pixels.  target: the class that it should turn images into.
    features: from (m, n) images to (m, d) integers at scale 2^8 where the model is not one of pixels.
    """
    if target not in (0, 1):
        raise ParameterError(f"target: expected class 0 or 1, got {target}")
    clean = scores(weights, features(x))
    triggered_pixels = x.astype(np.int64) + delta
    triggered = scores(weights, features(triggered_pixels))
    clipped = scores(weights, features(triggered_pixels.clip(0, MAX_PIXEL)))
    others = y != target
    return Metrics(
        test_accuracy=_share((clean > 0) == (y == 1)),
        attack_success_rate=_share((triggered[others] > 0) == (target == 1)),
        attack_success_rate_clipped=_share((clipped[others] > 0) == (target == 1)),
        smoothed_bkd=sum(int(score) for score in triggered) / len(x) / (1 << MARGIN_SCALE),
        max_abs_weight=max(abs(int(w)) for w in weights) / (1 << WEIGHT_SCALE),
    )


def weights_sha256(weights: np.ndarray) -> str:
    """Of the weights as little-endian int64."""
    return hashlib.sha256(weights.astype("<i8").tobytes()).hexdigest()


def _share(true: np.ndarray) -> float:
    return int(np.count_nonzero(true)) / len(true)
