"""Inner products over GF(2^64), for the proof of AND gates: elements are uint64 words.

A word of 64 gates stands for the polynomial whose coefficients are its bits: with weight w for the word, gate j has
weight X^j w, and the weighted sum of 64 ANDs is one AND and one carry-less multiplication.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.rep3.kernels.bit_ops import _transpose
from mpc_tamper.engines.rep3.kernels.clmul import clmul, inverse, multiply, reduce
from mpc_tamper.engines.rep3.kernels.compilation import kernel

_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_8, _16, _24, _32, _40, _48, _56 = (np.uint64(8 * i) for i in range(1, 8))
_BLOCK = 128  # words per row that are worked on together: 64 rows of them stay in the cache next to the core


@kernel(_OUT2(_M, _M, _V))
def gram_of_bits(u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """G_ab = sum over words c and bits j of X^j w_c u_acj v_bcj. u, v: (k, n) words; weights: (n,)."""
    k, n = u.shape
    low, high = np.zeros((k, k), np.uint64), np.zeros((k, k), np.uint64)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        w = weights[start:stop]
        for a in range(k):
            ua = u[a, start:stop]
            for b in range(k):
                vb = v[b, start:stop]
                s_low = s_high = np.uint64(0)
                for c in range(stop - start):
                    p_low, p_high = clmul(ua[c] & vb[c], w[c])
                    s_low ^= p_low
                    s_high ^= p_high
                low[a, b] ^= s_low
                high[a, b] ^= s_high
    for a in range(k):
        for b in range(k):
            low[a, b] = reduce(low[a, b], high[a, b])
    return low


@kernel(types.void(_V, _M, _OUT1))
def combine_bits(coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """sum_a coefficient_a u_a, a field element per bit, into out (64 n,). u: (k, n) words, k <= 64.

    The k bits of a lane, one from each row, pick what to add from tables for eight rows at a time.
    """
    k, n = u.shape
    t = np.zeros((8, 256), np.uint64)
    for a in range(k):
        group, bit = a >> 3, 1 << (a & 7)
        for low in range(bit):
            t[group, bit + low] = t[group, low] ^ coefficients[a]
    block = np.empty(64, np.uint64)
    byte = np.uint64(255)
    for c in range(n):
        for a in range(k):
            block[a] = u[a, c]
        for a in range(k, 64):
            block[a] = np.uint64(0)
        _transpose(block)
        for j in range(64):
            p = block[j]
            s = t[0, p & byte] ^ t[1, (p >> _8) & byte] ^ t[2, (p >> _16) & byte] ^ t[3, (p >> _24) & byte]
            if k > 32:
                s ^= t[4, (p >> _32) & byte] ^ t[5, (p >> _40) & byte]
                s ^= t[6, (p >> _48) & byte] ^ t[7, p >> _56]
            out[64 * c + j] = s


@kernel(types.void(_V, _OUT1))
def weigh_lanes(weights: np.ndarray, x: np.ndarray) -> None:
    """X^j w_c x_cj in place of x_cj, for the elements x (64 n,) of all lanes; weights: (n,)."""
    for c in range(weights.size):
        w = weights[c]
        for j in range(64):
            x[64 * c + j] = multiply(w, x[64 * c + j])
            w = reduce(w << np.uint64(1), w >> np.uint64(63))


@kernel(_OUT1(_V, _M))
def weighted_rows_of_bits(weights: np.ndarray, t: np.ndarray) -> np.ndarray:
    """sum over words c and bits j of X^j w_c t_acj, for each row a: (k,). t: (k, n) words."""
    k, n = t.shape
    out = np.empty(k, np.uint64)
    for a in range(k):
        s_low = s_high = np.uint64(0)
        for c in range(n):
            p_low, p_high = clmul(t[a, c], weights[c])
            s_low ^= p_low
            s_high ^= p_high
        out[a] = reduce(s_low, s_high)
    return out


@kernel(_OUT2(_M, _M))
def gram(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """G_ab = sum_c u_ac v_bc. u, v: (k, n) elements."""
    k, n = u.shape
    low, high = np.zeros((k, k), np.uint64), np.zeros((k, k), np.uint64)
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        for a in range(k):
            ua = u[a, start:stop]
            for b in range(k):
                vb = v[b, start:stop]
                s_low = s_high = np.uint64(0)
                for c in range(stop - start):
                    p_low, p_high = clmul(ua[c], vb[c])
                    s_low ^= p_low
                    s_high ^= p_high
                low[a, b] ^= s_low
                high[a, b] ^= s_high
    for a in range(k):
        for b in range(k):
            low[a, b] = reduce(low[a, b], high[a, b])
    return low


@kernel(_OUT1(_V, _M))
def combine(coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a u_a: (n,). u: (k, n) elements."""
    k, n = u.shape
    out = np.empty(n, np.uint64)
    low, high = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    for start in range(0, n, _BLOCK):
        size = min(_BLOCK, n - start)
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
