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
from mpc_tamper.engines.kernels.layout import row_major
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.combinations_128 import combine_columns_of_words
from mpc_tamper.engines.rep3.kernels.expectation import SUMS_OVER_SUBSETS, expect
from mpc_tamper.engines.rep3.kernels.low_products import subtract_low_products
from mpc_tamper.engines.rep3.kernels.rows_128 import add_of_words, add_totals
from mpc_tamper.engines.rep3.kernels.subsets import (
    add_prepared_columns,
    add_prepared_rows,
    prepared_columns,
    prepared_rows,
)

_TILE = 8  # rows and columns that are turned at a time: a vector, and a line of the cache
# A unit has up to so many entries of X, or so many columns if these are more: a call is little beside it, and what it
# reads stays in a core's second cache.
_ENTRIES, _COLUMNS = 1 << 19, 256
_OF_UNIT = 3  # numbers
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_ANY = types.Array(types.uint64, 2, "A", readonly=True, aligned=False)
_FLAGS = types.Array(types.boolean, 1, "C", readonly=True)
_TABLE = types.Array(types.int64, 2, "C", readonly=True)
_PLACES = types.Array(types.int64, 1, "C", readonly=True)
_TABLES = types.Tuple((*[_TABLE] * 4, _FLAGS))  # of a Side
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
        kept = [None if each is None else row_major(each) for each in arrays]
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


def units_of(outer: Sequence[int], inner: Sequence[int]) -> np.ndarray:
    """Pieces of products of matrices X Y that threads take one after the other: the number of each, and which of X's
    columns and Y's rows, from a first one to a last. What is long is cut into an even number of about equal ones, which
    two threads share without a rest; of each product there is one at least.

    outer: how many rows each X has.  inner: how many columns.
    """
    units = []
    for number, (rows, length) in enumerate(zip(outer, inner, strict=True)):
        pieces = -(-length // max(_COLUMNS, _ENTRIES // max(1, rows)))
        pieces = 1 if pieces <= 1 else pieces + pieces % 2
        step = max(1, -(-length // (pieces * _TILE)) * _TILE)
        units += [(number, first, min(first + step, length)) for first in range(0, max(1, length), step)]
    return np.array(units, np.int64).reshape(-1, 3)


@dataclass(frozen=True)
class Side:
    """One component of some matrix products Z = X Y.

    x: where sums over subsets are to be made of it.  of_x: those sums, a^T X, (48, inner).  y: Y b, (48 or fewer,
    inner).  t: of the messages, (rows of Z, 48 or fewer).  has_term: whether x y is subtracted from their sums.
    """

    x: Matrices
    of_x: Matrices
    y: Matrices
    t: Matrices
    has_term: np.ndarray

    @property
    def tables(self) -> tuple[np.ndarray, ...]:
        return self.x.table, self.of_x.table, self.y.table, self.t.table, self.has_term


@dataclass(frozen=True)
class SubsetsOfRows:
    """Of some matrix products Z = X Y.

    members: of the rows of each Z, from starts on.  transposed: whether these are the columns of what stands for X.
    """

    members: np.ndarray
    starts: np.ndarray
    transposed: np.ndarray

    @classmethod
    def of(cls, members: Sequence[np.ndarray], transposed: Sequence[bool]) -> SubsetsOfRows:
        starts = np.cumsum([0, *map(len, members)], dtype=np.int64)
        return cls(np.concatenate(members), starts, np.array(transposed, np.bool_))


def compress(
    of_rows: SubsetsOfRows, units: np.ndarray, own: Side, previous: Side, t: np.ndarray, products: np.ndarray
) -> None:
    """Of each x, write the sums over 48 subsets of its rows, or of its columns where transposed, to of_x. Add

    - to t, (2, 48, 48): of each side, the sums over subsets of its t, less <of_x_j, y_k> where it has that term, modulo
      2^64, over all matrices
    - to products, (48, 48, 2): <of_x_j, y_k> of either side's of_x and the other's y, modulo 2^128.

    units: units_of all of them. Raises ValueError where sizes do not fit: what a verifier forgot would go unnoticed.
    """
    sizes = len(of_rows.members), of_rows.starts, of_rows.transposed
    if not _fit(*sizes, units, own.tables, previous.tables):
        raise ValueError("expected X, Y and Z = X Y of sizes that fit, got others: a fault of the software")
    of_rows_and_units = (of_rows.members, of_rows.starts, of_rows.transposed, units)
    _compress(helpers(len(units)), *of_rows_and_units, own.tables, previous.tables, t, products)


@part_of_kernels
def _is_there(table: np.ndarray, index: int) -> bool:
    return table[index, 1] != 0 or table[index, 2] != 0


@part_of_kernels
def _fits(rows: int, transposed: bool, inner: int, index: int, side: Any) -> bool:
    """Whether this side of a product is of these sizes."""
    x, of_x, y, t, _ = side
    outer, length = (inner, rows) if transposed else (rows, inner)
    if _is_there(x, index) and (
        x[index, 1] != outer or x[index, 2] != length or (inner and not _is_there(of_x, index))
    ):
        return False
    if _is_there(of_x, index) and (of_x[index, 1] != SUBSETS or of_x[index, 2] != inner):
        return False
    return bool(y[index, 1] <= SUBSETS and y[index, 2] == inner and t[index, 1] == rows and t[index, 2] <= SUBSETS)


@part_of_kernels
def _are_of(count: int, side: Any) -> bool:
    x, of_x, y, t, has_term = side
    return bool(
        len(x) == count and len(of_x) == count and len(y) == count and len(t) == count and len(has_term) == count
    )


@kernel(types.boolean(types.int64, _PLACES, _FLAGS, _TABLE, _TABLES, _TABLES))
def _fit(members: int, starts: np.ndarray, transposed: np.ndarray, units: np.ndarray, own: Any, previous: Any) -> bool:
    """Whether both sides are of as many products as `transposed` has entries, and of the sizes of their rows' subsets,
    of which there are `members` members in all; and whether units take each product's columns one after the other.

    A unit that begins at column 0 adds the messages: there is one to a product, so that none is empty but that of a
    product without columns.
    """
    count, at = len(transposed), 0
    if len(starts) != count + 1 or units.shape[1] != _OF_UNIT or not (_are_of(count, own) and _are_of(count, previous)):
        return False
    if starts[0] != 0 or starts[count] != members:
        return False
    for index in range(count):
        rows, inner = starts[index + 1] - starts[index], own[2][index, 2]
        for side in (own, previous):
            if not _fits(rows, transposed[index], inner, index, side):
                return False
        reached = 0
        while True:
            if at == len(units) or units[at, 0] != index or units[at, 1] != reached:
                return False
            last = units[at, 2]
            if not (reached < last <= inner or last == inner == 0):
                return False
            reached = last
            at += 1
            if reached == inner:
                break
    return bool(at == len(units))


@part_of_kernels
def _make_sums(some: np.ndarray, transposed: bool, index: int, first: int, last: int, own: Any, previous: Any) -> None:
    """Over subsets, of columns first .. last - 1 of both components, as far as there are sums to make."""
    if not (_is_there(own[0], index) or _is_there(previous[0], index)):
        return
    of_rows, of_columns = some[:0], some[:0]
    prepared, prepared_of_columns = prepared_rows(of_rows), prepared_columns(of_columns)
    if transposed:
        prepared_of_columns = prepared_columns(some)
    else:
        prepared = prepared_rows(some)
    for side in (own, previous):
        if _is_there(side[0], index):
            x, out = _matrix(side[0], index), _matrix(side[1], index)
            out[:, first:last] = np.uint64(0)
            if transposed:
                add_prepared_columns(prepared_of_columns, x, first, last, out)
            else:
                add_prepared_rows(prepared, x, first, last, out)


@part_of_kernels
def _compress_units(
    who: int,
    begin: int,
    end: int,
    members: np.ndarray,
    starts: np.ndarray,
    transposed: np.ndarray,
    units: np.ndarray,
    own: Any,
    previous: Any,
    t: np.ndarray,
    products: np.ndarray,
) -> None:
    """What follows from sums is made while they are in the cache."""
    for unit in units[begin:end]:
        index, first, last = unit[0], unit[1], unit[2]
        some = members[starts[index] : starts[index + 1]]
        out, other = _matrix(own[1], index), _matrix(previous[1], index)
        _make_sums(some, transposed[index], index, first, last, own, previous)
        y, other_y = _matrix(own[2], index), _matrix(previous[2], index)
        if len(out):
            add_of_words(out, other_y, first, last, products[who, :, : len(other_y)])
            if own[4][index]:
                subtract_low_products(out, y, first, last, t[who, 0])
        if len(other):
            add_of_words(other, y, first, last, products[who, :, : len(y)])
            if previous[4][index]:
                subtract_low_products(other, other_y, first, last, t[who, 1])
        if first == 0:
            rows = prepared_rows(some)
            of_own, of_previous = _matrix(own[3], index), _matrix(previous[3], index)
            add_prepared_rows(rows, of_own, 0, of_own.shape[1], t[who, 0])
            add_prepared_rows(rows, of_previous, 0, of_previous.shape[1], t[who, 1])


@kernel(types.void(NOTE, _V, _PLACES, _FLAGS, _TABLE, _TABLES, _TABLES, _OUT3, _OUT3))
def _compress(
    note: int,
    members: np.ndarray,
    starts: np.ndarray,
    transposed: np.ndarray,
    units: np.ndarray,
    own: Any,
    previous: Any,
    t: np.ndarray,
    products: np.ndarray,
) -> None:
    threads = threads_of(note)
    of_t = np.zeros((threads, 2, SUBSETS, SUBSETS), np.uint64)
    of_products = np.zeros((threads, SUBSETS, SUBSETS, 2), np.uint64)
    arguments = (members, starts, transposed, units, own, previous, of_t, of_products)
    in_parts(_compress_units, note, len(units), 1, arguments)
    for who in range(threads):
        t += of_t[who]
    add_totals(of_products, products)


def combine(factors: np.ndarray, rows: Matrices, units: np.ndarray, *outs: tuple[np.ndarray, np.ndarray]) -> None:
    """Of each matrix, sum_a factor_a row_a, n elements, into both outs. factors: (48, 2), of which a matrix of fewer
    rows takes the first ones.

    units: units_of them.  outs: elements, (.., 2), and where those of each matrix begin: -1 where they are left out.
    """
    (one, of_one), (other, of_other) = outs
    _combine(helpers(len(units)), factors, rows.table, units, one, of_one, other, of_other)


@part_of_kernels
def _combine_units(
    who: int,
    begin: int,
    end: int,
    factors: np.ndarray,
    rows: np.ndarray,
    units: np.ndarray,
    one: np.ndarray,
    of_one: np.ndarray,
    other: np.ndarray,
    of_other: np.ndarray,
) -> None:
    for unit in units[begin:end]:
        index, start, stop = unit[0], unit[1], unit[2]
        some, first, second = _matrix(rows, index), of_one[index], of_other[index]
        n = some.shape[1]
        if n == 0 or (first < 0 and second < 0):
            continue
        found = one[first : first + n] if first >= 0 else other[second : second + n]
        combine_columns_of_words(factors[: len(some)], some, start, stop, found)
        if first >= 0 and second >= 0:
            other[second + start : second + stop] = found[start:stop]


@kernel(types.void(NOTE, _M, _TABLE, _TABLE, _OUT2, _PLACES, _OUT2, _PLACES))
def _combine(
    note: int,
    factors: np.ndarray,
    rows: np.ndarray,
    units: np.ndarray,
    one: np.ndarray,
    of_one: np.ndarray,
    other: np.ndarray,
    of_other: np.ndarray,
) -> None:
    in_parts(_combine_units, note, len(units), 1, (factors, rows, units, one, of_one, other, of_other))


def turned(x: np.ndarray) -> np.ndarray:
    """A copy of x (m, n), words: its transpose, row-major."""
    out = np.empty((x.shape[1], x.shape[0]), np.uint64)
    _turn(row_major(x), out)
    return out


def both_turned(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same of two of one shape: (2, n, m)."""
    out = np.empty((2, x.shape[1], x.shape[0]), np.uint64)
    _turn_both(row_major(x), row_major(y), out)
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
    sums, total = np.empty((2, 2, SUBSETS, n), np.uint64), np.zeros((2, SUBSETS, SUBSETS), np.uint64)
    added = np.arange(2, dtype=np.uint64)  # by the component
    sides = [
        Side(
            Matrices.of([x + more, np.ascontiguousarray(x.T) + more]),
            Matrices.of(list(of_x)),
            Matrices.of([x[:SUBSETS]] * 2),
            Matrices.of([x - more, x + np.uint64(2)]),
            np.zeros(2, np.bool_),
        )
        for of_x, more in zip(sums, added, strict=True)
    ]
    of_rows = SubsetsOfRows.of([members[:m], members[m:]], [False, True])
    products = np.zeros((SUBSETS, SUBSETS, 2), np.uint64)
    compress(of_rows, units_of([m, m], [n, n]), sides[0], sides[1], total, products)
    for of_x, of_t, more in zip(sums, total, added, strict=True):
        expect(SUMS_OVER_SUBSETS, of_x, indicators @ (x + more))
        expect(SUMS_OVER_SUBSETS, of_t[:, :n], indicators[0] @ (x - more) + indicators[1] @ (x + np.uint64(2)))


check()
