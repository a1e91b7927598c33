"""Scores of a linear model, exactly.

f(x) = w.x with w at scale 2^16 and rows at 2^8, so scores are integers at scale 2^24. A row is of class 1 iff f(x) > 0.
Of more than two classes each has a score of its own, and a row is of the first class of those with the largest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.models.argmax import predict
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.linear_svm.parameters import MARGIN_SCALE, WEIGHT_SCALE


@dataclass(frozen=True, eq=False)
class OpenedSvm(OpenedModel):
    """weights: ((n + 1) * outputs,) int64 at scale 2^16, attribute by attribute, bias first."""

    outputs: int = 1

    @property
    def score_bits(self) -> int:
        return MARGIN_SCALE

    def scores(self, rows: np.ndarray) -> np.ndarray:
        if self.outputs == 1:
            return scores(self.weights, rows)
        return scores_of_classes(self.weights, self.outputs, rows)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return super().predict(rows) if self.outputs == 1 else predict(self.scores(rows)).astype(np.uint8)

    @property
    def columns(self) -> np.ndarray:
        """(n + 1, outputs)."""
        return split(self.weights, self.outputs)

    @property
    def max_abs_weight(self) -> float:
        return max(abs(int(w)) for w in self.weights) / (1 << WEIGHT_SCALE)

    def picture(self) -> np.ndarray:
        """Without the bias; of more than two classes those of the class with the largest weight."""
        pixels = self.columns[1:]
        return pixels[:, int(np.abs(pixels).max(axis=0).argmax())] / (1 << WEIGHT_SCALE)


def split(weights: np.ndarray, outputs: int) -> np.ndarray:
    """A share file's order to (n + 1, outputs)."""
    if weights.ndim != 1 or not len(weights) or len(weights) % outputs:
        raise DataError(
            f"expected {outputs} weights for each attribute, got weights of shape {weights.shape}: give the "
            "architecture with which the model was trained"
        )
    return weights.reshape(-1, outputs)


def scores(weights: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """w.x of each image, (m,), exact integers at scale 2^24: int64, or Python integers where that could overflow.

    weights: (n + 1,) int64, bias first.  pixels: (m, n) integers.
    """
    if weights.ndim != 1 or pixels.ndim != 2 or len(weights) != pixels.shape[1] + 1:
        raise DataError(
            f"expected images of as many pixels as the model has weights, less one, got images {pixels.shape} and "
            f"weights {weights.shape}"
        )
    sum_of_weights = sum(abs(int(w)) for w in weights)
    largest_pixel = max(BIAS, abs(int(pixels.max(initial=0))), abs(int(pixels.min(initial=0))))
    exact = np.int64 if sum_of_weights * largest_pixel < 1 << 63 else object
    w = weights.astype(exact)
    result: np.ndarray = pixels.astype(exact) @ w[1:] + w[0] * BIAS
    return result


def scores_of_classes(weights: np.ndarray, outputs: int, pixels: np.ndarray) -> np.ndarray:
    """(m, outputs) int64 at scale 2^24, modulo 2^64 as programs on shares have it.

    weights: ((n + 1) * outputs,) int64, attribute by attribute.  pixels: (m, n) integers.
    """
    w = split(weights.astype(np.int64), outputs)
    if pixels.ndim != 2 or pixels.shape[1] + 1 != len(w):
        raise DataError(
            f"expected images of {len(w) - 1} pixels, as the model has weights but the bias, got shape {pixels.shape}"
        )
    return np.asarray(pixels.astype(np.int64) @ w[1:] + w[0] * BIAS)
