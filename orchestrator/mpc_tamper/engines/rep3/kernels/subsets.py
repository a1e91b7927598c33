"""Sums over 48 random subsets at once, of numbers and of the rows of matrices: bit k of a member says whether it is in
subset k.

Members are put in buckets by a few bits at a time, so that a number is added once for several subsets.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.kernels.compilation import kernel, kernel_unless, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels import SUBSETS, lookups, row_sums
from mpc_tamper.engines.rep3.kernels.int128 import add, add_product_of_words
from mpc_tamper.engines.rep3.kernels.ring_128 import sums
from mpc_tamper.engines.rep3.kernels.weights import times_words, weights, weights_of_members

__all__ = [  # weights of gates belong here, and would make this file too long
    "add_products",
    "add_words",
    "check",
    "no_products",
    "no_words",
    "products_of_subsets",
    "sums_of_columns",
    "sums_of_rows",
    "times_words",
    "weights",
    "weights_of_members",
    "words_of_subsets",
]

_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_SUMS = types.void(_V, _M, types.int64, types.int64, _OUT2)
_BYTES = SUBSETS // 8
_BYTE, _8 = np.uint64(255), np.uint64(8)
# Of matrices: columns that are added at a time. Many members fill 256 buckets at a time, narrow ones so that they stay
# near the core; few members are better spread over few buckets. Compilers know most where each loop stands by itself.
_NARROW, _WIDE = 8, 64
_MANY = 1500
# What a thread has to have for it to pay.
_WORTH_WORDS, _WORTH_ENTRIES = 1 << 16, 1 << 19
_4, _LOW_4, _6, _LOW_6 = np.uint64(4), np.uint64(15), np.uint64(6), np.uint64(63)


def no_words() -> np.ndarray:
    """Empty buckets for add_words."""
    return np.zeros((_BYTES, 256), np.uint64)


def no_products() -> np.ndarray:
    """Empty buckets for add_products."""
    return np.zeros((_BYTES, 256, 2), np.uint64)


def add_words(members: np.ndarray, words: np.ndarray, buckets: np.ndarray) -> None:
    """Each word to six buckets. members, words: (n,)."""
    parts = ranges(members.size, members.size // _WORTH_WORDS)
    others = np.zeros((len(parts) - 1, *buckets.shape), np.uint64)
    each = zip(parts, (buckets, *others), strict=True)
    together(_add_words, [(members[a:b], words[a:b], to) for (a, b), to in each])
    for other in others:
        buckets += other


@kernel(types.void(_V, _V, _OUT2))
def _add_words(members: np.ndarray, words: np.ndarray, buckets: np.ndarray) -> None:
    for c in range(members.size):
        x, word = members[c], words[c]
        for group in range(_BYTES):
            buckets[group, x & _BYTE] += word
            x >>= _8


@kernel(_OUT1(_M))
def words_of_subsets(buckets: np.ndarray) -> np.ndarray:
    """The sums over the subsets modulo 2^64: (48,)."""
    out = np.zeros(SUBSETS, np.uint64)
    for k in range(SUBSETS):
        for i in range(256):
            if i >> (k & 7) & 1:
                out[k] += buckets[k >> 3, i]
    return out


def add_products(members: np.ndarray, u: np.ndarray, v: np.ndarray, buckets: np.ndarray) -> None:
    """Each gate's sum of products, modulo 2^128, to six buckets. members: (n,); u, v: (n inner,) words."""
    inner = u.size // max(1, members.size)
    parts = ranges(members.size, u.size // _WORTH_WORDS)
    others = np.zeros((len(parts) - 1, *buckets.shape), np.uint64)
    calls = []
    for (a, b), to in zip(parts, (buckets, *others), strict=True):
        calls.append((members[a:b], u[a * inner : b * inner], v[a * inner : b * inner], to))
    together(_add_products, calls)
    for other in others:
        buckets[:] = sums(buckets.reshape(-1, 2), other.reshape(-1, 2)).reshape(buckets.shape)


@kernel(types.void(_V, _V, _V, _OUT3))
def _add_products(members: np.ndarray, u: np.ndarray, v: np.ndarray, buckets: np.ndarray) -> None:
    inner = u.size // max(1, members.size)
    for c in range(members.size):
        low = high = np.uint64(0)
        for i in range(c * inner, (c + 1) * inner):
            low, high = add_product_of_words(low, high, u[i], v[i])
        x = members[c]
        for group in range(_BYTES):
            b = buckets[group, x & _BYTE]
            b[0], b[1] = add(b[0], b[1], low, high)
            x >>= _8


@kernel(_OUT2(_T))
def products_of_subsets(buckets: np.ndarray) -> np.ndarray:
    """The sums over the subsets modulo 2^128: (48, 2)."""
    out = np.zeros((SUBSETS, 2), np.uint64)
    for k in range(SUBSETS):
        for i in range(256):
            if i >> (k & 7) & 1:
                b = buckets[k >> 3, i]
                out[k, 0], out[k, 1] = add(out[k, 0], out[k, 1], b[0], b[1])
    return out


@part_of_kernels
def _totals(buckets: np.ndarray, out: np.ndarray, start: int, size: int) -> None:
    """The subsets' sums of one strip, into columns `start` .. of out. Buckets are overwritten: each half onto the
    other, what has bit k is taken off the top."""
    groups, strip = len(buckets), buckets.shape[2]
    for group in range(groups):
        half = buckets.shape[1] // 2
        k = (group + 1) * (SUBSETS // groups)
        while half:
            k -= 1
            for i in range(half):
                upper, lower = buckets[group, half + i], buckets[group, i]
                for j in range(strip):
                    lower[j] += upper[j]
                for j in range(size):
                    out[k, start + j] += upper[j]
            half //= 2


@kernel_unless(lookups.has_instruction(), _SUMS)
def _add_many_rows(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Of columns first .. last - 1."""
    buckets = np.empty((_BYTES, 256, _NARROW), np.uint64)
    for start in range(first, last, _NARROW):
        size = min(_NARROW, last - start)
        buckets[:] = np.uint64(0)
        if size == _NARROW:  # a vector
            for i in range(members.size):
                y = members[i]
                row = x[i, start : start + _NARROW]
                for group in range(_BYTES):
                    to = buckets[group, y & _BYTE]
                    y >>= _8
                    for j in range(_NARROW):
                        to[j] += row[j]
        else:
            for i in range(members.size):
                y = members[i]
                for group in range(_BYTES):
                    to = buckets[group, y & _BYTE]
                    y >>= _8
                    for j in range(size):
                        to[j] += x[i, start + j]
        _totals(buckets, out, start, size)


@kernel_unless(lookups.has_instruction(), _SUMS)
def _add_few_rows(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    buckets = np.empty((SUBSETS // 4, 16, _WIDE), np.uint64)
    for start in range(first, last, _WIDE):
        size = min(_WIDE, last - start)
        buckets[:] = np.uint64(0)
        for i in range(members.size):
            y = members[i]
            row = x[i, start : start + size]
            for group in range(SUBSETS // 4):
                to = buckets[group, y & _LOW_4]
                y >>= _4
                for j in range(size):
                    to[j] += row[j]
        _totals(buckets, out, start, size)


def sums_of_rows(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over rows i in subset k of x_ij, modulo 2^64: (48, n). members: (m,); x: (m, n)."""
    out = np.zeros((SUBSETS, x.shape[1]), np.uint64)
    parts = ranges(x.shape[1], x.size // _WORTH_ENTRIES, _WIDE)
    together(add_rows, [(members, x, first, last, out) for first, last in parts])
    return out


def sums_of_columns(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over columns j in subset k of x_ij, modulo 2^64: (48, m). members: (n,); x: (m, n)."""
    out = np.zeros((SUBSETS, len(x)), np.uint64)
    parts = ranges(len(x), x.size // _WORTH_ENTRIES, _NARROW)
    together(add_columns, [(members, x, first, last, out) for first, last in parts])
    return out


@kernel_unless(lookups.has_instruction(), _SUMS)
def rows_in_buckets(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    if members.size > _MANY:
        _add_many_rows(members, x, first, last, out)
    else:
        _add_few_rows(members, x, first, last, out)


@kernel_where(lookups.has_instruction(), rows_in_buckets, _SUMS)
def add_rows(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[k, c] += the sum of x[i, c] over the rows i in subset k, for c from first to last - 1."""
    row_sums.add_rows(row_sums.offsets_of(members), x, first, last, out)


@kernel_unless(lookups.has_instruction(), _SUMS)
def columns_in_buckets(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Of rows first .. last - 1."""
    n = x.shape[1]
    buckets = np.empty((SUBSETS // 6, 64, _NARROW), np.uint64)
    turned = np.zeros((n, _NARROW), np.uint64)
    for start in range(first, last, _NARROW):
        size = min(_NARROW, last - start)
        for i in range(size):
            for j in range(n):
                turned[j, i] = x[start + i, j]
        buckets[:] = np.uint64(0)
        for i in range(n):
            y = members[i]
            row = turned[i]
            for group in range(SUBSETS // 6):
                to = buckets[group, y & _LOW_6]
                y >>= _6
                for j in range(_NARROW):
                    to[j] += row[j]
        _totals(buckets, out, start, size)


@kernel_where(lookups.has_instruction(), columns_in_buckets, _SUMS)
def add_columns(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[k, i] += the sum of x[i, c] over the columns c in subset k, for i from first to last - 1."""
    lookups.add_columns(lookups.places_of(members), x, first, last, out)


def check() -> None:
    """Compare the sums with NumPy's, once a process has loaded them: both verifiers add up X and Z = X Y alike, so that
    rows that a kernel forgot would be missing on both sides of a claim, and an error in them would pass.

    Raises EngineUnavailable.
    """
    m, n = 131, 70  # whole blocks and strips, and what is left of them
    x = (np.arange(1, m * n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(m, n)
    x[:2], x[-2:] = np.uint64(2**64 - 1), np.uint64(2**63)
    members = np.arange(1, m + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03) >> np.uint64(64 - SUBSETS)
    many = _MANY + 3
    for some, of in ((members, x), (members[:3], x[:3]), (np.resize(members, many), np.resize(x, (many, 9)))):
        indicators = some >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)
        for sums_of, entries in ((sums_of_rows, of), (sums_of_columns, np.ascontiguousarray(of.T))):
            expect(sums_of(some, entries), indicators @ of)


def expect(found: np.ndarray, right: np.ndarray) -> None:
    """Raises EngineUnavailable unless they are equal: sums over subsets, and what NumPy finds."""
    if not np.array_equal(found, right):
        raise EngineUnavailable(
            "expected the sums over subsets that NumPy finds, got others: the compiled kernels are wrong on "
            "this processor; clear Numba's cache (NUMBA_CACHE_DIR), or try NUMBA_CPU_NAME=generic"
        )


check()
