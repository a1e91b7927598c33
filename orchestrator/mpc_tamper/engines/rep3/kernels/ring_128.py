"""Inner products modulo 2^128, for the proof of products: elements are (low, high) words, arrays (.., 2).

The rows of a first level are interleaved, entry c standing in row c mod k, so that a record is folded as it lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.matmul import matmul
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels.int128 import (
    add,
    add_product,
    add_product_by_word,
    add_product_of_words,
    subtract,
)

_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_COLUMNS = 48  # per row that are worked on together
_TILE = 4
_WORTH = 1 << 16  # products that a thread has to have for it to pay
_WORTH_FOLDING = 1 << 14  # entries


@kernel(_OUT2(_M, _M))
def sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, elementwise."""
    out = np.empty_like(a)
    for i in range(len(a)):
        out[i, 0], out[i, 1] = add(a[i, 0], a[i, 1], b[i, 0], b[i, 1])
    return out


@kernel(_OUT2(_M, _M))
def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a - b, elementwise."""
    out = np.empty_like(a)
    for i in range(len(a)):
        out[i, 0], out[i, 1] = subtract(a[i, 0], a[i, 1], b[i, 0], b[i, 1])
    return out


@kernel(types.void(_V, _M, _OUT3))
def _add_row_products(u: np.ndarray, w: np.ndarray, total: np.ndarray) -> None:
    n, k = u.size, len(total)
    rows_u, rows_w = np.empty((k, _COLUMNS), np.uint64), np.empty((k, _COLUMNS, 2), np.uint64)
    for start in range(0, n, k * _COLUMNS):
        columns = min(_COLUMNS, (n - start + k - 1) // k)
        for c in range(columns):
            for a in range(k):
                i = start + c * k + a
                if i < n:
                    rows_u[a, c], rows_w[a, c, 0], rows_w[a, c, 1] = u[i], w[i, 0], w[i, 1]
                else:
                    rows_u[a, c] = rows_w[a, c, 0] = rows_w[a, c, 1] = np.uint64(0)
        for a in range(0, k - 1, 2):
            for b in range(k):
                l0, h0, l1, h1 = total[a, b, 0], total[a, b, 1], total[a + 1, b, 0], total[a + 1, b, 1]
                for c in range(columns):
                    x, y = rows_w[b, c, 0], rows_w[b, c, 1]
                    l0, h0 = add_product_by_word(l0, h0, rows_u[a, c], x, y)
                    l1, h1 = add_product_by_word(l1, h1, rows_u[a + 1, c], x, y)
                total[a, b, 0], total[a, b, 1], total[a + 1, b, 0], total[a + 1, b, 1] = l0, h0, l1, h1


def add_row_products(u: np.ndarray, w: np.ndarray, total: np.ndarray) -> None:
    """Adds z_ab = sum_c u_(kc + a) w_(kc + b) to total (k, k, 2). u: (n,) words; w: (n, 2)."""
    k = len(total)
    parts = ranges(u.size, u.size * k // _WORTH, k)
    others = np.zeros((len(parts) - 1, *total.shape), np.uint64)
    totals = [total, *others]
    together(_add_row_products, [(u[a:b], w[a:b], to) for (a, b), to in zip(parts, totals, strict=True)])
    for other in others:
        total[:] = sums(total.reshape(-1, 2), other.reshape(-1, 2)).reshape(total.shape)


def fold_words(alpha: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """out_c = sum_a alpha_a u_(kc + a). alpha: (k, 2); u: words."""
    _fold(_fold_words, alpha, u, out)


def fold(beta: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    """out_c = sum_b beta_b w_(kc + b)."""
    _fold(_fold_elements, beta, w, out)


def _fold(kernel_of: Any, factors: np.ndarray, entries: np.ndarray, out: np.ndarray) -> None:
    k = len(factors)
    parts = ranges(len(entries), len(entries) // _WORTH_FOLDING, k)
    together(kernel_of, [(factors, entries[a:b], out[a // k : -(-b // k)]) for a, b in parts])


@kernel(types.void(_M, _V, _OUT2))
def _fold_words(alpha: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    n, k = u.size, len(alpha)
    for c in range((n + k - 1) // k):
        low = high = np.uint64(0)
        for a in range(min(k, n - c * k)):
            low, high = add_product_by_word(low, high, u[c * k + a], alpha[a, 0], alpha[a, 1])
        out[c, 0], out[c, 1] = low, high


@kernel(types.void(_M, _M, _OUT2))
def _fold_elements(beta: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    n, k = len(w), len(beta)
    for c in range((n + k - 1) // k):
        low = high = np.uint64(0)
        for b in range(min(k, n - c * k)):
            x = w[c * k + b]
            low, high = add_product(low, high, x[0], x[1], beta[b, 0], beta[b, 1])
        out[c, 0], out[c, 1] = low, high


def row_products(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """z_ab = <u_a, v_b>. u, v: (k, n, 2)."""
    out = np.zeros((len(u), len(v), 2), np.uint64)
    parts = ranges(len(u), u.shape[1] * len(u) * len(v) // _WORTH)
    together(_add_products_of_rows, [(u[a:b], v, out[a:b]) for a, b in parts])
    return out


@kernel(types.void(_T, _T, _OUT3))
def _add_products_of_rows(u: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    k, n = u.shape[0], u.shape[1]
    for start in range(0, n, _COLUMNS):
        stop = min(start + _COLUMNS, n)
        for a in range(k):
            for b in range(len(v)):
                low, high = out[a, b, 0], out[a, b, 1]
                for c in range(start, stop):
                    x, y = u[a, c], v[b, c]
                    low, high = add_product(low, high, x[0], x[1], y[0], y[1])
                out[a, b, 0], out[a, b, 1] = low, high


@kernel(_OUT2(_M, _T))
def combine(coefficients: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a row_a: (n, 2). coefficients: (k, 2); rows: (k, n, 2)."""
    k, n = rows.shape[0], rows.shape[1]
    out = np.zeros((n, 2), np.uint64)
    for a in range(k):
        low, high = coefficients[a, 0], coefficients[a, 1]
        for c in range(n):
            x = rows[a, c]
            out[c, 0], out[c, 1] = add_product(out[c, 0], out[c, 1], x[0], x[1], low, high)
    return out


@kernel(_OUT2(_M, _M))
def combine_words(coefficients: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The same of rows of words, (k, n)."""
    k, n = rows.shape
    out = np.zeros((n, 2), np.uint64)
    for a in range(k):
        low, high = coefficients[a, 0], coefficients[a, 1]
        for c in range(n):
            out[c, 0], out[c, 1] = add_product_by_word(out[c, 0], out[c, 1], rows[a, c], low, high)
    return out


def add_word_products(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> None:
    """Adds S_jk = <a_j, b_k> of words modulo 2^128 to total (j, k, 2). a, b: (48, n)."""
    parts = ranges(len(a), a.size * len(b) // _WORTH)
    together(_add_word_products, [(a[first:last], b, total[first:last]) for first, last in parts])


@kernel(types.void(_M, _M, _OUT3))
def _add_word_products(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> None:
    n = a.shape[1]
    block = 2 * _COLUMNS
    for start in range(0, n, block):
        stop = min(start + block, n)
        for j in range(len(a)):
            for k in range(0, len(b) - 3, _TILE):
                t = total[j, k : k + _TILE]
                l0, h0, l1, h1 = t[0, 0], t[0, 1], t[1, 0], t[1, 1]
                l2, h2, l3, h3 = t[2, 0], t[2, 1], t[3, 0], t[3, 1]
                for c in range(start, stop):
                    x = a[j, c]
                    l0, h0 = add_product_of_words(l0, h0, x, b[k, c])
                    l1, h1 = add_product_of_words(l1, h1, x, b[k + 1, c])
                    l2, h2 = add_product_of_words(l2, h2, x, b[k + 2, c])
                    l3, h3 = add_product_of_words(l3, h3, x, b[k + 3, c])
                t[0, 0], t[0, 1], t[1, 0], t[1, 1] = l0, h0, l1, h1
                t[2, 0], t[2, 1], t[3, 0], t[3, 1] = l2, h2, l3, h3


def low_word_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """<a_j, b_k> modulo 2^64: (j, k). a, b: (.., n) words."""
    return matmul(a, b.T)
