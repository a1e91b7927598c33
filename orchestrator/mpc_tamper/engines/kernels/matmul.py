"""Matrix products modulo 2^64 over row-major arrays.

x may hold small signed integers, int16: a private input at its owner. The hot path of the SVM is one product by a
vector each way per iteration, over a matrix larger than the caches: each kernel reads it once, as it lies. Networks
multiply matrices by matrices: of y, blocks of columns are copied together so that they stay in the first cache, and a
tile of the product stays in registers (kernels/tiles.py; after Goto and van de Geijn, "Anatomy of High-Performance
Matrix Multiplication", ACM TOMS 2008).

Whatever the number of threads, sums modulo 2^64 are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.threads import ranges, together
from mpc_tamper.engines.kernels.tiles import LANES, ROWS, WIDTH, add_row, dot_of_row, tile

_INNER = 160  # of the sum, at a time: that many rows of a panel fit in half of the first cache
_OUTER = 256  # rows of the product: their part of x stays in the second cache, while all panels are gone through
_LINE = 8  # words to a line of the cache
_WORTH = 1 << 20  # products of words that a thread has to have for it to pay

_OUT1 = types.uint64[::1]
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_Y = types.Array(types.uint64, 2, "C", readonly=True)
_X = [types.Array(kind, 2, "C", readonly=True) for kind in (types.uint64, types.int16)]


@kernel(_OUT1(types.int64))
def _aligned(words: int) -> np.ndarray:
    """Zeros that begin at a line of the cache: a vector that lies across two of them takes twice as long to store."""
    memory = np.zeros(words + _LINE, np.uint64)
    first = (-(memory.ctypes.data >> 3)) % _LINE
    return memory[first : first + words]


@kernel(*(types.void(x, _V, _OUT1) for x in _X))
def add_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += x v. x: (a, b); v: (b,); out: (a,)."""
    rows, columns = x.shape
    vectors = columns // LANES
    factors = _aligned(columns)
    factors[:] = v
    for i in range(rows):
        total = dot_of_row(x, i * columns, factors, vectors)
        for j in range(vectors * LANES, columns):
            total += np.uint64(x[i, j]) * v[j]
        out[i] += total


@kernel(*(types.void(x, _V, _OUT1) for x in _X))
def add_trans_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += the transpose of x, times v. x: (b, a); v: (b,); out: (a,)."""
    rows, columns = x.shape
    vectors = columns // LANES
    total = _aligned(columns)
    for i in range(rows):
        add_row(x, i * columns, v[i], total, vectors)
        for j in range(vectors * LANES, columns):
            total[j] += np.uint64(x[i, j]) * v[i]
    for j in range(columns):
        out[j] += total[j]


@kernel(types.void(_X[0], *[types.int64] * 3, _Y, *[types.int64] * 4, _OUT2))
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
    out: np.ndarray,
) -> None:
    """out[first:last] += the sum over k from start to stop of x at place + (i - first) row + (k - start) step, y[k]."""
    columns, count = y.shape[1], stop - start
    panel, found = _aligned(_INNER * WIDTH).reshape(_INNER, WIDTH), _aligned(ROWS * WIDTH).reshape(ROWS, WIDTH)
    for left in range(0, columns, WIDTH):
        width = min(WIDTH, columns - left)
        for k in range(count):
            to, of = panel[k], y[start + k, left : left + width]
            for j in range(width):
                to[j] = of[j]
            for j in range(width, WIDTH):
                to[j] = np.uint64(0)
        for i in range(first, last, ROWS):
            rows = min(ROWS, last - i)
            tile(x, place + (i - first) * row, row, rows, step, panel, count, found)
            for r in range(rows):
                sums, more = out[i + r, left : left + width], found[r]
                for j in range(width):
                    sums[j] += more[j]


_BLOCKED = (_Y, types.boolean, types.int64, types.int64, _OUT2)


@kernel(types.void(_X[0], *_BLOCKED))
def add_matmat(x: np.ndarray, y: np.ndarray, transposed: bool, first: int, last: int, out: np.ndarray) -> None:
    """out[first:last] += those rows of x y, or of the transpose of x times y."""
    inner = len(y)
    row, step = (1, x.shape[1]) if transposed else (x.shape[1], 1)
    for i in range(first, last, _OUTER):
        for start in range(0, inner, _INNER):
            stop = min(start + _INNER, inner)
            _add_block(x, i * row + start * step, row, step, y, start, stop, i, min(i + _OUTER, last), out)


@kernel(types.void(_X[1], *_BLOCKED))
def add_matmat_of_small(x: np.ndarray, y: np.ndarray, transposed: bool, first: int, last: int, out: np.ndarray) -> None:
    """The same of int16, which become words block by block."""
    inner = len(y)
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
            _add_block(block, 0, row, step, y, start, stop, i, end, out)


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
        together(add_matvec, [(x[first:last], v, sums[first:last]) for first, last in parts])
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
        together(add_trans_matvec, [(x[a:b], v[a:b], each) for (a, b), each in zip(parts, sums, strict=True)])
        for each in sums:
            out[:, 0] += each
    else:
        together(_blocked(x), [(x, y, True, first, last, out) for first, last in ranges(len(out), worth)])


def _blocked(x: np.ndarray) -> Any:
    return add_matmat if x.dtype == np.uint64 else add_matmat_of_small


def _as_kernels_take_it(array: np.ndarray) -> np.ndarray:
    """Row-major; what is mapped from a file may begin anywhere."""
    array = np.ascontiguousarray(array)
    return array if array.flags.aligned else array.copy()
