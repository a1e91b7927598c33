"""Bit planes: plane j holds bit j of every value, 64 values to a uint64 word.

Value e stands in word e // 64 at bit e % 64; the lanes after the last value are padding.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.threads import ranges, together

WORD = 64
_WORTH = 1 << 13  # values that a thread has to have for it to pay

_WORDS = types.Array(types.uint64, 1, "C", readonly=True)


def words_for(lanes: int) -> int:
    return -(-lanes // WORD)


@kernel("void(uint64[::1])")
def _transpose(block: np.ndarray) -> None:
    """Transpose a 64 x 64 bit matrix in place: swap ever smaller off-diagonal blocks."""
    width = 32
    mask = np.uint64(0x00000000FFFFFFFF)
    while width:
        shift = np.uint64(width)
        row = 0
        while row < 64:
            low, high = block[row], block[row + width]
            swap = ((low >> shift) ^ high) & mask
            block[row] = low ^ (swap << shift)
            block[row + width] = high ^ swap
            row = (row + width + 1) & ~width
        width >>= 1
        mask ^= mask << np.uint64(width)


def to_planes(values: np.ndarray, k: int) -> np.ndarray:
    """The low k bits of values (m,) as planes (k, ceil(m / 64)). 1 <= k <= 64."""
    planes = np.empty((k, words_for(values.size)), np.uint64)
    parts = ranges(planes.shape[1], values.size // _WORTH)
    together(_to_planes, [(values, first, last, planes) for first, last in parts])
    return planes


@kernel(types.void(_WORDS, types.int64, types.int64, types.uint64[:, ::1]))
def _to_planes(values: np.ndarray, first: int, last: int, planes: np.ndarray) -> None:
    """Words first .. last - 1 of each plane."""
    k = len(planes)
    block = np.empty(64, np.uint64)
    for w in range(first, last):
        count = min(64, values.size - 64 * w)
        for i in range(count):
            block[i] = values[64 * w + i]
        for i in range(count, 64):
            block[i] = np.uint64(0)
        _transpose(block)
        for j in range(k):
            planes[j, w] = block[j]


@kernel(types.uint64[::1](_WORDS, types.int64))
def from_plane(plane: np.ndarray, lanes: int) -> np.ndarray:
    """One plane as `lanes` integers 0 or 1."""
    bits = np.empty(lanes, np.uint64)
    for e in range(lanes):
        bits[e] = (plane[e >> 6] >> np.uint64(e & 63)) & np.uint64(1)
    return bits


def and_shares(
    pads: tuple[np.ndarray, np.ndarray],
    x_own: np.ndarray,
    x_previous: np.ndarray,
    y_own: np.ndarray,
    y_previous: np.ndarray,
) -> np.ndarray:
    """A party's xor share of x & y, masked by both pads: arrays of one shape."""
    z = np.empty(x_own.shape, np.uint64)
    read = [np.ascontiguousarray(each).reshape(-1) for each in (*pads, x_own, x_previous, y_own, y_previous)]
    arrays = [*read, z.reshape(-1)]
    together(_and_shares, [tuple(each[a:b] for each in arrays) for a, b in ranges(z.size, z.size // _WORTH)])
    return z


@kernel(types.void(*[_WORDS] * 6, types.uint64[::1]))
def _and_shares(
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    x_own: np.ndarray,
    x_previous: np.ndarray,
    y_own: np.ndarray,
    y_previous: np.ndarray,
    z: np.ndarray,
) -> None:
    for i in range(z.size):
        terms = (x_own[i] & (y_own[i] ^ y_previous[i])) ^ (x_previous[i] & y_own[i])
        z[i] = terms ^ pad_own[i] ^ pad_previous[i]
