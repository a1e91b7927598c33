"""Sums over 48 random subsets at once, of the rows or columns of matrices: bit k of a member says whether one is in
subset k.

Members are put in buckets by a few bits at a time, so that a number is added once for several subsets.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, kernel_unless, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import SUBSETS, lookups, row_sums
from mpc_tamper.engines.rep3.kernels.expectation import SUMS_OVER_SUBSETS, expect

_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_SUMS = types.void(_V, _M, types.int64, types.int64, _OUT2)
_BYTES = SUBSETS // 8
_BYTE, _8 = np.uint64(255), np.uint64(8)
# Of matrices: columns that are added at a time. Many members fill 256 buckets at a time, narrow ones so that they stay
# near the core; few members are better spread over few buckets. Compilers know most where each loop stands by itself.
_NARROW, _WIDE = 8, 64
_MANY = 1500
# What a thread has to have for it to pay.
_WORTH_ENTRIES = 1 << 13
_4, _LOW_4, _6, _LOW_6 = np.uint64(4), np.uint64(15), np.uint64(6), np.uint64(63)


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
    _add_rows(helpers(x.size // _WORTH_ENTRIES), members, x, out)
    return out


def sums_of_columns(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum over columns j in subset k of x_ij, modulo 2^64: (48, m). members: (n,); x: (m, n)."""
    out = np.zeros((SUBSETS, len(x)), np.uint64)
    _add_columns(helpers(x.size // _WORTH_ENTRIES), members, x, out)
    return out


@kernel_unless(lookups.has_instruction(), _SUMS)
def rows_in_buckets(members: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    if members.size > _MANY:
        _add_many_rows(members, x, first, last, out)
    else:
        _add_few_rows(members, x, first, last, out)


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


@part_of_kernels
def _members(members: np.ndarray) -> np.ndarray:
    return members


# What the sums of rows, or of columns, take in place of members, and how they are added: for several matrices that
# have the same.
prepared_rows, add_prepared_rows = (
    (row_sums.offsets_of, row_sums.add_rows) if lookups.has_instruction() else (_members, rows_in_buckets)
)
prepared_columns, add_prepared_columns = (
    (lookups.places_of, lookups.add_columns) if lookups.has_instruction() else (_members, columns_in_buckets)
)


@part_of_kernels
def _add_some_rows(who: int, first: int, last: int, prepared: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    add_prepared_rows(prepared, x, first, last, out)


@part_of_kernels
def _add_some_columns(who: int, first: int, last: int, prepared: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    add_prepared_columns(prepared, x, first, last, out)


@kernel(types.void(NOTE, _V, _M, _OUT2))
def _add_rows(note: int, members: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out[k, c] += the sum of x[i, c] over the rows i in subset k."""
    in_parts(_add_some_rows, note, x.shape[1], _WIDE, (prepared_rows(members), x, out))


@kernel(types.void(NOTE, _V, _M, _OUT2))
def _add_columns(note: int, members: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """out[k, i] += the sum of x[i, c] over the columns c in subset k."""
    in_parts(_add_some_columns, note, len(x), _NARROW, (prepared_columns(members), x, out))


def check() -> None:
    """Compare the sums with NumPy's, once a process has loaded them: both verifiers add up X and Z = X Y alike, so that
    rows that a kernel forgot would be missing on both sides of a claim, and an error in them would pass.

    Raises EngineUnavailable.
    """
    m, n = 132, 70  # whole blocks and strips, and what is left of them
    x = (np.arange(1, m * n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(m, n)
    x[:2], x[-2:] = np.uint64(2**64 - 1), np.uint64(2**63)
    members = np.arange(1, m + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03) >> np.uint64(64 - SUBSETS)
    many = _MANY + 3
    few = [(members[:rows], x[:rows]) for rows in (3, 5, 6, m)]  # a last group of four has one, two and three rows
    for some, of in (*few, (np.resize(members, many), np.resize(x, (many, 9)))):
        indicators = some >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)
        for sums_of, entries in ((sums_of_rows, of), (sums_of_columns, np.ascontiguousarray(of.T))):
            expect(SUMS_OVER_SUBSETS, sums_of(some, entries), indicators @ of)


check()
