"""Inner products over the Galois ring GR(2^64, 64) = Z_2^64[X] / (X^64 - X^4 - X^3 - X - 1), for the proof of products.

An element is 64 words, the coefficients of 1, X, .., X^63 modulo 2^64. The polynomial is irreducible modulo 2, so
elements that differ modulo 2 have an invertible difference. Sparse weights have coefficients 0 and 1, few of them 1,
and are given as the positions of the ones: a weighted sum is additions only.

Products are Karatsuba's, in three steps: expand (64 coefficients to 3^6 values, a linear map), multiply value by value,
interpolate. Sums are taken between the last two, so that a sum of products is interpolated once.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.rep3.kernels.compilation import kernel

DEGREE = 64
_VALUES = 729
_TILE = 8  # rows of a Gram matrix that are worked on together, so that their 64 sums stay in the cache
_COLUMNS = 4
_WIDTH = 256  # words of a row that are worked on together
_HEIGHT = 128  # words of a column

_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_S = types.Array(types.uint8, 2, "C", readonly=True)
_ROW = types.uint64[::1]
_ROW_IN = types.Array(types.uint64, 1, "C", readonly=True)


@kernel(types.void(_ROW, _ROW))
def _fold(product: np.ndarray, out: np.ndarray) -> None:
    """The remainder of a product (127 or 128 coefficients, overwritten): X^64 = X^4 + X^3 + X + 1."""
    for i in range(2 * DEGREE - 2, DEGREE - 1, -1):
        c = product[i]
        product[i - 64] += c
        product[i - 63] += c
        product[i - 61] += c
        product[i - 60] += c
    out[:] = product[:DEGREE]


@kernel(types.void(_ROW_IN, _ROW, _ROW))
def _expand(x: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
    """(64,) coefficients to (729,) values: each step turns pairs of blocks into low, high and sum. scratch: (729,)."""
    out[:DEGREE] = x
    source, target = out, scratch
    blocks, width = DEGREE, 1
    while blocks > 1:
        for p in range(blocks // 2):
            low, to = 2 * p * width, 3 * p * width
            for i in range(width):
                a, b = source[low + i], source[low + width + i]
                target[to + i] = a
                target[to + width + i] = b
                target[to + 2 * width + i] = a + b
        blocks, width = blocks // 2, 3 * width
        source, target = target, source  # six times: the result stands in out


@kernel(types.void(_ROW, _ROW, _ROW))
def _interpolate(values: np.ndarray, out: np.ndarray, scratch: np.ndarray) -> None:
    """(729,) products of values to the element (64,). Undoes the steps of _expand in their order: triples of
    polynomials in X become one of twice the length. values is overwritten; scratch: (729,)."""
    source, target = values, scratch
    triples, half = _VALUES // 3, 1
    while half < DEGREE:
        size, wide = 2 * half - 1, 4 * half - 1
        for q in range(triples):
            first, to = 3 * q * size, q * wide
            second, third = first + size, first + 2 * size
            target[to + size] = np.uint64(0)
            for i in range(size):
                target[to + i] = source[first + i]
                target[to + 2 * half + i] = source[second + i]
            for i in range(size):
                target[to + half + i] += source[third + i] - source[first + i] - source[second + i]
        triples, half = triples // 3, 2 * half
        source, target = target, source
    _fold(source, out)


@kernel(_OUT3(_M, _M, _S))
def gram_of_words(u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """G_ab = sum_c w_c u_ca v_cb, (k, k, 64). u, v: (n, k) words, a row per column; weights: (n, ones)."""
    n, k = u.shape
    sums = np.zeros((DEGREE, k, k), np.uint64)
    tile = np.empty((_TILE, k), np.uint64)
    for first in range(0, k, _TILE):
        rows = min(_TILE, k - first)
        for c in range(n):
            for a in range(rows):
                uca = u[c, first + a]
                for b in range(k):
                    tile[a, b] = uca * v[c, b]
            for s in weights[c]:
                for a in range(rows):
                    for b in range(k):
                        sums[s, first + a, b] += tile[a, b]
    out = np.empty((k, k, DEGREE), np.uint64)
    for s in range(DEGREE):
        out[:, :, s] = sums[s]
    return out


@kernel(types.void(_M, _M, _OUT2))
def combine_words(coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """sum_a coefficient_a u_ca, into out (n, 64). coefficients: (k, 64); u: (n, k) words."""
    n, k = u.shape
    total = np.empty(DEGREE, np.uint64)
    by_four = k - k % 4
    for c in range(n):
        total[:] = np.uint64(0)
        for a in range(0, by_four, 4):
            u0, u1, u2, u3 = u[c, a], u[c, a + 1], u[c, a + 2], u[c, a + 3]
            c0, c1, c2, c3 = coefficients[a], coefficients[a + 1], coefficients[a + 2], coefficients[a + 3]
            for s in range(DEGREE):
                total[s] += u0 * c0[s] + u1 * c1[s] + u2 * c2[s] + u3 * c3[s]
        for a in range(by_four, k):
            for s in range(DEGREE):
                total[s] += u[c, a] * coefficients[a, s]
        out[c] = total


@kernel(types.void(_S, _OUT2))
def weigh(weights: np.ndarray, x: np.ndarray) -> None:
    """w_c x_c in place of x_c. weights: (n, ones); x: (n, 64)."""
    product = np.empty(2 * DEGREE, np.uint64)
    for c in range(x.shape[0]):
        product[:] = np.uint64(0)
        for s in weights[c]:
            for i in range(DEGREE):
                product[s + i] += x[c, i]
        _fold(product, x[c])


@kernel(_OUT2(_S, _M))
def weighted_sum(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_i w_i x_ij: (n, 64). weights: (m, ones); x: (m, n) words."""
    m, n = x.shape
    out = np.empty((n, DEGREE), np.uint64)
    sums = np.empty((DEGREE, _WIDTH), np.uint64)
    for start in range(0, n, _WIDTH):
        size = min(_WIDTH, n - start)
        sums[:] = np.uint64(0)
        for i in range(m):
            row = x[i, start : start + size]
            for s in weights[i]:
                to = sums[s]
                for j in range(size):
                    to[j] += row[j]
        for j in range(size):
            for s in range(DEGREE):
                out[start + j, s] = sums[s, j]
    return out


@kernel(_OUT2(_S, _M))
def weighted_sum_of_columns(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_j x_ij w_j: (m, 64). weights: (n, ones); x: (m, n) words."""
    m, n = x.shape
    out = np.empty((m, DEGREE), np.uint64)
    sums = np.empty((DEGREE, _HEIGHT), np.uint64)
    turned = np.empty((DEGREE, _HEIGHT), np.uint64)
    for start in range(0, m, _HEIGHT):
        size = min(_HEIGHT, m - start)
        sums[:] = np.uint64(0)
        for first in range(0, n, DEGREE):
            columns = min(DEGREE, n - first)
            for i in range(size):
                for j in range(columns):
                    turned[j, i] = x[start + i, first + j]
            for j in range(columns):
                row = turned[j]
                for s in weights[first + j]:
                    to = sums[s]
                    for i in range(size):
                        to[i] += row[i]
        for i in range(size):
            for s in range(DEGREE):
                out[start + i, s] = sums[s, i]
    return out


@kernel(_OUT3(_T, _T))
def gram(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """G_ab = sum_c u_ac v_bc: (k, k, 64). u, v: (k, n, 64)."""
    k, n = u.shape[0], u.shape[1]
    sums = np.zeros((k, k, _VALUES), np.uint64)
    eu, ev = np.empty((k, _COLUMNS, _VALUES), np.uint64), np.empty((k, _COLUMNS, _VALUES), np.uint64)
    scratch = np.empty(_VALUES, np.uint64)
    for start in range(0, n, _COLUMNS):
        columns = min(_COLUMNS, n - start)
        for a in range(k):
            for c in range(columns):
                _expand(u[a, start + c], eu[a, c], scratch)
                _expand(v[a, start + c], ev[a, c], scratch)
        for a in range(k):
            for b in range(k):
                to = sums[a, b]
                if columns == _COLUMNS:
                    u0, u1, u2, u3 = eu[a, 0], eu[a, 1], eu[a, 2], eu[a, 3]
                    v0, v1, v2, v3 = ev[b, 0], ev[b, 1], ev[b, 2], ev[b, 3]
                    for i in range(_VALUES):
                        to[i] += u0[i] * v0[i] + u1[i] * v1[i] + u2[i] * v2[i] + u3[i] * v3[i]
                else:
                    for c in range(columns):
                        for i in range(_VALUES):
                            to[i] += eu[a, c, i] * ev[b, c, i]
    out = np.empty((k, k, DEGREE), np.uint64)
    for a in range(k):
        for b in range(k):
            _interpolate(sums[a, b], out[a, b], scratch)
    return out


@kernel(_OUT2(_M, _T))
def combine(coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a u_a: (n, 64). coefficients: (k, 64); u: (k, n, 64)."""
    k, n = u.shape[0], u.shape[1]
    expanded = np.empty((k, _VALUES), np.uint64)
    value, scratch, total = (np.empty(_VALUES, np.uint64), np.empty(_VALUES, np.uint64), np.empty(_VALUES, np.uint64))
    for a in range(k):
        _expand(coefficients[a], expanded[a], scratch)
    out = np.empty((n, DEGREE), np.uint64)
    for c in range(n):
        total[:] = np.uint64(0)
        for a in range(k):
            _expand(u[a, c], value, scratch)
            coefficient = expanded[a]
            for i in range(_VALUES):
                total[i] += coefficient[i] * value[i]
        _interpolate(total, out[c], scratch)
    return out


@kernel(_OUT2(_M, _M))
def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a b, elementwise: (n, 64)."""
    n = a.shape[0]
    ea, eb, scratch = (np.empty(_VALUES, np.uint64), np.empty(_VALUES, np.uint64), np.empty(_VALUES, np.uint64))
    out = np.empty((n, DEGREE), np.uint64)
    for i in range(n):
        _expand(a[i], ea, scratch)
        _expand(b[i], eb, scratch)
        ea *= eb
        _interpolate(ea, out[i], scratch)
    return out


@kernel(types.Array(types.uint8, 2, "C")(_ROW, types.int64))
def sparse_positions(words: np.ndarray, ones: int) -> np.ndarray:
    """The positions of the ones in those words that have exactly `ones` of them: (at most words.size, ones) uint8."""
    out = np.empty((words.size, ones), np.uint8)
    kept = 0
    for word in words:
        pairs = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
        fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
        bytes_ = (fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        if (bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56) != np.uint64(ones):
            continue
        found = 0
        for s in range(DEGREE):
            if word >> np.uint64(s) & np.uint64(1):
                out[kept, found] = s
                found += 1
        kept += 1
    return out[:kept].copy()
