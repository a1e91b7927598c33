"""Inner products modulo 2^128, for the proof of products: elements are (low, high) words, arrays (.., 2).

Products of all pairs of rows are in rows_128.py, combinations of rows in combinations_128.py, both of many matrices in
matrices.py.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels.combinations_128 import combine_columns, combine_columns_of_words
from mpc_tamper.engines.rep3.kernels.int128 import add, subtract
from mpc_tamper.engines.rep3.kernels.limbs import LANES, has_instruction
from mpc_tamper.engines.rep3.kernels.rows_128 import add_of_elements

_OUT2 = types.uint64[:, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_WORTH = 1 << 13  # products that a thread has to have for it to pay
_WORTH_COMBINING = 1 << 13  # entries
_HAS_INSTRUCTION = has_instruction()
_FEWEST_ROWS = 2 if _HAS_INSTRUCTION else 4
_COLUMNS_OF_PART = 8 * LANES


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
    _add_products(helpers(u.shape[1] * len(u) * len(v) // _WORTH), u, v, out)
    return out


@part_of_kernels
def _add_of_rows(who: int, first: int, last: int, u: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    add_of_elements(u[first:last], v, out[first:last])


@part_of_kernels
def _rows_of_part(note: int, rows: int) -> int:
    """Few where there is the instruction. Elsewhere each part splits all rows of v into limbs, so a thread has one, and
    the caller waits for it if the system runs something else there."""
    return _FEWEST_ROWS if _HAS_INSTRUCTION else max(_FEWEST_ROWS, -(-rows // threads_of(note)))


@kernel(types.void(NOTE, _T, _T, types.uint64[:, :, ::1]))
def _add_products(note: int, u: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    in_parts(_add_of_rows, note, len(u), _rows_of_part(note, len(u)), (u, v, out))


def combine(coefficients: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """sum_a coefficient_a row_a: (n, 2). coefficients: (k, 2); rows: (k, n, 2)."""
    out = np.empty((rows.shape[1], 2), np.uint64)
    _combine(_helpers_for(rows), coefficients, rows, out)
    return out


def combine_words(coefficients: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """The same of rows of words, (k, n), into out (n, 2)."""
    _combine_words(_helpers_for(rows), coefficients, rows, out)


def _helpers_for(rows: np.ndarray) -> int:
    return helpers(rows.shape[1] * len(rows) // _WORTH_COMBINING)


@part_of_kernels
def _columns_of_elements(
    who: int, first: int, last: int, factors: np.ndarray, rows: np.ndarray, out: np.ndarray
) -> None:
    combine_columns(factors, rows, first, last, out)


@part_of_kernels
def _columns_of_words(who: int, first: int, last: int, factors: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    combine_columns_of_words(factors, rows, first, last, out)


@kernel(types.void(NOTE, _M, _T, _OUT2))
def _combine(note: int, factors: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    in_parts(_columns_of_elements, note, rows.shape[1], _COLUMNS_OF_PART, (factors, rows, out))


@kernel(types.void(NOTE, _M, _M, _OUT2))
def _combine_words(note: int, factors: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    in_parts(_columns_of_words, note, rows.shape[1], _COLUMNS_OF_PART, (factors, rows, out))
