"""Combinations of rows by factors modulo 2^128. Elements are (low, high) words.

Eight columns at a time where the processor has VPMADD52 (limbs.py), else four (short_combinations.py).
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel_where, part_of_kernels
from mpc_tamper.engines.rep3.kernels.limbs import (
    LANES,
    MOST,
    combination_of_elements,
    combination_of_words,
    has_instruction,
    sums_of_rows,
)
from mpc_tamper.engines.rep3.kernels.short_combinations import (
    BY_WEIGHTS,
    OF_ELEMENTS,
    OF_WORDS,
    combine_by_weights,
    combine_elements,
    combine_words,
    elements_one_by_one,
    weights_one_by_one,
    words_one_by_one,
)

_WORD_BYTES, _ELEMENT_BYTES = 8, 16
_ADDRESS = types.uintp
_52, _12, _40 = (np.uint64(bits) for bits in (52, 12, 40))


@part_of_kernels
def _limbs(factors: np.ndarray) -> np.ndarray:
    """52 bits each: (k, 3)."""
    out = np.empty((len(factors), 3), np.uint64)
    for a in range(len(factors)):
        low, high = factors[a, 0], factors[a, 1]
        out[a, 0], out[a, 1], out[a, 2] = low, low >> _52 | high << _12, high >> _40
    return out


# Factors, of these in limbs, are an argument: an array that is used by its address alone may be gone before.


@part_of_kernels
def _elements_at_once(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    place, stride = _ADDRESS(first * _ELEMENT_BYTES), _ADDRESS(rows.shape[1] * _ELEMENT_BYTES)
    start, to = _ADDRESS(rows.ctypes.data) + place, _ADDRESS(out.ctypes.data) + place
    count, vectors = _ADDRESS(len(rows)), _ADDRESS((last - first) // LANES)
    combination_of_elements(_ADDRESS(factors.ctypes.data), start, stride, count, vectors, to)


@part_of_kernels
def _words_at_once(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    start, stride = _ADDRESS(rows.ctypes.data) + _ADDRESS(first * _WORD_BYTES), _ADDRESS(rows.shape[1] * _WORD_BYTES)
    to, count = _ADDRESS(out.ctypes.data) + _ADDRESS(first * _ELEMENT_BYTES), _ADDRESS(len(rows))
    combination_of_words(_ADDRESS(factors.ctypes.data), start, stride, count, _ADDRESS((last - first) // LANES), to)


@kernel_where(has_instruction(), combine_elements, OF_ELEMENTS)
def combine_columns(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[c] = sum_a factor_a rows[a, c], c from first to last - 1. factors: (k, 2); rows: (k, n, 2); out: (n, 2)."""
    middle = first + (last - first) // LANES * LANES if len(rows) <= MOST else first
    _elements_at_once(_limbs(factors), rows, first, middle, out)
    elements_one_by_one(factors, rows, middle, last, out)


@kernel_where(has_instruction(), combine_words, OF_WORDS)
def combine_columns_of_words(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """The same of rows of words, (k, n)."""
    middle = first + (last - first) // LANES * LANES if len(rows) <= MOST else first
    _words_at_once(_limbs(factors), rows, first, middle, out)
    words_one_by_one(factors, rows, middle, last, out)


@kernel_where(has_instruction(), combine_by_weights, BY_WEIGHTS)
def combine_columns_by_weights(weights: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[c] = sum_a weights[a, c - first] rows[a, c]. weights: (k, m, 2); rows: (k, n) words; out: (n, 2)."""
    size = (last - first) // LANES * LANES if len(rows) <= MOST else 0
    distance, stride = _ADDRESS(weights.shape[1] * _ELEMENT_BYTES), _ADDRESS(rows.shape[1] * _WORD_BYTES)
    x = _ADDRESS(rows.ctypes.data) + _ADDRESS(first * _WORD_BYTES)
    w, to = _ADDRESS(weights.ctypes.data), _ADDRESS(out.ctypes.data) + _ADDRESS(first * _ELEMENT_BYTES)
    sums_of_rows(w, distance, x, stride, _ADDRESS(len(rows)), _ADDRESS(size // LANES), to)
    weights_one_by_one(weights[:, size:], rows, first + size, last, out)
