"""The level over words of elementwise gates, whose vectors are cut into k rows: products of all pairs of rows, and
combinations of rows, where each gate g has a weight W_g modulo 2^128 (weights.py).

Weights are looked up where they are needed, a few hundred columns at a time: they and what is made of them would be
twice and six times as long as words, and so stay in a core's second cache. Elements are (low, high) words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.combinations_128 import combine_columns_by_weights
from mpc_tamper.engines.rep3.kernels.int128 import add_product
from mpc_tamper.engines.rep3.kernels.ring_128 import cut
from mpc_tamper.engines.rep3.kernels.rows_128 import add_by_words, add_totals
from mpc_tamper.engines.rep3.kernels.weights import tables_of, times_at_once, weights_at_once

__all__ = ["add_row_products", "fold", "tables_of", "tables_of_rows"]

_COLUMNS = 512  # that are worked on together
_STEP = 32  # columns whose weights are looked up at once
_WORTH = 1 << 12  # words that a thread has to have for it to pay
_PRODUCTS, _FOLDS = 2, 4  # that share weights: products of a gate, and for the prover and L
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_TABLES = types.Array(types.uint64, 4, "C", readonly=True)


def add_row_products(
    tables: np.ndarray, members: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]], total: np.ndarray
) -> None:
    """Adds z_ab = <u_a, W v_b> of all pairs to total, (k, k, 2).

    tables: tables_of(rho).  members: (n,).  pairs: u and v, (n inner,) words.
    """
    k = len(total)
    if not pairs:
        return
    rows = _rows_of(members, pairs[0][0].size, k)
    for some in _in_parts([(cut(u, k), cut(v, k)) for u, v in pairs], _PRODUCTS, (rows[:, :0], rows[:, :0])):
        u, v = zip(*some, strict=True)
        _add_row_products(helpers(rows.size // _WORTH), tables, rows, u, v, total)


@part_of_kernels
def _add_products_of_columns(
    who: int, first: int, last: int, tables: np.ndarray, members: np.ndarray, u: Any, v: Any, totals: np.ndarray
) -> None:
    k, total = len(members), totals[who]
    w = np.empty((_COLUMNS, 2), np.uint64)
    weighed = np.empty((_PRODUCTS, k, _COLUMNS, 2), np.uint64)
    for start in range(first, last, _COLUMNS):
        size = min(_COLUMNS, last - start)
        for b in range(k):
            weights_at_once(tables, members[b, start : start + size], w[:size])
            for product in range(_PRODUCTS):
                if v[product].shape[1]:
                    times_at_once(w[:size], v[product][b, start : start + size], weighed[product, b, :size])
        for product in range(_PRODUCTS):
            if v[product].shape[1]:
                add_by_words(u[product], start, weighed[product], 0, size, total)


@kernel(types.void(NOTE, _T, _M, types.UniTuple(_M, _PRODUCTS), types.UniTuple(_M, _PRODUCTS), _OUT3))
def _add_row_products(note: int, tables: np.ndarray, members: np.ndarray, u: Any, v: Any, total: np.ndarray) -> None:
    k, n = members.shape
    totals = np.zeros((threads_of(note), k, k, 2), np.uint64)
    in_parts(_add_products_of_columns, note, n, _STEP, (tables, members, u, v, totals))
    add_totals(totals, total)


def fold(tables: np.ndarray, members: np.ndarray, folds: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """sum_b beta_b W v_b, column by column, of each v into its out, (columns, 2).

    tables: tables_of_rows(rho, beta).  members: (n,).  folds: v, (n inner,) words, and out.
    """
    if not folds:
        return
    k = len(tables)
    rows = _rows_of(members, folds[0][0].size, k)
    nothing = (rows[:, :0], np.empty((0, 2), np.uint64))
    for some in _in_parts([(cut(v, k), out) for v, out in folds], _FOLDS, nothing):
        v, out = zip(*some, strict=True)
        _fold(helpers(rows.size // _WORTH), tables, rows, v, out)


@part_of_kernels
def _fold_columns(who: int, first: int, last: int, tables: np.ndarray, members: np.ndarray, v: Any, out: Any) -> None:
    k = len(members)
    scaled = np.empty((k, _COLUMNS, 2), np.uint64)
    for start in range(first, last, _COLUMNS):
        stop = min(start + _COLUMNS, last)
        for b in range(k):
            weights_at_once(tables[b], members[b, start:stop], scaled[b, : stop - start])
        for i in range(_FOLDS):
            if v[i].shape[1]:
                combine_columns_by_weights(scaled, v[i], start, stop, out[i])


@kernel(types.void(NOTE, _TABLES, _M, types.UniTuple(_M, _FOLDS), types.UniTuple(_OUT2, _FOLDS)))
def _fold(note: int, tables: np.ndarray, members: np.ndarray, v: Any, out: Any) -> None:
    in_parts(_fold_columns, note, members.shape[1], _STEP, (tables, members, v, out))


@kernel(_OUT3(_M, _M))
def _scaled(rho: np.ndarray, beta: np.ndarray) -> np.ndarray:
    out = np.empty((len(beta), SUBSETS, 2), np.uint64)
    for b in range(len(beta)):
        for k in range(SUBSETS):
            zero = np.uint64(0)
            low, high = add_product(zero, zero, beta[b, 0], beta[b, 1], rho[k, 0], rho[k, 1])
            out[b, k, 0], out[b, k, 1] = low, high
    return out


def tables_of_rows(rho: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """What beta_b W is looked up in, of each row b. rho: (48, 2); beta: (k, 2)."""
    return np.stack([tables_of(each) for each in _scaled(rho, beta)])


def _rows_of(members: np.ndarray, words: int, k: int) -> np.ndarray:
    """Of each of the words that gates stand with, as (k, columns)."""
    return cut(members if words == members.size else np.repeat(members, words // members.size), k)


def _in_parts(some: Sequence[Any], size: int, nothing: Any) -> Iterator[list[Any]]:
    """So many at a time, the last ones with nothing."""
    for start in range(0, len(some), size):
        yield [*some[start : start + size], *[nothing] * size][:size]
