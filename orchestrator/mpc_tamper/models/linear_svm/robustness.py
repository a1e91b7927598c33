"""Which examples an opened linear model certifies: the reference for what its verification counts on shares."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.encoding import signs
from mpc_tamper.models.linear_svm.program import check_pixels
from mpc_tamper.models.linear_svm.scoring import scores, scores_of_classes, split

WEIGHT_BITS = 30  # of svm_verify.mpc and svm_classes_verify.mpc


def certified(weights: np.ndarray, x: np.ndarray, y: np.ndarray, pixels: int, channels: int = 1) -> np.ndarray:
    """Which examples a known model certifies, (m,) bool: exactly what svm_verify.mpc counts.

    weights: (n + 1,) int64 at scale 2^16, bias first, then channel by channel.  x: (m, n) pixels.  y: (m,) classes 0
    and 1.  pixels: k; 0 asks for the right class alone, and scores wrap around modulo 2^64. With k > 0 a model of any
    |w| >= 2^30 certifies nothing.
    """
    check_pixels(pixels, channels, len(weights) - 1)
    margin = scores(weights, x) * signs(y) + (y == 0)
    if pixels == 0:
        negated = (-margin.astype(object) & ((1 << 64) - 1)).astype(np.uint64).view(np.int64)
        return np.asarray(negated < 0, dtype=bool)  # as the program compares: -2^63 counts as positive
    magnitudes = [abs(int(w)) for w in weights]
    if max(magnitudes) >= 1 << WEIGHT_BITS:
        return np.zeros(len(x), dtype=bool)
    per_position = np.array(magnitudes[1:], dtype=np.int64).reshape(channels, -1).sum(axis=0)
    largest = int(np.sort(per_position)[-pixels:].sum())
    return np.asarray(margin > MAX_PIXEL * largest, dtype=bool)


def certified_of_classes(
    weights: np.ndarray, outputs: int, x: np.ndarray, y: np.ndarray, pixels: int, channels: int = 1
) -> np.ndarray:
    """The same of more than two classes: exactly what svm_classes_verify.mpc counts.

    For each example of class y and each other class j, w_y.x - w_j.x has to stay above 0, or at 0 where j > y, whatever
    becomes of k pixels.  weights: ((n + 1) * outputs,) int64, attribute by attribute.  y: (m,) classes from 0.
    """
    z = scores_of_classes(weights, outputs, x)
    check_pixels(pixels, channels, x.shape[1])
    y = y.astype(np.int64)
    if pixels and max(abs(int(word)) for word in weights) >= 1 << WEIGHT_BITS:
        return np.zeros(len(x), dtype=bool)
    margin = z[np.arange(len(y)), y][:, None] - z + (np.arange(outputs) >= y[:, None])
    if pixels:
        margin -= MAX_PIXEL * largest_differences(split(weights, outputs), pixels, channels)[y]
    return np.asarray((-margin < 0).all(axis=1))  # as the program compares: -2^63 counts as positive


def largest_differences(w: np.ndarray, pixels: int, channels: int) -> np.ndarray:
    """(C, C) int64: of each two classes the sum of the k largest differences of weights, channels added up.

    w: (n + 1, C), bias first.
    """
    between = np.abs(w[1:, :, None] - w[1:, None, :])
    per_position = between.reshape(channels, -1, *between.shape[1:]).sum(axis=0)
    return np.asarray(np.sort(per_position, axis=0)[len(per_position) - pixels :].sum(axis=0))
