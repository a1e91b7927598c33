"""Sums of rows, or of columns, over 48 subsets: four rows have 16 sums, which stand in the first cache, and each subset
adds one of them.

Lanes are columns, eight in one vector or in two, so that rows are read and sums are written as they lie. Columns become
rows block by block; where the processor can look up numbers in registers, lookups.py is faster. Addresses and distances
are in bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, kernel_unless, part_of_kernels
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.fetching import fetch_line

AT_ONCE = 4  # rows to a table
_SUMS = 2**AT_ONCE
LANES = 8  # columns that are summed together
# Subsets whose sums fit into registers: there are 32 of 512 bits, or 16 of 256, of which eight columns take two.
_WIDE = may_use("avx512f")
_TOGETHER = SUBSETS // 2 if _WIDE else SUBSETS // 8
_BLOCK = 512 // LANES  # rows whose tables stand in the cache together: half of it
_BYTES, _VECTOR_BYTES = 8, 8 * LANES
# Where a sum stands in its table, in bytes, is four bits that begin where a vector's size has its own. A word has those
# of up to twelve subsets, four bits apart: numbers of their own would take as long to load as sums.
_IN_WORD = min(12, _TOGETHER)
_WORDS = SUBSETS // _IN_WORD
# Bits of twelve subsets, or six, get to every fourth place in these steps: all are shifted too, the mask keeps some.
_SPREADING = ((18, 0x3F00003F), (9, 0x7007007007), (6, 0x103103103103), (3, 0x111111111111))
_FIRST_BIT, _PLACE_BITS = _VECTOR_BYTES.bit_length() - 1, (_SUMS - 1) * _VECTOR_BYTES
# What is fetched meanwhile, into the second cache, as rows are mostly in memory: columns that are soon summed or, where
# rows are short, those that come after the block.
_AHEAD, _SHORT = 128, 512
_ADDRESS = types.uintp
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_OUT2 = types.uint64[:, ::1]
_ARGUMENTS = types.void(_M, _M, types.int64, types.int64, _OUT2)
_1 = np.uint64(1)


def _vector(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _VECTOR.as_pointer())


def _load(builder: Any, address: Any) -> Any:
    found = builder.load(_vector(builder, address))
    found.align = 8
    return found


def _behind(builder: Any, address: Any, count: Any, size: int) -> Any:
    return builder.add(address, builder.mul(count, ir.Constant(_WORD, size)))


@in_llvm
def _make_tables(
    typing_context: Any, x: Any, second: Any, third: Any, fourth: Any, step: Any, ahead: Any, groups: Any, tables: Any
) -> Any:
    """The 16 sums of a vector of columns of four rows, of `groups` of four, to tables.

    Rows begin at x, x + second and so on, and again `step` behind these. What is `ahead` of them is fetched.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, *others, step, ahead, groups, tables = arguments
        with cgutils.for_range(builder, groups) as loop:
            start = builder.add(x, builder.mul(loop.index, step))
            to = _behind(builder, tables, loop.index, _SUMS * _VECTOR_BYTES)
            sums = [ir.Constant(_VECTOR, [0] * LANES)]
            for address in (start, *(builder.add(start, each) for each in others)):
                row = _load(builder, address)
                sums += [builder.add(each, row) for each in sums]
                fetch_line(builder, builder.add(address, ahead))
            for i, each in enumerate(sums):
                builder.store(each, _vector(builder, builder.add(to, ir.Constant(_WORD, i * _VECTOR_BYTES)))).align = 8
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 8), codegen


@in_llvm
def _add_sums(typing_context: Any, tables: Any, offsets: Any, groups: Any, sums: Any, distance: Any) -> Any:
    """Adds, to a vector of each of _TOGETHER subsets, from the table of each group what stands at its offset.

    sums: the address of the first vector, the next one `distance` behind it.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tables, offsets, groups, sums, distance = arguments
        places = [builder.add(sums, builder.mul(distance, ir.Constant(_WORD, k))) for k in range(_TOGETHER)]
        totals = [cgutils.alloca_once_value(builder, _load(builder, place)) for place in places]
        with cgutils.for_range(builder, groups) as loop:
            table = _behind(builder, tables, loop.index, _SUMS * _VECTOR_BYTES)
            first = builder.inttoptr(_behind(builder, offsets, loop.index, _WORDS * _BYTES), _WORD.as_pointer())
            for k, total in enumerate(totals):
                if k % _IN_WORD == 0:
                    word = builder.load(builder.gep(first, [ir.Constant(_WORD, k // _IN_WORD)]))
                shifted = builder.lshr(word, ir.Constant(_WORD, AT_ONCE * (k % _IN_WORD)))
                found = _load(builder, builder.add(table, builder.and_(shifted, ir.Constant(_WORD, _PLACE_BITS))))
                builder.store(builder.add(builder.load(total), found), total)
        for place, total in zip(places, totals, strict=True):
            builder.store(builder.load(total), _vector(builder, place)).align = 8
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 5), codegen


@in_llvm
def _put_offsets(typing_context: Any, first: Any, second: Any, third: Any, fourth: Any, to: Any) -> Any:
    """Of four members, to _WORDS words."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *members, to = arguments
        kind = ir.VectorType(_WORD, _WORDS)

        def constant(*numbers: int) -> Any:
            return ir.Constant(kind, list(numbers) if len(numbers) > 1 else list(numbers) * _WORDS)

        offsets = constant(0)
        for i, member in enumerate(members):
            alone = builder.insert_element(ir.Constant(kind, ir.Undefined), member, ir.Constant(_INDEX, 0))
            bits = builder.shuffle_vector(alone, alone, ir.Constant(ir.VectorType(_INDEX, _WORDS), [0] * _WORDS))
            bits = builder.lshr(bits, constant(*(_IN_WORD * word for word in range(_WORDS))))
            bits = builder.and_(bits, constant(2**_IN_WORD - 1))
            for shift, mask in _SPREADING:
                bits = builder.and_(builder.or_(bits, builder.shl(bits, constant(shift))), constant(mask))
            offsets = builder.or_(offsets, builder.shl(bits, constant(_FIRST_BIT + i)))
        builder.store(offsets, builder.inttoptr(to, kind.as_pointer())).align = _BYTES
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 5), codegen


@kernel(_OUT2(_V))
def offsets_of(members: np.ndarray) -> np.ndarray:
    """For each four members and each subset, where in a table the sum of those that are in it stands: (groups, _WORDS).

    Bits of members from the 48th on say nothing.
    """
    out = np.empty(((members.size + AT_ONCE - 1) // AT_ONCE, _WORDS), np.uint64)
    to, size, row = _ADDRESS(out.ctypes.data), members.size, _ADDRESS(_WORDS * _BYTES)
    zero = np.uint64(0)
    for i in range(0, size, AT_ONCE):
        second = members[i + 1] if i + 1 < size else zero
        third = members[i + 2] if i + 2 < size else zero
        fourth = members[i + 3] if i + 3 < size else zero
        _put_offsets(members[i], second, third, fourth, to)
        to += row
    return out


@part_of_kernels
def _add_strip(
    offsets: np.ndarray, start: int, count: int, x: Any, row: Any, sums: Any, distance: Any, room: np.ndarray
) -> None:
    """A vector of columns of rows start .. start + count - 1, at most _BLOCK, to 48 vectors at sums, `distance` apart.

    x: where the columns of row `start` are, the next row `row` behind it.  room: for tables.
    """
    whole, rest = count // AT_ONCE, count % AT_ONCE
    vector = _ADDRESS(_VECTOR_BYTES)
    tables = (_ADDRESS(room.ctypes.data) + vector - _ADDRESS(1)) // vector * vector
    ahead = _ADDRESS(_BLOCK) * row if row <= _ADDRESS(_SHORT) else _ADDRESS(_AHEAD)
    second, third, step = _ADDRESS(2) * row, _ADDRESS(3) * row, _ADDRESS(AT_ONCE) * row
    _make_tables(x, row, second, third, step, ahead, _ADDRESS(whole), tables)
    if rest:  # the last row stands for those that are not there, and that no subset has
        near, far = _ADDRESS(min(1, rest - 1)) * row, _ADDRESS(min(2, rest - 1)) * row
        behind = tables + _ADDRESS(whole * _SUMS) * vector
        _make_tables(x + _ADDRESS(whole * AT_ONCE) * row, near, far, far, row, ahead, _ADDRESS(1), behind)
    groups = _ADDRESS(whole + min(1, rest))
    at = _ADDRESS(offsets.ctypes.data) + _ADDRESS(start // AT_ONCE * _WORDS * _BYTES)
    for first in range(0, SUBSETS, _TOGETHER):
        of_first = at + _ADDRESS(first // _IN_WORD * _BYTES)
        _add_sums(tables, of_first, groups, sums + _ADDRESS(first) * distance, distance)


@part_of_kernels
def _room() -> np.ndarray:
    """For tables, and behind them for a block of a vector of columns and their sums, which begin as zeros."""
    room = np.empty((_BLOCK // AT_ONCE * _SUMS + 1 + _BLOCK + SUBSETS, LANES), np.uint64)
    room[len(room) - SUBSETS :] = np.uint64(0)
    return room


@part_of_kernels
def _add_narrow(sums: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    for k in range(SUBSETS):
        for c in range(first, last):
            out[k, c] += sums[k, c - first]


@kernel(_ARGUMENTS)
def add_rows(offsets: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[k, c] += the sum of x[i, c] over the rows i in subset k, for c from first to last - 1."""
    whole = first + (last - first) // LANES * LANES
    room = _room()
    narrow = room[len(room) - _BLOCK - SUBSETS :]  # rows and sums of the last columns, fewer than a vector
    row, distance, vector = _ADDRESS(x.shape[1] * _BYTES), _ADDRESS(out.shape[1] * _BYTES), _ADDRESS(_VECTOR_BYTES)
    at, to = _ADDRESS(narrow.ctypes.data), _ADDRESS(narrow.ctypes.data) + _ADDRESS(_BLOCK) * vector
    for start in range(0, len(x), _BLOCK):
        size = min(_BLOCK, len(x) - start)
        rows = _ADDRESS(x.ctypes.data) + _ADDRESS(start) * row
        for c in range(first, whole, LANES):
            column = _ADDRESS(c * _BYTES)
            _add_strip(offsets, start, size, rows + column, row, _ADDRESS(out.ctypes.data) + column, distance, room)
        if whole < last:
            for i in range(size):
                for c in range(whole, last):
                    narrow[i, c - whole] = x[start + i, c]
            _add_strip(offsets, start, size, at, vector, to, vector, room)
    _add_narrow(narrow[_BLOCK:], whole, last, out)


@kernel_unless(_WIDE, _ARGUMENTS)
def add_columns(offsets: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[k, i] += the sum of x[i, c] over the columns c in subset k, for i from first to last - 1."""
    room = _room()
    narrow = room[len(room) - _BLOCK - SUBSETS :]  # columns as rows, and sums of the last ones
    vector = _ADDRESS(_VECTOR_BYTES)
    at, to = _ADDRESS(narrow.ctypes.data), _ADDRESS(narrow.ctypes.data) + _ADDRESS(_BLOCK) * vector
    distance, of_out = _ADDRESS(out.shape[1] * _BYTES), _ADDRESS(out.ctypes.data)
    for top in range(first, last, LANES):
        lanes = min(LANES, last - top)
        for start in range(0, x.shape[1], _BLOCK):
            size = min(_BLOCK, x.shape[1] - start)
            for i in range(lanes):
                row = x[top + i, start : start + size]
                for c in range(size):
                    narrow[c, i] = row[c]
            if lanes == LANES:
                _add_strip(offsets, start, size, at, vector, of_out + _ADDRESS(top * _BYTES), distance, room)
            else:
                _add_strip(offsets, start, size, at, vector, to, vector, room)
        if lanes < LANES:
            _add_narrow(narrow[_BLOCK:], top, last, out)
