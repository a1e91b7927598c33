"""Which examples an opened network certifies: the reference for what mlp_verify.mpc counts on shares.

Let s_p(i, j) = sum over the channels of pixel position p of sum_h |W1_ph| |W2_hi - W2_hj|, for the pair (0, z) where
there is one output. min(max(., 0), cap) never stretches a difference, so a change of k positions by at most 255 moves
z_i - z_j by at most 255 times the sum of the k largest s_p(i, j).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.mlp.scoring import scores, split

MOST = 1 << 62  # of what may not wrap around
_LEAST1, _LEAST2 = 4, 5  # what the limits have to leave: |W1| < 2^4 and sum_h |W2_hj| < 2^5 in real units
_USEFUL = 10  # more than 2^10 in real units would be of no use


@dataclass(frozen=True)
class Limits:
    """|W1| < 2^first, sum_h |W2_hj| < 2^second, s_p < 2^sensitivity: within them nothing wraps around. 0 for k = 0."""

    first: int = 0
    second: int = 0
    sensitivity: int = 0


def limits(architecture: Mapping[str, int], columns: int, pixels: int, channels: int) -> Limits:
    """The widest useful limits that mlp_verify.mpc accepts. columns: attributes, the constant one included.

    Raises ParameterError for a network so wide that they would keep honest weights out.
    """
    if pixels == 0:
        return Limits()
    hidden, f1, f2 = architecture["hidden"], architecture["f1"], architecture["f2"]
    second = min(_bits(MOST, 2 * architecture["cap"]), _bits(MOST, hidden), f2 + _USEFUL)
    first = min(_bits(MOST, BIAS * columns), _bits(MOST, channels) - second - 1, f1 + _USEFUL)
    sensitivity = min(_bits(MOST - 1, MAX_PIXEL * pixels), f1 + f2 + _USEFUL)
    if first < f1 + _LEAST1 or second < f2 + _LEAST2 or sensitivity < 1:
        raise ParameterError(
            f"certificate: expected a network whose weights leave room within 64 bits, got one of {hidden} neurons at "
            f"scales 2^{f1} and 2^{f2}; train it with fewer neurons, a smaller cap or a larger learning rate"
        )
    return Limits(first, second, sensitivity)


def certified(
    weights: np.ndarray, architecture: Mapping[str, int], x: np.ndarray, y: np.ndarray, pixels: int, channels: int = 1
) -> np.ndarray:
    """Which examples a known network certifies, (m,) bool: exactly what mlp_verify.mpc counts.

    x: (m, n) pixels.  y: (m,) classes.  pixels: k; 0 asks for the right class alone, and values wrap around modulo
    2^64. With k > 0 a network beyond one of its limits certifies nothing.
    """
    z, y = _pair(scores(weights, architecture, x)), y.astype(np.int64)
    check_pixels(pixels, channels, x.shape[1], architecture["outputs"])
    check_classes(y, architecture["outputs"])
    rows, others = np.arange(len(y)), np.arange(z.shape[1])
    margin = z[rows, y][:, None] - z + (others >= y[:, None])
    if pixels:
        need = _needs(weights, architecture, x.shape[1], pixels, channels)
        if need is None:
            return np.zeros(len(y), dtype=bool)
        margin -= need[y]
    return np.asarray((-margin < 0).all(axis=1))  # as the program compares: -2^63 counts as positive


def check_pixels(pixels: int, channels: int, features: int, outputs: int) -> None:
    """Raises ParameterError unless so many features have as many pixel positions, and the certificate is offered."""
    if channels < 1 or features % channels:
        raise ParameterError(f"channels: expected a number that divides the {features} attributes, got {channels}")
    if not 0 <= pixels <= features // channels:
        raise ParameterError(
            f"pixels: expected at most the {features // channels} pixels of an image, got {pixels}: lower it"
        )
    if pixels > 1 and outputs > 1:
        raise ParameterError(
            f"pixels: expected 1 for a network of more than two classes, got {pixels}: for each pair of classes "
            "the pixel that can do most is found, and not several. Ask for a certificate of 1 pixel"
        )


def check_classes(y: np.ndarray, outputs: int) -> None:
    classes = max(2, outputs)
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise DataError(f"expected classes from 0 to {classes - 1}, got some from {int(y.min())} to {int(y.max())}")


def _pair(z: np.ndarray) -> np.ndarray:
    """Two columns for one output."""
    return np.column_stack([np.zeros(len(z), np.int64), z]) if z.shape[1] == 1 else z


def _needs(
    weights: np.ndarray, architecture: Mapping[str, int], features: int, pixels: int, channels: int
) -> np.ndarray | None:
    """255 times the sum of the k largest s_p, (C, C) int64; None beyond a limit."""
    bound = limits(architecture, features + 1, pixels, channels)
    w1, w2 = split(weights, architecture)
    if not (_within(w1, bound.first) and _within(w2, bound.second)):
        return None
    if int(np.abs(w2).sum(axis=0).max()) >= 1 << bound.second:
        return None
    columns, first = _pair(w2), np.abs(w1[1:])
    classes = columns.shape[1]
    need = np.zeros((classes, classes), dtype=np.int64)
    for i in range(classes):
        for j in range(i + 1, classes):
            s = (first @ np.abs(columns[:, i] - columns[:, j])).reshape(channels, -1).sum(axis=0)
            largest = np.sort(s)[-pixels:]
            if int(largest[-1]) >= 1 << bound.sensitivity:
                return None
            need[i, j] = need[j, i] = MAX_PIXEL * int(largest.sum())
    return need


def _within(w: np.ndarray, bits: int) -> bool:
    return bool(((w > -(1 << bits)) & (w < 1 << bits)).all())


def _bits(most: int, factor: int) -> int:
    """The largest b with factor 2^b <= most; below 0 where there is none."""
    return (most // factor).bit_length() - 1
