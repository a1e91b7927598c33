"""Matrix products modulo 2^64 over row-major arrays.

x may hold small signed integers, int16: a private input at its owner. Products by a vector are in kernels/vectors.py
and kernels/small_integers.py. Networks multiply matrices by matrices: of y, blocks of columns are copied together so
that they stay in the first cache, and a tile of the product stays in registers (kernels/tiles.py; after Goto and van de
Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008).

Whatever the number of threads, sums modulo 2^64 are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels import small_integers, vectors
from mpc_tamper.engines.kernels.compilation import kernel, part_of_kernels
from mpc_tamper.engines.kernels.layout import row_major
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.kernels.tiles import (
    PAIR,
    ROWS,
    WIDTH,
    add_dots,
    add_slim_tile,
    add_tile,
    copy_columns,
    copy_vectors,
)
from mpc_tamper.engines.kernels.vectors import X_SMALL, X, aligned
from mpc_tamper.engines.kernels.words import LANES

_INNER = 160  # of the sum, at a time: that many rows of a panel fit in half of the first cache
_OUTER = 256  # rows of the product: their part of x stays in the second cache, while all panels are gone through
_MOST_OF_PART = 64  # rows that are one part at least, where threads have so many each
_FEW = LANES // 2  # columns that would leave half of a vector empty
_WORTH = 1 << 17  # products of words that a thread has to have for it to pay

_WORD = np.dtype(np.uint64)
_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]


@kernel(types.void(X, *[types.int64] * 5, _OUT1))
def _copy_panel(y: np.ndarray, start: int, count: int, left: int, columns: int, width: int, panel: np.ndarray) -> None:
    """count rows of y, `columns` columns from `left` on, to rows of `width` words, the rest of which is zero."""
    vectors, stride = columns // LANES, y.shape[1]
    for k in range(count):
        copy_vectors(y, (start + k) * stride + left, vectors, panel, k * width)
        for j in range(vectors * LANES, columns):
            panel[k * width + j] = y[start + k, left + j]
        for j in range(columns, width):
            panel[k * width + j] = np.uint64(0)


@kernel(types.void(X, *[types.int64] * 4, _OUT1, types.int64))
def _copy_pair(y: np.ndarray, start: int, count: int, left: int, columns: int, pairs: np.ndarray, pair: int) -> None:
    """Two columns to pairs[pair], for add_dots: their last vectors without what the ones before them have.

    columns: how many there are; where there is one it stands for the other too, which nobody uses.
    """
    stride, whole = y.shape[1], (count - 1) // LANES * LANES
    empty, second = whole + LANES - count, pair + whole + LANES
    at, beside = start * stride + left, columns - 1
    copy_columns(y, at, beside, stride, whole, pairs, pair, second)
    for k in range(whole, whole + empty):
        pairs[pair + k] = pairs[second + k] = np.uint64(0)
    copy_columns(
        y, at + whole * stride, beside, stride, count - whole, pairs, pair + whole + empty, second + whole + empty
    )


_BLOCK = types.void(X, *[types.int64] * 3, X, *[types.int64] * 5, _OUT1, _OUT2)


@kernel(_BLOCK)
def _add_last_columns(
    x: np.ndarray,
    place: int,
    row: int,
    step: int,
    y: np.ndarray,
    start: int,
    stop: int,
    first: int,
    last: int,
    left: int,
    panel: np.ndarray,
    out: np.ndarray,
) -> None:
    """As _add_block, for the last columns: a vector of them at most, and a few that have dot products of their own."""
    columns, count = y.shape[1], stop - start
    rest = (columns - left) % LANES
    dotted = rest if rest <= _FEW and step == 1 and count >= LANES else 0
    slim, vectors = columns - left - dotted, -(-count // LANES)
    if slim > 0:
        _copy_panel(y, start, count, left, slim, LANES, panel)
    pairs, size = count * LANES, PAIR * vectors * LANES
    for c in range(0, dotted, PAIR):
        _copy_pair(y, start, count, left + slim + c, min(PAIR, dotted - c), panel, pairs + c // PAIR * size)
    for i in range(first, last, ROWS):
        rows, at, to = min(ROWS, last - i), place + (i - first) * row, i * columns + left
        if slim > 0 and step == 1:
            add_slim_tile(x, at, row, rows, 1, panel, count, slim, out, to, columns)
        elif slim > 0:
            add_slim_tile(x, at, row, rows, step, panel, count, slim, out, to, columns)
        for c in range(0, dotted, PAIR):
            width, pair = min(PAIR, dotted - c), pairs + c // PAIR * size
            add_dots(x, at, row, rows, count - LANES, panel, pair, vectors, width, out, to + slim + c, columns)


@kernel(_BLOCK)
def _add_block(
    x: np.ndarray,
    place: int,
    row: int,
    step: int,
    y: np.ndarray,
    start: int,
    stop: int,
    first: int,
    last: int,
    left: int,
    panel: np.ndarray,
    out: np.ndarray,
) -> None:
    """out[first:last] += the sum over k from start to stop of x at place + (i - first) row + (k - start) step, y[k].

    In the columns from `left` on. panel: memory for columns of y.
    """
    columns, count = y.shape[1], stop - start
    few = _FEW if step == 1 and count >= LANES else 0
    while columns - left > LANES + few:
        width = min(WIDTH, columns - left)
        _copy_panel(y, start, count, left, width, WIDTH, panel)
        for i in range(first, last, ROWS):
            rows, at, to = min(ROWS, last - i), place + (i - first) * row, i * columns + left
            add_tile(x, at, row, rows, step, panel, count, width, out, to, columns)
        left += width
    if left < columns:
        _add_last_columns(x, place, row, step, y, start, stop, first, last, left, panel, out)


_BLOCKED = (X, types.boolean, _OUT2)


@part_of_kernels
def _add_rows(who: int, first: int, last: int, x: np.ndarray, y: np.ndarray, transposed: bool, out: np.ndarray) -> None:
    """out[first:last] += those rows of x y, or of the transpose of x times y."""
    inner = len(y)
    panel = aligned(min(_INNER, inner + LANES) * WIDTH)
    row, step = (1, x.shape[1]) if transposed else (x.shape[1], 1)
    for i in range(first, last, _OUTER):
        for start in range(0, inner, _INNER):
            stop = min(start + _INNER, inner)
            _add_block(x, i * row + start * step, row, step, y, start, stop, i, min(i + _OUTER, last), 0, panel, out)


@part_of_kernels
def _add_rows_of_small(
    who: int, first: int, last: int, x: np.ndarray, y: np.ndarray, transposed: bool, out: np.ndarray
) -> None:
    """The same of int16, which become words block by block."""
    inner = len(y)
    panel = aligned(min(_INNER, inner + LANES) * WIDTH)
    block = np.empty((_INNER, _OUTER) if transposed else (_OUTER, _INNER), np.uint64)
    row, step = (1, _OUTER) if transposed else (_INNER, 1)
    for i in range(first, last, _OUTER):
        end = min(i + _OUTER, last)
        for start in range(0, inner, _INNER):
            stop = min(start + _INNER, inner)
            part = x[start:stop, i:end] if transposed else x[i:end, start:stop]
            for a in range(part.shape[0]):
                to, of = block[a], part[a]
                for b in range(of.size):
                    to[b] = np.uint64(of[b])
            _add_block(block, 0, row, step, y, start, stop, i, end, 0, panel, out)


@part_of_kernels
def _rows_of_part(note: int, rows: int) -> int:
    """Many, as y is copied for each part."""
    share = (rows // threads_of(note) + ROWS - 1) // ROWS * ROWS
    return max(ROWS, min(_MOST_OF_PART, share))


@kernel(types.void(NOTE, X, *_BLOCKED))
def add_matmat(note: int, x: np.ndarray, y: np.ndarray, transposed: bool, out: np.ndarray) -> None:
    """out += x y, or the transpose of x times y."""
    in_parts(_add_rows, note, len(out), _rows_of_part(note, len(out)), (x, y, transposed, out))


@kernel(types.void(NOTE, X_SMALL, *_BLOCKED))
def add_matmat_of_small(note: int, x: np.ndarray, y: np.ndarray, transposed: bool, out: np.ndarray) -> None:
    """The same of int16."""
    in_parts(_add_rows_of_small, note, len(out), _rows_of_part(note, len(out)), (x, y, transposed, out))


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b), uint64 or int16, times y (b, c): (a, c)."""
    out = np.zeros((len(x), y.shape[1]), _WORD)
    add_matmul(x, y, out)
    return out


def add_matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """out += x y. out: (a, c), row-major."""
    x, y = row_major(x), row_major(y)
    if out.shape[1] != 1:
        _add_blocked(x, y, False, out)
    else:
        _of_vector(x).add_matvec(helpers(x.size // _WORTH), x, y[:, 0], out[:, 0])


def trans_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a), uint64 or int16, times y (b, c): (a, c)."""
    out = np.zeros((x.shape[1], y.shape[1]), _WORD)
    add_trans_matmul(x, y, out)
    return out


def add_trans_matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """out += the transpose of x, times y. out: (a, c), row-major."""
    x, y = row_major(x), row_major(y)
    if out.shape[1] != 1:
        _add_blocked(x, y, True, out)
    else:
        _of_vector(x).add_trans_matvec(helpers(x.size // _WORTH), x, y[:, 0], out[:, 0])


def _add_blocked(x: np.ndarray, y: np.ndarray, transposed: bool, out: np.ndarray) -> None:
    add = add_matmat if x.dtype == _WORD else add_matmat_of_small
    add(helpers(x.size * out.shape[1] // _WORTH), x, y, transposed, out)


def _of_vector(x: np.ndarray) -> Any:
    return vectors if x.dtype == _WORD else small_integers
