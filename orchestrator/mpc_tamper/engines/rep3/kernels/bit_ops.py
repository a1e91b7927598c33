"""Bit planes: plane j holds bit j of every value, 64 values to a uint64 word.

Value e stands in word e // 64 at bit e % 64; the lanes after the last value are padding.
"""

from __future__ import annotations

import functools

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels.transposition import transpose_blocks

WORD = 64
_TOGETHER = 8  # words of a plane that are made at a time: a line of the cache
_WORTH = 1 << 13  # values or words of planes that a thread has to have for it to pay

Pads = tuple[np.ndarray, np.ndarray]
_WORDS = types.Array(types.uint64, 1, "C", readonly=True)
_PLANES = types.Array(types.uint64, 2, "C", readonly=True)
_INDICES = types.Array(types.intp, 1, "C", readonly=True)
_PAIRS = types.Array(types.intp, 2, "C", readonly=True)


def words_for(lanes: int) -> int:
    return -(-lanes // WORD)


def to_planes(values: np.ndarray, k: int) -> np.ndarray:
    """The low k bits of values (m,) as planes (k, ceil(m / 64)). 1 <= k <= 64."""
    planes = np.empty((k, words_for(values.size)), np.uint64)
    planes_at(values, _in_order(k), planes)
    return planes


@functools.cache
def _in_order(k: int) -> np.ndarray:
    return np.arange(k, dtype=np.intp)


def planes_at(values: np.ndarray, rows: np.ndarray, planes: np.ndarray) -> None:
    """Bit j of values (m,) as the plane rows[j] of planes, where that is not negative."""
    _planes_at(helpers(values.size // _WORTH), values, rows, planes)


@part_of_kernels
def _words_at(who: int, first: int, last: int, values: np.ndarray, rows: np.ndarray, planes: np.ndarray) -> None:
    """Words first .. last - 1 of each plane."""
    bits = np.empty((WORD, _TOGETHER), np.uint64)
    for start in range(first, last, _TOGETHER):
        transpose_blocks(values, start, bits)
        count = min(_TOGETHER, last - start)
        for j in range(rows.size):
            if rows[j] >= 0:
                for w in range(count):
                    planes[rows[j], start + w] = bits[j, w]


@kernel(types.void(NOTE, _WORDS, _INDICES, types.uint64[:, ::1]))
def _planes_at(note: int, values: np.ndarray, rows: np.ndarray, planes: np.ndarray) -> None:
    in_parts(_words_at, note, planes.shape[1], _TOGETHER, (values, rows, planes))


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


@kernel(types.void(*[_PLANES] * 2, *[_INDICES] * 2, _PAIRS, types.uint64[:, ::1]))
def enter_leaves(
    s: np.ndarray, c: np.ndarray, a: np.ndarray, b: np.ndarray, sums: np.ndarray, planes: np.ndarray
) -> None:
    """The planes of s at `a`, of c at `b`, both xored, zeros, and the first ones at sums[0] and at sums[1] xored."""
    leaves, words = a.size, planes.shape[1]
    for j in range(leaves):
        x, y = s[a[j]], c[b[j]]
        for w in range(words):
            planes[j, w] = x[w]
            planes[leaves + j, w] = y[w]
            planes[2 * leaves + j, w] = x[w] ^ y[w]
    for w in range(words):
        planes[3 * leaves, w] = 0
    for i in range(sums.shape[1]):
        for w in range(words):
            planes[3 * leaves + 1 + i, w] = planes[sums[0, i], w] ^ planes[sums[1, i], w]


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
    role_0, role_2 = slice(first_0, last_0), slice(first_2, last_2)
    pads, pads_previous, factors = pad_own[role_0], pad_previous[role_0], previous[role_0]
    for e in range(pads.size):  # from 0, as a place that might be negative costs Numba the vectors
        z[e] = pads[e] * factors[e] - pads_previous[e]
    to, pads, pads_previous, factors = z[pads.size :], pad_own[role_2], pad_previous[role_2], own[role_2]
    for e in range(pads.size):
        to[e] = beta_1[e] * factors[e] + pads[e] - pads_previous[e]


@part_of_kernels
def _less_twice(x: np.ndarray, z: np.ndarray, out: np.ndarray) -> None:
    """x - 2 z."""
    for e in range(out.size):
        out[e] = x[e] - (z[e] << np.uint64(1))


@kernel(types.void(*[_WORDS] * 8, *[types.int64] * 3, *[_WORDS] * 2, *[types.uint64[::1]] * 2))
def converted(
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    own: np.ndarray,
    previous: np.ndarray,
    beta_1: np.ndarray,
    beta_1_here: np.ndarray,
    z_0_here: np.ndarray,
    z_2_here: np.ndarray,
    first_0: int,
    first_1: int,
    first_2: int,
    z_0: np.ndarray,
    z_2: np.ndarray,
    bits_own: np.ndarray,
    bits_previous: np.ndarray,
) -> None:
    """beta + b_2 - 2 z, of the parts that begin there in which the party has role 0, 1 and 2."""
    role_0, role_1 = slice(first_0, first_0 + z_0.size), slice(first_1, first_1 + beta_1.size)
    role_2 = slice(first_2, first_2 + z_2.size)
    _less_twice(pad_own[role_0], z_0, bits_own[role_0])
    _less_twice(previous[role_0], z_2_here, bits_previous[role_0])
    _less_twice(beta_1, pad_own[role_1], bits_own[role_1])
    _less_twice(pad_previous[role_1], z_0_here, bits_previous[role_1])
    _less_twice(own[role_2], z_2, bits_own[role_2])
    _less_twice(beta_1_here, pad_previous[role_2], bits_previous[role_2])


def and_shares(pads: Pads, own: np.ndarray, previous: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """A party's xor share of the planes at `left` & those at `right`, masked by both pads: (products, words).

    own, previous: the components of all planes (p, words).
    """
    z = np.empty((left.size, own.shape[1]), np.uint64)
    own, previous = np.ascontiguousarray(own), np.ascontiguousarray(previous)
    _and_shares(helpers(z.size // _WORTH), own, previous, left, right, *pads, z)
    return z


def majority_shares(pads: Pads, x_own: np.ndarray, x_previous: np.ndarray) -> np.ndarray:
    """A party's xor share of the majority of x's three components: the xor over i of x_i & x_{i-1}."""
    z = np.empty(x_own.shape, np.uint64)
    x_own, x_previous = np.ascontiguousarray(x_own), np.ascontiguousarray(x_previous)
    _majority_shares(helpers(z.size // _WORTH), *pads, x_own, x_previous, z)
    return z


@part_of_kernels
def _words_of_products(
    who: int,
    first: int,
    last: int,
    own: np.ndarray,
    previous: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    z: np.ndarray,
) -> None:
    """Words first .. last - 1 of the products."""
    words = own.shape[1]
    while first < last:
        i, w = divmod(first, words)
        here = slice(w, min(words, w + last - first))
        x_own, x_previous = own[left[i], here], previous[left[i], here]
        y_own, y_previous = own[right[i], here], previous[right[i], here]
        out, pads_own, pads_previous = z[i, here], pad_own[i, here], pad_previous[i, here]
        for e in range(out.size):
            terms = (x_own[e] & (y_own[e] ^ y_previous[e])) ^ (x_previous[e] & y_own[e])
            out[e] = terms ^ pads_own[e] ^ pads_previous[e]
        first += out.size


@kernel(types.void(NOTE, *[_PLANES] * 2, *[_INDICES] * 2, *[_PLANES] * 2, types.uint64[:, ::1]))
def _and_shares(
    note: int,
    own: np.ndarray,
    previous: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    z: np.ndarray,
) -> None:
    arguments = (own, previous, left, right, pad_own, pad_previous, z)
    in_parts(_words_of_products, note, z.size, _TOGETHER, arguments)


@part_of_kernels
def _words_of_majorities(
    who: int,
    first: int,
    last: int,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    x_own: np.ndarray,
    x_previous: np.ndarray,
    z: np.ndarray,
) -> None:
    """Words first .. last - 1."""
    x_own, x_previous, out = (
        x_own.reshape(-1)[first:last],
        x_previous.reshape(-1)[first:last],
        z.reshape(-1)[first:last],
    )
    pads, pads_previous = pad_own.reshape(-1)[first:last], pad_previous.reshape(-1)[first:last]
    for e in range(out.size):
        out[e] = (x_own[e] & x_previous[e]) ^ pads[e] ^ pads_previous[e]


@kernel(types.void(NOTE, *[_PLANES] * 4, types.uint64[:, ::1]))
def _majority_shares(
    note: int,
    pad_own: np.ndarray,
    pad_previous: np.ndarray,
    x_own: np.ndarray,
    x_previous: np.ndarray,
    z: np.ndarray,
) -> None:
    in_parts(_words_of_majorities, note, z.size, _TOGETHER, (pad_own, pad_previous, x_own, x_previous, z))
