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
from mpc_tamper.engines.rep3.kernels.combinations_128 import combine_columns, combine_columns_of_words
from mpc_tamper.engines.rep3.kernels.int128 import add, subtract
from mpc_tamper.engines.rep3.kernels.limbs import LANES
from mpc_tamper.engines.rep3.kernels.rows_128 import add_of_elements

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


@kernel(_OUT2(_M))
def total(a: np.ndarray) -> np.ndarray:
    """The sum of all elements: (1, 2)."""
    out = np.zeros((1, 2), np.uint64)
    for i in range(len(a)):
        out[0, 0], out[0, 1] = add(out[0, 0], out[0, 1], a[i, 0], a[i, 1])
    return out


def cut(vector: np.ndarray, k: int) -> np.ndarray:
    """(n, ..) entries, zeros appended, as (k, columns, ..)."""
    columns = -(-len(vector) // k)
    if columns * k != len(vector):
        padded = np.zeros((columns * k, *vector.shape[1:]), np.uint64)
        padded[: len(vector)] = vector
        vector = padded
    return vector.reshape(k, columns, *vector.shape[1:])


def fold_words(alpha: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
    """sum_a alpha_a u_a, into out (columns, 2). alpha: (k, 2); u: (n,) words, cut into k rows."""
    combine_words(alpha, cut(u, len(alpha)), out)


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
