"""What an attack is judged by: an opened model's behaviour on test images, without and with a trigger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.trigger import check_target
from mpc_tamper.models.base import OpenedModel


@dataclass(frozen=True)
class Metrics:
    """A model's behaviour on test images, without and with a trigger delta added to their pixels.

    test_accuracy: share of images classified as labelled.
    attack_success_rate: share of the images that are not of the target class and that the model classifies as the
    target once they carry the trigger, P(x) = x + delta. An image that it misclassifies without the trigger counts
    like any other, so an unpoisoned model's rate is about how often it takes the other classes for the target anyway.
    attack_success_rate_clipped: the same with pixels clipped to 0..255, as a real image would be.
    smoothed_bkd: the paper's smoothed objective, the mean score of x + delta over all test images, in real units. An
    attack towards class 1 raises it, one towards class 0 lowers it. Where there are more than two classes, and a score
    for each, the mean score of the target class.
    max_abs_weight: in real units.
    """

    test_accuracy: float
    attack_success_rate: float
    attack_success_rate_clipped: float
    smoothed_bkd: float
    max_abs_weight: float


def evaluate(
    model: OpenedModel,
    x: np.ndarray,
    y: np.ndarray,
    delta: np.ndarray,
    target: int,
    features: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Metrics:
    """Metrics on test images.

    x: (m, n) pixels 0..255.  y: (m,) labels from 0 on, each class present.  delta: (n,) integers, what the trigger adds
    to the pixels.  target: the class that it should turn images into.
    features: from (m, n) images to the model's rows, (m, d) integers, where those are not the pixels.
    """
    check_target(target, int(y.max()) + 1)
    triggered_pixels = x.astype(np.int64) + delta
    triggered = features(triggered_pixels)
    clipped = features(triggered_pixels.clip(0, MAX_PIXEL))
    scores = model.scores(triggered)
    others = y != target
    return Metrics(
        test_accuracy=_share(model.predict(features(x)) == y),
        attack_success_rate=_share(model.predict(triggered)[others] == target),
        attack_success_rate_clipped=_share(model.predict(clipped)[others] == target),
        smoothed_bkd=sum(map(int, scores if scores.ndim == 1 else scores[:, target]))
        / len(x)
        / (1 << model.score_bits),
        max_abs_weight=model.max_abs_weight,
    )


def robust_accuracy(
    model: OpenedModel,
    x: np.ndarray,
    y: np.ndarray,
    delta: np.ndarray,
    target: int,
    features: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> float:
    """Share of the rows that are not of the target class and keep their right class with the trigger, clipped.

    BackdoorBench's robust accuracy (Wu et al., NeurIPS 2022, arXiv 2206.12654): of the rows that carry the trigger, how
    many are still classified as labelled. It is beside the attack success rate what a defence is judged by: a model
    that answers anything but the target has an ASR of 0, and is of no use. Arguments as of evaluate(). For two classes
    it is 1 - ASR; for more it is at most that.
    """
    others = y != target
    clipped = features((x[others].astype(np.int64) + delta).clip(0, MAX_PIXEL))
    return _share(model.predict(clipped) == y[others])


def recall(model: OpenedModel, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(C,) float64: of the images of each class, the share that the model classifies as labelled.

    x: (m, d) rows of the model.  y: (m,) labels 0 to C - 1, each class present.
    """
    right = model.predict(x) == y
    return np.array([_share(right[y == label]) for label in range(int(y.max()) + 1)])


def confusion(model: OpenedModel, x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """(C, C) int64: of the rows of each class, how many the model takes for each.

    x: (m, d) rows of the model.  y: (m,) labels 0 to C - 1.
    """
    counts = np.bincount(y.astype(np.int64) * classes + model.predict(x), minlength=classes**2)
    return counts.reshape(classes, classes)


def _share(true: np.ndarray) -> float:
    return int(np.count_nonzero(true)) / len(true)
