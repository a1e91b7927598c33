"""What the proof of matrix products computes, for many matrices to a call: those of networks are small, and there are
thousands.

Kernels take matrices of different shapes as a table, which has a row for each: the address of its first word, its rows
and its columns. In it, what is not there has no rows and no columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.np.numpy_support import carray

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, part_of_kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.combinations_128 import combine_columns_of_words
from mpc_tamper.engines.rep3.kernels.expectation import SUMS_OVER_SUBSETS, expect
from mpc_tamper.engines.rep3.kernels.rows_128 import add_of_words
from mpc_tamper.engines.rep3.kernels.subsets import add_columns, add_rows

_TILE = 8  # rows and columns that are turned at a time: a vector, and a line of the cache
_LOW_ROWS, _LOW_COLUMNS = 4, 2  # of low products that are summed at a time: in registers
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_ANY = types.Array(types.uint64, 2, "A", readonly=True, aligned=False)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_TABLE = types.Array(types.int64, 2, "C", readonly=True)
_PLACES = types.Array(types.int64, 1, "C", readonly=True)
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_ADDRESS, _BYTES = types.uintp, 8


@dataclass(frozen=True)
class Matrices:
    """Several matrices of words, row-major.

    arrays: what they lie in.  table: where and how large each is.
    """

    arrays: list[np.ndarray | None] = field(repr=False)
    table: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray | None]) -> Matrices:
        """None: there is none in this place. Copies what is not as kernels take it: what is mapped from a file may
        begin anywhere."""
        kept = [None if each is None else _as_kernels_take_it(each) for each in arrays]
        table = np.zeros((len(kept), 3), np.int64)
        for index, array in enumerate(kept):
            if array is not None:
                _enter(table, index, array)
        return cls(kept, table)

    @classmethod
    def new(cls, rows: int, columns: Sequence[int], instead: Mapping[int, np.ndarray]) -> Matrices:
        """One after the other, unwritten, each of so many rows, or none where it is to have no columns. In some places,
        these arrays instead."""
        sizes = np.array(columns, np.int64)
        sizes[list(instead)] = 0
        words = np.empty(rows * int(sizes.sum()), np.uint64)
        starts = words.ctypes.data + _BYTES * rows * (sizes.cumsum() - sizes)
        table = np.stack([starts, np.full_like(sizes, rows), sizes], axis=1)
        table[sizes == 0] = 0
        for index, array in instead.items():
            _enter(table, index, array)
        return cls([words, *instead.values()], table)

    def __len__(self) -> int:
        return len(self.table)

    def where(self, there: Sequence[bool]) -> Matrices:
        """Those of them that are to be there."""
        return Matrices(self.arrays, self.table * np.array(there, np.int64)[:, None])


def _as_kernels_take_it(array: np.ndarray) -> np.ndarray:
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=["C", "A"])


@kernel(types.void(types.int64[:, ::1], types.int64, _M))
def _enter(table: np.ndarray, index: int, array: np.ndarray) -> None:
    """NumPy takes microseconds to say where an array is."""
    table[index, 0], table[index, 1], table[index, 2] = array.ctypes.data, array.shape[0], array.shape[1]


@kernel(types.UniTuple(types.intp, 2)(_ANY, _ANY))
def addresses(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """Of their first words, wherever the others lie."""
    return x.ctypes.data, y.ctypes.data


@in_llvm
def _words_at(typing_context: Any, address: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())

    return types.CPointer(types.uint64)(types.int64), codegen


@part_of_kernels
def _matrix(table: np.ndarray, index: int) -> Any:
    return carray(_words_at(table[index, 0]), (table[index, 1], table[index, 2]))


def sums_over_subsets(
    members: np.ndarray, x: Matrices, transposed: np.ndarray, out: Matrices, t: Matrices, total: np.ndarray
) -> None:
    """Of each x, the sums over 48 subsets of its rows, or of its columns where transposed, to out, (48, n). Of all t
    together, the sums of rows are added to total, (48, 48).

    members: of each matrix, as many as its t has rows.  transposed: whether each x is.  out: of x that are there.
    """
    _sums_over_subsets(members, x.table, transposed, out.table, t.table, total)


@kernel(types.void(_V, _TABLE, _FLAGS, _TABLE, _TABLE, _OUT2))
def _sums_over_subsets(
    members: np.ndarray, x: np.ndarray, transposed: np.ndarray, out: np.ndarray, t: np.ndarray, total: np.ndarray
) -> None:
    first = 0
    for index in range(len(t)):
        rows = _matrix(t, index)
        some = members[first : first + len(rows)]
        first += len(rows)
        if x[index, 1] or x[index, 2]:
            of, to = _matrix(x, index), _matrix(out, index)
            to[:] = np.uint64(0)
            if transposed[index]:
                add_columns(some, of, 0, len(of), to)
            else:
                add_rows(some, of, 0, of.shape[1], to)
        add_rows(some, rows, 0, rows.shape[1], total)


def subtract_low_products(x: Matrices, y: Matrices, total: np.ndarray) -> None:
    """total[j, k] -= <x_j, y_k> modulo 2^64, for all matrices together. x: (48, n); y: (48 at most, n)."""
    _subtract_low_products(x.table, y.table, total)


@part_of_kernels
def _low_products(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, e: np.ndarray, f: np.ndarray) -> Any:
    """Of four rows with two."""
    ae = af = be = bf = ce = cf = de = df = np.uint64(0)
    for i in range(len(a)):
        ae += a[i] * e[i]
        af += a[i] * f[i]
        be += b[i] * e[i]
        bf += b[i] * f[i]
        ce += c[i] * e[i]
        cf += c[i] * f[i]
        de += d[i] * e[i]
        df += d[i] * f[i]
    return (ae, af), (be, bf), (ce, cf), (de, df)


@kernel(types.void(_TABLE, _TABLE, _OUT2))
def _subtract_low_products(x: np.ndarray, y: np.ndarray, total: np.ndarray) -> None:
    for index in range(len(x)):
        if x[index, 1]:
            a, b = _matrix(x, index), _matrix(y, index)
            for k in range(0, len(b), _LOW_COLUMNS):
                other = min(k + 1, len(b) - 1)
                for j in range(0, SUBSETS, _LOW_ROWS):
                    found = _low_products(a[j], a[j + 1], a[j + 2], a[j + 3], b[k], b[other])
                    for i in range(_LOW_ROWS):
                        total[j + i, k] -= found[i][0]
                        if other != k:
                            total[j + i, other] -= found[i][1]


def add_products(x: Matrices, y: Matrices, total: np.ndarray) -> None:
    """total[j, k] += <x_j, y_k> modulo 2^128, for all matrices together: (48, 48, 2)."""
    _add_products(x.table, y.table, total)


@kernel(types.void(_TABLE, _TABLE, _OUT3))
def _add_products(x: np.ndarray, y: np.ndarray, total: np.ndarray) -> None:
    for index in range(len(x)):
        if x[index, 1]:
            b = _matrix(y, index)
            add_of_words(_matrix(x, index), b, total[:, : len(b)])


def combine(factors: np.ndarray, rows: Matrices, *outs: tuple[np.ndarray, np.ndarray]) -> None:
    """Of each matrix, sum_a factor_a row_a, n elements, into both outs. factors: (48, 2), of which a matrix of fewer
    rows takes the first ones.

    outs: elements, (.., 2), and where those of each matrix begin: -1 where they are left out.
    """
    (one, of_one), (other, of_other) = outs
    _combine(factors, rows.table, one, of_one, other, of_other)


@kernel(types.void(_M, _TABLE, _OUT2, _PLACES, _OUT2, _PLACES))
def _combine(
    factors: np.ndarray, rows: np.ndarray, one: np.ndarray, of_one: np.ndarray, other: np.ndarray, of_other: np.ndarray
) -> None:
    for index in range(len(rows)):
        some, first, second = _matrix(rows, index), of_one[index], of_other[index]
        n = some.shape[1]
        if first >= 0:
            found = one[first : first + n]
        else:
            found = other[second : second + n]
        if first >= 0 or second >= 0:
            combine_columns_of_words(factors[: len(some)], some, 0, n, found)
        if first >= 0 and second >= 0:
            other[second : second + n] = found


def turned(x: np.ndarray) -> np.ndarray:
    """A copy of x (m, n), words: its transpose, row-major."""
    out = np.empty((x.shape[1], x.shape[0]), np.uint64)
    _turn(_as_kernels_take_it(x), out)
    return out


def both_turned(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same of two of one shape: (2, n, m)."""
    out = np.empty((2, x.shape[1], x.shape[0]), np.uint64)
    _turn_both(_as_kernels_take_it(x), _as_kernels_take_it(y), out)
    return out


@in_llvm
def _turn_tile(typing_context: Any, x: Any, row: Any, out: Any, out_row: Any) -> Any:
    """Eight rows of eight words at x, `row` bytes apart, to columns at out."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, row, out, out_row = arguments
        word, vector = ir.IntType(64), ir.VectorType(ir.IntType(64), _TILE)

        def place(start: Any, step: Any, i: int) -> Any:
            return builder.inttoptr(builder.add(start, builder.mul(step, ir.Constant(word, i))), vector.as_pointer())

        def pick(one: Any, other: Any, lanes: list[int]) -> Any:
            return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), _TILE), lanes))

        lines = []
        for i in range(_TILE):
            lines.append(builder.load(place(x, row, i)))
            lines[-1].align = 8
        for bit in (1, 2, 4):  # blocks of so many words, off the diagonal of those twice as large, change places
            for i in range(_TILE):
                if not i & bit:
                    one, other = lines[i], lines[i + bit]
                    lines[i] = pick(one, other, [_TILE + j - bit if j & bit else j for j in range(_TILE)])
                    lines[i + bit] = pick(one, other, [_TILE + j if j & bit else j + bit for j in range(_TILE)])
        for i, line in enumerate(lines):
            builder.store(line, place(out, out_row, i)).align = 8
        return context.get_dummy_value()

    return types.void(*[types.uintp] * 4), codegen


@kernel(types.void(_M, _OUT2))
def _turn(x: np.ndarray, out: np.ndarray) -> None:
    m, n = x.shape
    if n == 1:
        column, turned = x.reshape(-1), out.reshape(-1)
        for i in range(m):
            turned[i] = column[i]
        return
    row, out_row = _ADDRESS(n * _BYTES), _ADDRESS(m * _BYTES)
    whole, columns = m // _TILE * _TILE, n // _TILE * _TILE
    for first in range(0, columns, _TILE):
        at = _ADDRESS(x.ctypes.data) + _ADDRESS(first * _BYTES)
        to = _ADDRESS(out.ctypes.data) + _ADDRESS(first) * out_row
        for i in range(0, whole, _TILE):
            _turn_tile(at + _ADDRESS(i) * row, row, to + _ADDRESS(i * _BYTES), out_row)
    for j in range(n):
        for i in range(whole if j < columns else 0, m):
            out[j, i] = x[i, j]


@kernel(types.void(_M, _M, _OUT3))
def _turn_both(x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    _turn(x, out[0])
    _turn(y, out[1])


def check() -> None:
    """As in subsets.py, of rows and of columns, and of a second matrix after the first.

    Raises EngineUnavailable.
    """
    m, n = 70, 11
    x = (np.arange(1, m * n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(m, n)
    members = np.arange(1, 2 * m + 1, dtype=np.uint64) * np.uint64(0xD1B54A32D192ED03) >> np.uint64(64 - SUBSETS)
    indicators = members.reshape(2, 1, m) >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)
    sums, total = np.empty((2, SUBSETS, n), np.uint64), np.zeros((SUBSETS, SUBSETS), np.uint64)
    both, t = Matrices.of([x, np.ascontiguousarray(x.T)]), Matrices.of([x, x + np.uint64(1)])
    sums_over_subsets(members, both, np.array([False, True]), Matrices.of(list(sums)), t, total)
    expect(SUMS_OVER_SUBSETS, sums, indicators @ x)
    expect(SUMS_OVER_SUBSETS, total[:, :n], indicators[0] @ x + indicators[1] @ (x + np.uint64(1)))


check()
