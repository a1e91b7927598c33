"""Bit planes: plane j holds bit j of every value, 64 values to a uint64 word.

Value e stands in word e // 64 at bit e % 64; the lanes after the last value are padding.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel

WORD = 64

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


@kernel(types.uint64[:, ::1](_WORDS, types.int64))
def to_planes(values: np.ndarray, k: int) -> np.ndarray:
    """The low k bits of values (m,) as planes (k, ceil(m / 64)). 1 <= k <= 64."""
    words = (values.size + 63) // 64
    planes = np.empty((k, words), np.uint64)
    block = np.empty(64, np.uint64)
    for w in range(words):
        count = min(64, values.size - 64 * w)
        for i in range(count):
            block[i] = values[64 * w + i]
        for i in range(count, 64):
            block[i] = np.uint64(0)
        _transpose(block)
        for j in range(k):
            planes[j, w] = block[j]
    return planes


@kernel(types.uint64[::1](_WORDS, types.int64))
def from_plane(plane: np.ndarray, lanes: int) -> np.ndarray:
    """One plane as `lanes` integers 0 or 1."""
    bits = np.empty(lanes, np.uint64)
    for e in range(lanes):
        bits[e] = (plane[e >> 6] >> np.uint64(e & 63)) & np.uint64(1)
    return bits
