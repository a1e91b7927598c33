"""Inner products modulo 2^128, for the proof of products: elements are (low, high) words, arrays (.., 2).

Products of all pairs of rows are in rows_128.py, combinations of rows in combinations_128.py, both of many matrices in
matrices.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.rep3.kernels.combinations_128 import (
    combine_columns,
    combine_columns_by_weights,
    combine_columns_of_words,
    scale_columns,
)
from mpc_tamper.engines.rep3.kernels.int128 import (
    add,
    subtract,
)
from mpc_tamper.engines.rep3.kernels.limbs import LANES
from mpc_tamper.engines.rep3.kernels.rows_128 import add_by_words, add_of_elements

_OUT2 = types.uint64[:, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_WORTH = 1 << 19  # products that a thread has to have for it to pay
_WORTH_COMBINING = 1 << 17  # entries


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
    """Adds z_ab = <u_a, w_b> to total (k, k, 2). u: (n,) words; w: (n, 2); both are cut into k rows."""
    rows_u, rows_w = _cut(u, len(total)), _cut(w, len(total))
    parts = ranges(rows_u.shape[1], rows_u.size * len(total) // _WORTH, LANES)
    totals = [total, *np.zeros((len(parts) - 1, *total.shape), np.uint64)]
    together(add_by_words, [(rows_u, rows_w, a, b, to) for (a, b), to in zip(parts, totals, strict=True)])
    for other in totals[1:]:
        total[:] = sums(total.reshape(-1, 2), other.reshape(-1, 2)).reshape(total.shape)


def _cut(vector: np.ndarray, k: int) -> np.ndarray:
    """(n, ..) entries, zeros appended, as (k, columns, ..)."""
    columns = -(-len(vector) // k)
    if columns * k != len(vector):
        padded = np.zeros((columns * k, *vector.shape[1:]), np.uint64)
        padded[: len(vector)] = vector
        vector = padded
    return vector.reshape(k, columns, *vector.shape[1:])


def fold_words(alpha: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """sum_a alpha_a u_a, into out (columns, 2). alpha: (k, 2); u: (n,) words, cut into k rows."""
    combine_words(alpha, _cut(u, len(alpha)), out)


def scaled_rows(factors: np.ndarray, w: np.ndarray) -> np.ndarray:
    """factor_a w_a, for `fold_by`: (k, columns, 2). factors: (k, 2); w: (n, 2), cut into k rows."""
    rows = _cut(w, len(factors))
    out = np.empty_like(rows)
    _combine_columns(scale_columns, factors, rows, out)
    return out


def fold_by(weights: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """sum_a weights_a u_a, column by column, into out (columns, 2). weights: (k, columns, 2); u: (n,) words, cut into
    k rows."""
    _combine_columns(combine_columns_by_weights, weights, _cut(u, len(weights)), out)


def row_products(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """z_ab = <u_a, v_b>. u, v: (k, n, 2)."""
    out = np.zeros((len(u), len(v), 2), np.uint64)
    parts = ranges(len(u), u.shape[1] * len(u) * len(v) // _WORTH)
    together(add_of_elements, [(u[a:b], v, out[a:b]) for a, b in parts])
    return out


def combine(coefficients: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a row_a: (n, 2). coefficients: (k, 2); rows: (k, n, 2)."""
    out = np.empty((rows.shape[1], 2), np.uint64)
    _combine_columns(combine_columns, coefficients, rows, out)
    return out


def combine_words(coefficients: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """The same of rows of words, (k, n), into out (n, 2)."""
    _combine_columns(combine_columns_of_words, coefficients, rows, out)


def _combine_columns(kernel_of: Any, coefficients: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    columns = rows.shape[1]
    parts = ranges(columns, columns * len(rows) // _WORTH_COMBINING, LANES)
    together(kernel_of, [(coefficients, rows, first, last, out) for first, last in parts])
