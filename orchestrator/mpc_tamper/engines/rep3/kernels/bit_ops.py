"""Bit planes: plane j holds bit j of every value, 64 values to a uint64 word.

Value e stands in word e // 64 at bit e % 64; the lanes after the last value are padding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels.transposition import transpose_blocks

WORD = 64
_TOGETHER = 8  # words of a plane that are made at a time: a line of the cache
_WORTH = 1 << 17  # values that a thread has to have for it to pay

_WORDS = types.Array(types.uint64, 1, "C", readonly=True)
_PLANES = types.Array(types.uint64, 2, "C", readonly=True)
_INDICES = types.Array(types.intp, 1, "C", readonly=True)


def words_for(lanes: int) -> int:
    return -(-lanes // WORD)


def to_planes(values: np.ndarray, k: int) -> np.ndarray:
    """The low k bits of values (m,) as planes (k, ceil(m / 64)). 1 <= k <= 64."""
    planes = np.empty((k, words_for(values.size)), np.uint64)
    parts = ranges(planes.shape[1], values.size // _WORTH)
    together(_to_planes, [(values, first, last, planes) for first, last in parts])
    return planes


@kernel(types.void(_WORDS, types.int64, types.int64, types.uint64[:, ::1]))
def _to_planes(values: np.ndarray, first: int, last: int, planes: np.ndarray) -> None:
    """Words first .. last - 1 of each plane."""
    bits = np.empty((WORD, _TOGETHER), np.uint64)
    for start in range(first, last, _TOGETHER):
        transpose_blocks(values, start, bits)
        count = min(_TOGETHER, last - start)
        for j in range(len(planes)):
            for w in range(count):
                planes[j, start + w] = bits[j, w]


@kernel(types.uint64[::1](_PLANES, types.int64))
def from_planes(planes: np.ndarray, lanes: int) -> np.ndarray:
    """Planes (p, words) as integers 0 or 1: (p * lanes,), plane by plane."""
    bits = np.empty(len(planes) * lanes, np.uint64)
    for j in range(len(planes)):
        for first in range(0, lanes, WORD):
            word, to = planes[j, first // WORD], bits[j * lanes + first : j * lanes + min(first + WORD, lanes)]
            for e in range(to.size):
                to[e] = (word >> np.uint64(e)) & np.uint64(1)
    return bits


def factors(own: np.ndarray, previous: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The planes at these indices, for a round of products: x's own and previous ones, y's own and previous ones.

    (4, products, words).
    """
    found = np.empty((4, left.size, own.shape[1]), np.uint64)
    _pick(own, previous, left, right, found)
    return found


@kernel(types.void(_PLANES, _PLANES, _INDICES, _INDICES, types.uint64[:, :, ::1]))
def _pick(own: np.ndarray, previous: np.ndarray, left: np.ndarray, right: np.ndarray, found: np.ndarray) -> None:
    for i in range(left.size):
        a, b = left[i], right[i]
        for w in range(own.shape[1]):
            found[0, i, w], found[1, i, w] = own[a, w], previous[a, w]
            found[2, i, w], found[3, i, w] = own[b, w], previous[b, w]


@kernel(types.void(_PLANES, types.int64, _INDICES, _INDICES, types.uint64[:, ::1]))
def add_products(products: np.ndarray, new: int, onto: np.ndarray, again: np.ndarray, planes: np.ndarray) -> None:
    """The first products, each xored with its plane of `onto`, become the planes from `new` on; what is left over is
    xored to the planes `again`."""
    for i in range(onto.size):
        for w in range(planes.shape[1]):
            planes[new + i, w] = planes[onto[i], w] ^ products[i, w]
    for i in range(again.size):
        for w in range(planes.shape[1]):
            planes[again[i], w] ^= products[onto.size + i, w]


@kernel(types.void(*[_WORDS] * 5, *[types.int64] * 4, types.uint64[::1]))
def conversion_messages(
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    own: np.ndarray,
    previous: np.ndarray,
    beta_1: np.ndarray,
    first_0: int,
    last_0: int,
    first_2: int,
    last_2: int,
    z: np.ndarray,
) -> None:
    """z_0 and z_2 of the parts that begin and end there, one after the other (primitives/conversion.py)."""
    for e in range(first_0, last_0):
        z[e - first_0] = pad_own[e] * previous[e] - pad_previous[e]
    to = z[last_0 - first_0 :]
    for e in range(first_2, last_2):
        to[e - first_2] = beta_1[e - first_2] * own[e] + pad_own[e] - pad_previous[e]


def and_shares(
    pads: tuple[np.ndarray, np.ndarray],
    x_own: np.ndarray,
    x_previous: np.ndarray,
    y_own: np.ndarray,
    y_previous: np.ndarray,
) -> np.ndarray:
    """A party's xor share of x & y, masked by both pads: planes (p, words)."""
    return _of_words(_and_shares, *pads, x_own, x_previous, y_own, y_previous)


def majority_shares(pads: tuple[np.ndarray, np.ndarray], x_own: np.ndarray, x_previous: np.ndarray) -> np.ndarray:
    """A party's xor share of the majority of x's three components: the xor over i of x_i & x_{i-1}."""
    return _of_words(_majority_shares, *pads, x_own, x_previous)


def _of_words(function: Callable[..., None], *read: np.ndarray) -> np.ndarray:
    """What the kernel makes of these arrays word by word: planes (p, words)."""
    z = np.empty(read[0].shape, np.uint64)
    parts = ranges(z.size, z.size // _WORTH)
    if len(parts) == 1:
        function(*map(np.ascontiguousarray, read), z)
    else:
        arrays = [*(each.ravel() for each in read), z.reshape(-1)]
        together(function, [tuple(each[a:b].reshape(1, -1) for each in arrays) for a, b in parts])
    return z


@kernel(types.void(*[_PLANES] * 6, types.uint64[:, ::1]))
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
        y = y_own.flat[i]
        terms = (x_own.flat[i] & (y ^ y_previous.flat[i])) ^ (x_previous.flat[i] & y)
        z.flat[i] = terms ^ pad_own.flat[i] ^ pad_previous.flat[i]


@kernel(types.void(*[_PLANES] * 4, types.uint64[:, ::1]))
def _majority_shares(
    pad_own: np.ndarray, pad_previous: np.ndarray, x_own: np.ndarray, x_previous: np.ndarray, z: np.ndarray
) -> None:
    for i in range(z.size):
        z.flat[i] = (x_own.flat[i] & x_previous.flat[i]) ^ pad_own.flat[i] ^ pad_previous.flat[i]
