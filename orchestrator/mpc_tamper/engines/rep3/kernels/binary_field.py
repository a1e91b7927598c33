"""Inner products over GF(2^64), for the proof of AND gates: elements are uint64 words."""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, kernel_unless, kernel_where
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels.clmul import clmul, inverse, multiply, reduce
from mpc_tamper.engines.rep3.kernels.wide_clmul import WIDE, combination, has_wide_instruction, product_of_sums

_ADDRESS = types.uintp
_PAIR = types.UniTuple(types.uint64, 2)
_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_BLOCK = 512  # elements per row that are worked on together
# Products that a thread has to have for it to pay: of sums by the wide instruction, and of combinations.
_WORTH, _WORTH_COMBINING = 1 << 20, 1 << 17


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


def pair_sums(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """G_ab + G_ba for a < b, and G_aa, where G_ab = sum_c u_ac v_bc. u, v: (k, n). Zero below the diagonal."""
    parts = ranges(u.shape[1], u.size * len(u) // _WORTH, _BLOCK)
    first, *others = together(_pair_sums, [(u, v, a, b) for a, b in parts])
    for other in others:
        first ^= other
    return first


@kernel(_OUT2(_M, _M, types.int64, types.int64))
def _pair_sums(u: np.ndarray, v: np.ndarray, first: int, last: int) -> np.ndarray:
    """Of columns first .. last - 1.

    Karatsuba: G_ab + G_ba = <u_a + u_b, v_a + v_b> - G_aa - G_bb, one product for two.
    """
    k = len(u)
    low, high = np.zeros((k, k), np.uint64), np.zeros((k, k), np.uint64)
    zero = np.zeros(_BLOCK, np.uint64)
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        nothing = zero[: stop - start]
        for a in range(k):
            u_a, v_a = u[a, start:stop], v[a, start:stop]
            for b in range(a, k):
                if a == b:
                    s_low, s_high = sum_of_products_wide(u_a, v_a, nothing, nothing)
                else:
                    s_low, s_high = sum_of_products_wide(u_a, v_a, u[b, start:stop], v[b, start:stop])
                low[a, b] ^= s_low
                high[a, b] ^= s_high
    for a in range(k):
        for b in range(a, k):
            low[a, b] = reduce(low[a, b], high[a, b])
    for a in range(k):
        for b in range(a + 1, k):
            low[a, b] ^= low[a, a] ^ low[b, b]
    return low


def combine(coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a u_a: (n,). u: (k, n) elements."""
    out = np.empty(u.shape[1], np.uint64)
    combine_to(coefficients, u, out)
    return out


def combine_to(coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """The same, into out."""
    parts = ranges(u.shape[1], u.size // _WORTH_COMBINING, _BLOCK)
    together(combine_columns, [(coefficients, u, first, last, out) for first, last in parts])


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
