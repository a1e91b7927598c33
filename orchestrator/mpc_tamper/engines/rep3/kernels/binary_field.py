"""Inner products over GF(2^64), for the proof of AND gates: elements are uint64 words."""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, kernel_unless, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels.clmul import clmul, inverse, multiply, reduce
from mpc_tamper.engines.rep3.kernels.fetching import LINE, fetch
from mpc_tamper.engines.rep3.kernels.lane_products import TILE_A, TILE_B
from mpc_tamper.engines.rep3.kernels.row_products import rectangle_of_rows, triangle_of_rows
from mpc_tamper.engines.rep3.kernels.wide_clmul import WIDE, combination, has_wide_instruction, product_of_sums

_ADDRESS = types.uintp
_PAIR = types.UniTuple(types.uint64, 2)
_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
COLUMNS = 256  # of rows whose pairs are multiplied
_BLOCK = 512  # elements per row that are worked on together
# Products that a thread has to have for it to pay: of sums by the wide instruction, and of combinations.
_WORTH, _WORTH_COMBINING = 1 << 14, 1 << 13


@kernel_unless(has_wide_instruction(), _PAIR(_V, _V, _V, _V))
def sum_of_products(u_a: np.ndarray, v_a: np.ndarray, u_b: np.ndarray, v_b: np.ndarray) -> tuple[np.uint64, np.uint64]:
    """(low, high) of sum_c (u_a + u_b)_c (v_a + v_b)_c, unreduced."""
    low = high = np.uint64(0)
    for c in range(u_a.size):
        p_low, p_high = clmul(u_a[c] ^ u_b[c], v_a[c] ^ v_b[c])
        low ^= p_low
        high ^= p_high
    return low, high


@kernel_where(has_wide_instruction(), sum_of_products, _PAIR(_V, _V, _V, _V))
def sum_of_products_wide(
    u_a: np.ndarray, v_a: np.ndarray, u_b: np.ndarray, v_b: np.ndarray
) -> tuple[np.uint64, np.uint64]:
    """The same by the wide instruction."""
    vectors = u_a.size // WIDE
    low, high = product_of_sums(
        _ADDRESS(u_a.ctypes.data),
        _ADDRESS(v_a.ctypes.data),
        _ADDRESS(u_b.ctypes.data),
        _ADDRESS(v_b.ctypes.data),
        _ADDRESS(vectors),
    )
    for c in range(WIDE * vectors, u_a.size):
        p_low, p_high = clmul(u_a[c] ^ u_b[c], v_a[c] ^ v_b[c])
        low ^= p_low
        high ^= p_high
    return low, high


@part_of_kernels
def _add_pairs(u: np.ndarray, v: np.ndarray, whole: int, columns: int, size: int, sums: np.ndarray) -> None:
    """But for the first columns of pairs of the first `whole` rows."""
    zero = np.zeros(size, np.uint64)
    for b in range(len(u)):
        first = columns if b < whole else 0
        for a in range(b + 1 if first < size else 0):
            rows_a = (u[a, first:size], v[a, first:size]) if a < b else (zero[first:], zero[first:])
            low, high = sum_of_products_wide(rows_a[0], rows_a[1], u[b, first:size], v[b, first:size])
            sums[a, b, 0] ^= low
            sums[a, b, 1] ^= high


@kernel_unless(has_wide_instruction(), types.void(_M, _M, types.int64, _OUT3))
def add_pairs_one_by_one(u: np.ndarray, v: np.ndarray, size: int, sums: np.ndarray) -> None:
    """Adds sum_c (u_a + u_b)_c (v_a + v_b)_c for a < b, and sum_c (u_a v_a)_c, to sums, (k, k, 2): (low, high),
    unreduced. Of the first `size` columns."""
    _add_pairs(u, v, 0, 0, size, sums)


@kernel_where(has_wide_instruction(), add_pairs_one_by_one, types.void(_M, _M, types.int64, _OUT3))
def add_pairs_of_sums(u: np.ndarray, v: np.ndarray, size: int, sums: np.ndarray) -> None:
    """The same, several rows at a time."""
    k, vectors = len(u), size // WIDE
    whole = k // TILE_A * TILE_A
    base, to, behind = _ADDRESS(u.ctypes.data), _ADDRESS(sums.ctypes.data), _ADDRESS(v.ctypes.data)
    behind -= base
    stride, line, count = _ADDRESS(8 * u.shape[1]), _ADDRESS(16 * k), _ADDRESS(vectors)
    for a in range(0, whole, TILE_A):
        row, to_row = base + _ADDRESS(a) * stride, to + _ADDRESS(a) * line
        triangle_of_rows(row, row, stride, behind, count, to_row + _ADDRESS(16 * a), line)
        for b in range(a + TILE_A, whole, TILE_B):
            other = base + _ADDRESS(b) * stride
            rectangle_of_rows(row, other, stride, behind, count, to_row + _ADDRESS(16 * b), line)
    _add_pairs(u, v, whole, WIDE * vectors, size, sums)


@part_of_kernels
def without_squares(sums: np.ndarray) -> np.ndarray:
    """G_ab + G_ba and G_aa from what add_pairs_of_sums adds up: Karatsuba, one product for two."""
    k = len(sums)
    out = np.zeros((k, k), np.uint64)
    for a in range(k):
        for b in range(a, k):
            out[a, b] = reduce(sums[a, b, 0], sums[a, b, 1])
    for a in range(k):
        for b in range(a + 1, k):
            out[a, b] ^= out[a, a] ^ out[b, b]
    return out


def pair_sums(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """G_ab + G_ba for a < b, and G_aa, where G_ab = sum_c u_ac v_bc. u, v: (k, n). Zero below the diagonal."""
    return _pair_sums(helpers(u.size * len(u) // _WORTH), u, v)


@part_of_kernels
def copy_piece(out: np.ndarray, words: np.ndarray) -> None:
    """To its beginning; what stands behind the words, the next piece of a row, is fetched meanwhile."""
    behind = _ADDRESS(words.ctypes.data) + _ADDRESS(8 * words.size)
    for c in range(0, words.size, LINE):
        fetch(behind + _ADDRESS(8 * c))
    for c in range(words.size):
        out[c] = words[c]


@part_of_kernels
def _add_pairs_of_columns(who: int, first: int, last: int, u: np.ndarray, v: np.ndarray, sums: np.ndarray) -> None:
    """Of columns first .. last - 1, a few at a time: rows that are far apart drive each other out of the cache."""
    k = len(u)
    some_u, some_v = np.empty((k, COLUMNS), np.uint64), np.empty((k, COLUMNS), np.uint64)
    for start in range(first, last, COLUMNS):
        size = min(COLUMNS, last - start)
        for a in range(k):
            copy_piece(some_u[a], u[a, start : start + size])
            copy_piece(some_v[a], v[a, start : start + size])
        add_pairs_of_sums(some_u, some_v, size, sums[who])


@part_of_kernels
def sum_of_sums(sums: np.ndarray) -> np.ndarray:
    """Of what threads have added up, that of the first one."""
    for who in range(1, len(sums)):
        for a in range(sums.shape[1]):
            for b in range(sums.shape[2]):
                sums[0, a, b, 0] ^= sums[who, a, b, 0]
                sums[0, a, b, 1] ^= sums[who, a, b, 1]
    return sums[0]


@kernel(_OUT2(NOTE, _M, _M))
def _pair_sums(note: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    sums = np.zeros((threads_of(note), len(u), len(u), 2), np.uint64)
    in_parts(_add_pairs_of_columns, note, u.shape[1], COLUMNS, (u, v, sums))
    return without_squares(sum_of_sums(sums))


def combine(coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a u_a: (n,). u: (k, n) elements."""
    out = np.empty(u.shape[1], np.uint64)
    combine_to(coefficients, u, out)
    return out


def combine_to(coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """The same, into out."""
    _combine(helpers(u.size // _WORTH_COMBINING), coefficients, u, out)


@kernel_unless(has_wide_instruction(), types.void(_V, _M, types.int64, types.int64, _OUT1))
def _combine_one_by_one(coefficients: np.ndarray, u: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Of columns first .. last - 1."""
    k = len(u)
    low, high = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    for start in range(first, last, _BLOCK):
        size = min(_BLOCK, last - start)
        low[:] = np.uint64(0)
        high[:] = np.uint64(0)
        for a in range(k):
            coefficient = coefficients[a]
            for c in range(size):
                p_low, p_high = clmul(coefficient, u[a, start + c])
                low[c] ^= p_low
                high[c] ^= p_high
        for c in range(size):
            out[start + c] = reduce(low[c], high[c])


@kernel_where(has_wide_instruction(), _combine_one_by_one, types.void(_V, _M, types.int64, types.int64, _OUT1))
def combine_columns(coefficients: np.ndarray, u: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """The same by the wide instruction."""
    factors, place, stride = _ADDRESS(coefficients.ctypes.data), _ADDRESS(8 * first), _ADDRESS(8 * u.shape[1])
    vectors = (last - first) // WIDE
    rows, to = _ADDRESS(u.ctypes.data) + place, _ADDRESS(out.ctypes.data) + place
    combination(factors, rows, stride, _ADDRESS(len(u)), _ADDRESS(vectors), to)
    _combine_one_by_one(coefficients, u, first + WIDE * vectors, last, out)


@part_of_kernels
def _combine_some(who: int, first: int, last: int, coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    combine_columns(coefficients, u, first, last, out)


@kernel(types.void(NOTE, _V, _M, _OUT1))
def _combine(note: int, coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    in_parts(_combine_some, note, u.shape[1], COLUMNS, (coefficients, u, out))


@kernel(_OUT1(_M, _M))
def quadratic_forms(c: np.ndarray, g: np.ndarray) -> np.ndarray:
    """sum_ab c_qa c_qb g_ab, for each row c_q of c: (q,). c: (q, k); g: (k, k)."""
    out, combined = np.empty(len(c), np.uint64), np.empty(len(g), np.uint64)
    for q in range(len(c)):
        combine_columns(c[q], g, 0, combined.size, combined)
        low = high = np.uint64(0)
        for b in range(combined.size):
            p_low, p_high = clmul(c[q, b], combined[b])
            low ^= p_low
            high ^= p_high
        out[q] = reduce(low, high)
    return out


@kernel(_OUT1(_V, _V))
def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b, elementwise."""
    out = np.empty(a.size, np.uint64)
    for i in range(a.size):
        out[i] = multiply(a[i], b[i])
    return out


@kernel(_OUT1(_V))
def inverses(a: np.ndarray) -> np.ndarray:
    """1 / a, elementwise; 0 for 0."""
    out = np.empty(a.size, np.uint64)
    for i in range(a.size):
        out[i] = inverse(a[i])
    return out


@kernel(_OUT1(_V))
def products_of_differences(points: np.ndarray) -> np.ndarray:
    """The product of point_a + point_b over all b but a, for each a."""
    out = np.ones(points.size, np.uint64)
    for a in range(points.size):
        for b in range(points.size):
            if a != b:
                out[a] = multiply(out[a], points[a] ^ points[b])
    return out


@kernel(_OUT1(_V))
def products_of_others(factors: np.ndarray) -> np.ndarray:
    """The product of all factors but the a-th, for each a."""
    out = np.ones(factors.size, np.uint64)
    before = after = np.uint64(1)
    for a in range(factors.size):
        out[a] = multiply(out[a], before)
        before = multiply(before, factors[a])
    for a in range(factors.size - 1, -1, -1):
        out[a] = multiply(out[a], after)
        after = multiply(after, factors[a])
    return out
