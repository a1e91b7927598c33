"""Scores of a network of one hidden layer, exactly modulo 2^64, as its programs compute them on shares.

    Z1 = X W1,   A1 = min(max(Z1, 0), cap),   Z2 = A1 W2

X has the constant attribute 256 first and scale 2^8, W1 scale 2^f1, W2 scale 2^f2, so scores are integers at scale
2^(8 + f1 + f2). With one output a row is of class 1 iff it is above 0; with more, its class is the first of the largest
ones.

No honest network leaves 62 bits, but a tampered one may. Its values wrap around, everywhere alike.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.models.fixed_point import BIAS

_EXACT_BITS = 53  # of a sum in float64
_BLOCK = 2048  # rows at a time, which bounds the memory


def split(weights: np.ndarray, architecture: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """A share file's order to W1 (n + 1, H) and W2 (H, O), int64.  weights: ((n + 1) H + H O,)."""
    hidden, outputs = architecture["hidden"], architecture["outputs"]
    first = len(weights) - hidden * outputs
    if weights.ndim != 1 or first < hidden or first % hidden:
        raise DataError(
            f"expected {hidden} weights for each attribute and {hidden * outputs} more, got weights of shape "
            f"{weights.shape}: give the architecture with which the network was trained"
        )
    w = weights.astype(np.int64)
    return w[:first].reshape(-1, hidden), w[first:].reshape(hidden, outputs)


def scores(weights: np.ndarray, architecture: Mapping[str, int], rows: np.ndarray) -> np.ndarray:
    """Z2, (m, O) int64, exact modulo 2^64.  rows: (m, n) features at scale 2^8, without the constant one."""
    _, w2 = split(weights, architecture)
    result = np.empty((len(rows), w2.shape[1]), dtype=np.int64)
    for start in range(0, max(1, len(rows)), _BLOCK):
        block = slice(start, start + _BLOCK)
        z1 = hidden_layer(weights, architecture, rows[block])
        result[block] = activation(z1, architecture["cap"]) @ w2
    return result


def hidden_layer(weights: np.ndarray, architecture: Mapping[str, int], rows: np.ndarray) -> np.ndarray:
    """Z1, (m, H) int64, exact modulo 2^64.  rows: as of scores()."""
    w1, _ = split(weights, architecture)
    if rows.ndim != 2 or rows.shape[1] + 1 != len(w1):
        raise DataError(f"expected images of {len(w1) - 1} attributes, as the network has, got shape {rows.shape}")
    result = np.empty((len(rows), w1.shape[1]), dtype=np.int64)
    result[:] = _product(rows, _limbs(w1[1:], rows)) + w1[0] * BIAS  # of no pixels at all where their weights are 0
    return result


def activation(z1: np.ndarray, cap: int) -> np.ndarray:
    """min(max(z1, 0), cap), with two comparisons at once and one product, as the programs have it.

    Within cap of -2^63, where no honest network comes, z1 - cap wraps around, and it is cap - z1.
    """
    negative = (z1 < 0).astype(np.int64)
    below = (z1 - cap < 0).astype(np.int64)
    return np.asarray((below - negative) * z1 + (1 - below) * cap)


def _limbs(w: np.ndarray, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """w (n, H) in pieces so short that no sum of their products with rows leaves the 53 bits that float64 holds."""
    largest = max(1, abs(int(rows.max(initial=0))), abs(int(rows.min(initial=0))))
    bits = _EXACT_BITS - (largest * max(1, len(w))).bit_length()
    words, mask = np.ascontiguousarray(w).view(np.uint64), np.uint64((1 << bits) - 1)
    pieces = [(at, (words >> np.uint64(at) & mask).astype(np.float64)) for at in range(0, 64, bits)]
    return [(at, piece) for at, piece in pieces if piece.any()]


def _product(rows: np.ndarray, limbs: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """rows times the w of these limbs, modulo 2^64, int64."""
    real = rows.astype(np.float64)
    total = np.int64(0)
    for at, piece in limbs:
        total = total + ((real @ piece).astype(np.int64) << np.int64(at))
    return np.asarray(total)
