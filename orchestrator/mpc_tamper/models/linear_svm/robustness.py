"""Which examples an opened linear model certifies: the reference for what svm_verify.mpc counts on shares."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.encoding import signs
from mpc_tamper.models.linear_svm.program import check_pixels
from mpc_tamper.models.linear_svm.scoring import scores

WEIGHT_BITS = 30  # of svm_verify.mpc


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
