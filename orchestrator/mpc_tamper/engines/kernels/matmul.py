"""Matrix products modulo 2^64 over row-major arrays.

x may hold small signed integers, int16: a private input at its owner. Products by a vector are in kernels/vectors.py and
kernels/small_integers.py. Networks multiply matrices by matrices: of y, blocks of columns are copied together so that
they stay in the first cache, and a tile of the product stays in registers (kernels/tiles.py; after Goto and van de
Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 2008).

Whatever the number of threads, sums modulo 2^64 are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels import small_integers, vectors
from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.kernels.tiles import LANES, PAIR, ROWS, WIDTH, add_dots, add_slim_tile, add_tile
from mpc_tamper.engines.kernels.vectors import X_SMALL, X, aligned

_INNER = 160  # of the sum, at a time: that many rows of a panel fit in half of the first cache
_OUTER = 256  # rows of the product: their part of x stays in the second cache, while all panels are gone through
_FEW = LANES // 2  # columns that would leave half of a vector empty
_WORTH = 1 << 20  # products of words that a thread has to have for it to pay

_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]


@kernel(types.void(X, *[types.int64] * 5, _OUT1))
def _copy_panel(y: np.ndarray, start: int, count: int, left: int, columns: int, width: int, panel: np.ndarray) -> None:
    """count rows of y, `columns` columns from `left` on, to rows of `width` words, the rest of which is zero."""
    for k in range(count):
        to, of = panel[k * width : (k + 1) * width], y[start + k]
        for j in range(columns):
            to[j] = of[left + j]
        for j in range(columns, width):
            to[j] = np.uint64(0)


@kernel(types.void(X, *[types.int64] * 4, _OUT1))
def _copy_pair(y: np.ndarray, start: int, count: int, left: int, columns: int, pair: np.ndarray) -> None:
    """One or two columns, each on its own, for add_dots: the last vectors without what the ones before them have."""
    vectors = -(-count // LANES)
    pair[: PAIR * vectors * LANES] = 0
    for c in range(columns):
        to = pair[c * vectors * LANES : (c + 1) * vectors * LANES]
        for k in range((vectors - 1) * LANES):
            to[k] = y[start + k, left + c]
        for k in range((vectors - 1) * LANES, count):
            to[k + vectors * LANES - count] = y[start + k, left + c]


@kernel(types.void(X, *[types.int64] * 3, X, *[types.int64] * 4, _OUT1, _OUT2, _OUT2))
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
    panel: np.ndarray,
    found: np.ndarray,
    out: np.ndarray,
) -> None:
    """out[first:last] += the sum over k from start to stop of x at place + (i - first) row + (k - start) step, y[k].

    panel: memory for columns of y; found: for a tile that is partly outside of the product.
    """
    columns, count = y.shape[1], stop - start
    left = 0
    while left < columns:
        rest = columns - left
        dots = rest <= _FEW and step == 1 and count >= LANES
        full = PAIR if dots else LANES if rest <= LANES + _FEW else WIDTH
        width = min(full, rest)
        if dots:
            _copy_pair(y, start, count, left, width, panel)
        else:
            _copy_panel(y, start, count, left, width, full, panel)
        for i in range(first, last, ROWS):
            rows, at = min(ROWS, last - i), place + (i - first) * row
            whole = rows == ROWS and width == full
            to, origin, along = (out, i * columns + left, columns) if whole else (found, 0, WIDTH)
            if not whole:
                found[:] = 0
            if dots:
                add_dots(x, at, row, rows, count - LANES, panel, -(-count // LANES), to, origin, along)
            elif full == LANES:
                add_slim_tile(x, at, row, rows, step, panel, count, to, origin, along)
            else:
                add_tile(x, at, row, rows, step, panel, count, to, origin, along)
            if not whole:
                for r in range(rows):
                    sums, more = out[i + r, left : left + width], found[r]
                    for j in range(width):
                        sums[j] += more[j]
        left += width


_BLOCKED = (X, types.boolean, types.int64, types.int64, _OUT2)


@kernel(types.void(X, *_BLOCKED))
def add_matmat(x: np.ndarray, y: np.ndarray, transposed: bool, first: int, last: int, out: np.ndarray) -> None:
    """out[first:last] += those rows of x y, or of the transpose of x times y."""
    inner = len(y)
    panel, found = aligned(min(_INNER, inner + LANES) * WIDTH), aligned(ROWS * WIDTH).reshape(ROWS, WIDTH)
    row, step = (1, x.shape[1]) if transposed else (x.shape[1], 1)
    for i in range(first, last, _OUTER):
        for start in range(0, inner, _INNER):
            stop = min(start + _INNER, inner)
            _add_block(x, i * row + start * step, row, step, y, start, stop, i, min(i + _OUTER, last), panel, found, out)


@kernel(types.void(X_SMALL, *_BLOCKED))
def add_matmat_of_small(x: np.ndarray, y: np.ndarray, transposed: bool, first: int, last: int, out: np.ndarray) -> None:
    """The same of int16, which become words block by block."""
    inner = len(y)
    panel, found = aligned(min(_INNER, inner + LANES) * WIDTH), aligned(ROWS * WIDTH).reshape(ROWS, WIDTH)
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
            _add_block(block, 0, row, step, y, start, stop, i, end, panel, found, out)


def matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """x (a, b), uint64 or int16, times y (b, c): (a, c)."""
    out = np.zeros((len(x), y.shape[1]), np.uint64)
    add_matmul(x, y, out)
    return out


def add_matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """out += x y. out: (a, c), row-major."""
    x, y = _as_kernels_take_it(x), _as_kernels_take_it(y)
    parts = ranges(len(out), x.size * y.shape[1] // _WORTH)
    if y.shape[1] == 1:
        v, sums = y[:, 0], out[:, 0]
        together(_of_vector(x).add_matvec, [(x[first:last], v, sums[first:last]) for first, last in parts])
    else:
        together(_blocked(x), [(x, y, False, first, last, out) for first, last in parts])


def trans_matmul(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The transpose of x (b, a), uint64 or int16, times y (b, c): (a, c)."""
    out = np.zeros((x.shape[1], y.shape[1]), np.uint64)
    add_trans_matmul(x, y, out)
    return out


def add_trans_matmul(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """out += the transpose of x, times y. out: (a, c), row-major."""
    x, y = _as_kernels_take_it(x), _as_kernels_take_it(y)
    worth = x.size * y.shape[1] // _WORTH
    if y.shape[1] == 1:
        parts = ranges(len(x), worth)
        v, sums = y[:, 0], np.zeros((len(parts), len(out)), np.uint64)
        together(_of_vector(x).add_trans_matvec, [(x[a:b], v[a:b], each) for (a, b), each in zip(parts, sums, strict=True)])
        for each in sums:
            out[:, 0] += each
    else:
        together(_blocked(x), [(x, y, True, first, last, out) for first, last in ranges(len(out), worth)])


def _blocked(x: np.ndarray) -> Any:
    return add_matmat if x.dtype == np.uint64 else add_matmat_of_small


def _of_vector(x: np.ndarray) -> Any:
    return vectors if x.dtype == np.uint64 else small_integers


def _as_kernels_take_it(array: np.ndarray) -> np.ndarray:
    """Row-major; what is mapped from a file may begin anywhere."""
    array = np.ascontiguousarray(array)
    return array if array.flags.aligned else array.copy()
