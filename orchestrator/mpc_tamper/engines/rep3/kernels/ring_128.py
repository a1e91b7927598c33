"""Inner products modulo 2^128, for the proof of products: elements are (low, high) words, arrays (.., 2).

The rows of a first level are interleaved, entry c standing in row c mod k, so that a record is folded as it lies.
Products of all pairs of rows are in rows_128.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, kernel_where
from mpc_tamper.engines.kernels.matmul import matmul
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels.int128 import (
    add,
    add_product,
    add_product_by_word,
    subtract,
)
from mpc_tamper.engines.rep3.kernels.limbs import LANES, MOST, combination_of_words, has_instruction
from mpc_tamper.engines.rep3.kernels.rows_128 import add_interleaved, add_of_elements, add_of_words

_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_ADDRESS = types.uintp
_52, _12, _40 = (np.uint64(bits) for bits in (52, 12, 40))
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


def add_row_products(u: np.ndarray, w: np.ndarray, total: np.ndarray) -> None:
    """Adds z_ab = sum_c u_(kc + a) w_(kc + b) to total (k, k, 2). u: (n,) words; w: (n, 2)."""
    k = len(total)
    parts = ranges(u.size, u.size * k // _WORTH, k)
    others = np.zeros((len(parts) - 1, *total.shape), np.uint64)
    totals = [total, *others]
    together(add_interleaved, [(u[a:b], w[a:b], to) for (a, b), to in zip(parts, totals, strict=True)])
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
    together(add_of_elements, [(u[a:b], v, out[a:b]) for a, b in parts])
    return out


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


@kernel(types.void(_M, _M, types.int64, _OUT2))
def _combine_words(coefficients: np.ndarray, rows: np.ndarray, first: int, out: np.ndarray) -> None:
    """From column `first` on."""
    for a in range(len(rows)):
        low, high = coefficients[a, 0], coefficients[a, 1]
        for c in range(first, rows.shape[1]):
            out[c, 0], out[c, 1] = add_product_by_word(out[c, 0], out[c, 1], rows[a, c], low, high)


@kernel_where(has_instruction(), _combine_words, types.void(_M, _M, types.int64, _OUT2))
def _combine_words_in_limbs(coefficients: np.ndarray, rows: np.ndarray, first: int, out: np.ndarray) -> None:
    k, n = rows.shape
    limbs = np.empty((k, 3), np.uint64)
    for a in range(k):
        low, high = coefficients[a]
        limbs[a, 0], limbs[a, 1], limbs[a, 2] = low, low >> _52 | high << _12, high >> _40
    vectors, start, to = n // LANES, _ADDRESS(rows.ctypes.data), _ADDRESS(out.ctypes.data)
    combination_of_words(_ADDRESS(limbs.ctypes.data), start, _ADDRESS(8 * n), _ADDRESS(k), _ADDRESS(vectors), to)
    _combine_words(coefficients, rows, vectors * LANES, out)


def combine_words(coefficients: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """The same of rows of words, (k, n), into out (n, 2), which holds zeros."""
    (_combine_words_in_limbs if len(rows) < MOST else _combine_words)(coefficients, rows, 0, out)


def add_word_products(a: np.ndarray, b: np.ndarray, total: np.ndarray) -> None:
    """Adds S_jk = <a_j, b_k> of words modulo 2^128 to total (j, k, 2). a, b: (j, n), (k, n)."""
    parts = ranges(len(a), a.size * len(b) // _WORTH)
    together(add_of_words, [(a[first:last], b, total[first:last]) for first, last in parts])


def low_word_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """<a_j, b_k> modulo 2^64: (j, k). a, b: (.., n) words."""
    return matmul(a, b.T)
