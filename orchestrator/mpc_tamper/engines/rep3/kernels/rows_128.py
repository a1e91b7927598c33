"""Products of all pairs of rows, modulo 2^128: what provers spend their time on. Elements are (low, high) words.

Four pairs at a time where the processor has VPMADD52 (pair_products.py, and winograd.py for many long rows of words),
else by shorter products (short_products.py).
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel_where, part_of_kernels
from mpc_tamper.engines.rep3.kernels.int128 import add
from mpc_tamper.engines.rep3.kernels.limbs import LANES, has_instruction
from mpc_tamper.engines.rep3.kernels.pair_products import (
    MOST,
    products_by_words,
    products_of_elements,
    products_of_words,
)
from mpc_tamper.engines.rep3.kernels.short_products import (
    add_by_words_one_by_one,
    add_elements_one_by_one,
    add_one_by_one,
    add_products_by_words,
    add_products_of_elements,
)
from mpc_tamper.engines.rep3.kernels.short_products import add_products as _add_by_short_ones
from mpc_tamper.engines.rep3.kernels.winograd import add_products as _add_by_halves

_OUT3 = types.uint64[:, :, ::1]
_PART3 = types.uint64[:, :, :]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
# Columns, and rows of both, with which it pays to halve the products, as words are taken apart before.
_LONG, _MANY = 64, 8
_BY_WORDS = types.void(_M, types.int64, _T, types.int64, types.int64, _OUT3)
_WORD_BYTES, _ELEMENT_BYTES = 8, 16
_ADDRESS = types.uintp
_8, _16 = np.uint64(_WORD_BYTES), np.uint64(_ELEMENT_BYTES)


@part_of_kernels
def _add_four(total: np.ndarray, a: int, more_a: int, b: int, more_b: int, found: tuple[int, ...]) -> None:
    """To pairs (a, b) .. (a + 1, b + 1), as far as there are more rows."""
    for i in range(1 + more_a):
        for j in range(1 + more_b):
            to = total[a + i, b + j]
            to[0], to[1] = add(to[0], to[1], found[4 * i + 2 * j], found[4 * i + 2 * j + 1])


@part_of_kernels
def add_totals(totals: np.ndarray, out: np.ndarray) -> None:
    """Adds to out, (j, k, 2), what each thread has added up."""
    for total in totals:
        for j in range(out.shape[0]):
            for k in range(out.shape[1]):
                to = out[j, k]
                to[0], to[1] = add(to[0], to[1], total[j, k, 0], total[j, k, 1])


@kernel_where(has_instruction(), add_products_by_words, _BY_WORDS)
def add_by_words(u: np.ndarray, first: int, w: np.ndarray, start: int, stop: int, total: np.ndarray) -> None:
    """total[a, b] += <u_a, w_b>, of columns start .. stop - 1 of w, and of those `first` behind them of u.

    u: (a, n) words; w: (b, m, 2).
    """
    vectors = (stop - start) // LANES
    stride_u, stride_w = _ADDRESS(u.shape[1] * _WORD_BYTES), _ADDRESS(w.shape[1] * _ELEMENT_BYTES)
    for done in range(0, vectors, MOST):
        count, place = _ADDRESS(min(MOST, vectors - done)), _ADDRESS(start + done * LANES)
        from_u = _ADDRESS(u.ctypes.data) + (_ADDRESS(first) + place) * _8
        for a in range(0, len(u), 2):
            x, more_a = from_u + _ADDRESS(a) * stride_u, min(1, len(u) - 1 - a)
            for b in range(0, len(w), 2):
                y, more_b = _ADDRESS(w.ctypes.data) + place * _16 + _ADDRESS(b) * stride_w, min(1, len(w) - 1 - b)
                found = products_by_words(x, _ADDRESS(more_a) * stride_u, y, _ADDRESS(more_b) * stride_w, count)
                _add_four(total, a, more_a, b, more_b, found)
    add_by_words_one_by_one(u, first, w, start + vectors * LANES, stop, total)


@kernel_where(has_instruction(), add_products_of_elements, types.void(_T, _T, _OUT3))
def add_of_elements(u: np.ndarray, v: np.ndarray, total: np.ndarray) -> None:
    """total[a, b] += <u_a, v_b>. u: (a, n, 2); v: (b, n, 2)."""
    n = u.shape[1]
    vectors, stride = n // LANES, _ADDRESS(n * _ELEMENT_BYTES)
    for start in range(0, vectors, MOST):
        count, place = _ADDRESS(min(MOST, vectors - start)), _ADDRESS(start * LANES * _ELEMENT_BYTES)
        for a in range(0, len(u), 2):
            x, more_a = _ADDRESS(u.ctypes.data) + place + _ADDRESS(a) * stride, min(1, len(u) - 1 - a)
            for b in range(0, len(v), 2):
                y, more_b = _ADDRESS(v.ctypes.data) + place + _ADDRESS(b) * stride, min(1, len(v) - 1 - b)
                found = products_of_elements(x, _ADDRESS(more_a) * stride, y, _ADDRESS(more_b) * stride, count)
                _add_four(total, a, more_a, b, more_b, found)
    add_elements_one_by_one(u, v, vectors * LANES, n, total)


@kernel_where(has_instruction(), _add_by_short_ones, types.void(_M, _M, types.int64, types.int64, _PART3))
def add_of_words(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] += <a_j, b_k>, of columns first .. last - 1. a: (j, n) words; b: (k, n)."""
    if last - first >= _LONG and min(len(a), len(b)) >= _MANY:
        _add_by_halves(a, b, first, last, total)
        return
    vectors, stride = (last - first) // LANES, _ADDRESS(a.shape[1] * _WORD_BYTES)
    for start in range(0, vectors, MOST):
        count, place = _ADDRESS(min(MOST, vectors - start)), _ADDRESS((first + start * LANES) * _WORD_BYTES)
        for j in range(0, len(a), 2):
            x, more_j = _ADDRESS(a.ctypes.data) + place + _ADDRESS(j) * stride, min(1, len(a) - 1 - j)
            for k in range(0, len(b), 2):
                y, more_k = _ADDRESS(b.ctypes.data) + place + _ADDRESS(k) * stride, min(1, len(b) - 1 - k)
                found = products_of_words(x, _ADDRESS(more_j) * stride, y, _ADDRESS(more_k) * stride, count)
                _add_four(total, j, more_j, k, more_k, found)
    add_one_by_one(a, b, first + vectors * LANES, last, total)
