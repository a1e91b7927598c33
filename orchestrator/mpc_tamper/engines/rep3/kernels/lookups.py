"""Sums of columns over 48 subsets by look-ups: four numbers have 16 sums, which two vectors hold, and VPERMI2Q finds
the sums of eight subsets among them at once.

Lanes are subsets here, and columns in row_sums.py, so that neither the sums nor the tables leave the registers. Callers
give addresses and distances in bytes, and have another way where the processor lacks the instruction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.fetching import fetch_line
from mpc_tamper.engines.rep3.kernels.sums_of_four import sums_of_four

LANES = 8
AT_ONCE = 4  # numbers to a table
COLUMNS = 2  # that are summed together
_VECTORS = SUBSETS // LANES
_CHUNK = 256  # rows whose sums are kept at a time
_BYTES = 8
_ADDRESS = types.uintp
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_OUT2 = types.uint64[:, ::1]
_SUMS = types.void(_M, _M, types.int64, types.int64, _OUT2)


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPERMI2Q on 512 bits."""
    return may_use("avx512f")


@in_llvm
def _add_sums(
    typing_context: Any,
    x: Any,
    second: Any,
    third: Any,
    fourth: Any,
    step: Any,
    column: Any,
    places: Any,
    groups: Any,
    sums: Any,
    other_sums: Any,
) -> Any:
    """Adds, to 48 words at sums and at other_sums, the numbers of two columns, the second `column` behind the first.
    The two after them are fetched.

    Numbers in `groups` of four: at x, x + second and so on, and again `step` behind these. places: vectors of each
    group's places in its table.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, second, third, fourth, step, column, places, groups, *to = arguments
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        look_up = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.q.512")
        to = [builder.inttoptr(each, _VECTOR.as_pointer()) for each in to]
        indices = builder.inttoptr(places, _VECTOR.as_pointer())

        def at(base: Any, i: Any) -> Any:
            return builder.gep(base, [i if hasattr(i, "type") else ir.Constant(_WORD, i)])

        def load(pointer: Any) -> Any:
            found = builder.load(pointer)
            found.align = 8
            return found

        totals = [[cgutils.alloca_once_value(builder, load(at(each, v))) for v in range(_VECTORS)] for each in to]
        with cgutils.for_range(builder, groups) as loop:
            start = builder.add(x, builder.mul(loop.index, step))
            ahead = builder.mul(column, ir.Constant(_WORD, COLUMNS))
            tables = []
            for first in (start, builder.add(start, column)):
                addresses = [first, *(builder.add(first, each) for each in (second, third, fourth))]
                numbers = [builder.load(builder.inttoptr(each, _WORD.as_pointer())) for each in addresses]
                tables.append(sums_of_four(builder, numbers))
                fetch_line(builder, builder.add(first, ahead))
            place = builder.mul(loop.index, ir.Constant(_WORD, _VECTORS))
            for v in range(_VECTORS):
                index = load(at(indices, builder.add(place, ir.Constant(_WORD, v))))
                for (low, high), total in zip(tables, totals, strict=True):
                    found = builder.call(look_up, [low, index, high])
                    builder.store(builder.add(builder.load(total[v]), found), total[v])
        for each, total in zip(to, totals, strict=True):
            for v in range(_VECTORS):
                builder.store(builder.load(total[v]), at(each, v)).align = 8
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 10), codegen


@kernel(_OUT2(_V))
def places_of(members: np.ndarray) -> np.ndarray:
    """For each four members and each subset, which of the four are in it, as a number below 16: (groups, 48)."""
    out = np.zeros(((members.size + AT_ONCE - 1) // AT_ONCE, SUBSETS), np.uint64)
    for i in range(members.size):
        member, bit = members[i], np.uint64(i % AT_ONCE)
        row = out[i // AT_ONCE]
        for k in range(SUBSETS):
            row[k] |= (member >> np.uint64(k) & np.uint64(1)) << bit
    return out


def _elsewhere(*arguments: object) -> None:
    raise NotImplementedError("expected a processor with AVX-512, got another: use the sums of kernels/subsets.py")


_nothing: Any = _elsewhere


@part_of_kernels
def _add_block(
    places: np.ndarray, start: int, count: int, x: Any, step: Any, column: Any, columns: int, sums: Any
) -> None:
    """Numbers start .. start + count - 1 of each column to the rows at sums, where there is one more for nothing.

    x: where number `start` of column 0 is, the next one `step` bytes behind it, the next column `column`.
    """
    whole, rest = count // AT_ONCE, count % AT_ONCE
    group = _ADDRESS(places.ctypes.data) + _ADDRESS(start // AT_ONCE * SUBSETS * _BYTES)
    for c in range(0, columns, COLUMNS):
        both = c + 1 < columns
        to, other = sums + _ADDRESS(c * SUBSETS * _BYTES), sums + _ADDRESS((c + 1) * SUBSETS * _BYTES)
        beside = _ADDRESS(column if both else 0)
        at = x + _ADDRESS(c) * column
        second, third, fourth = step, _ADDRESS(2) * step, _ADDRESS(3) * step
        _add_sums(at, second, third, fourth, _ADDRESS(4) * step, beside, group, _ADDRESS(whole), to, other)
        if rest:  # the last number stands for those that are not there, and that no subset has
            near, far = _ADDRESS(min(1, rest - 1)) * step, _ADDRESS(min(2, rest - 1)) * step
            at += _ADDRESS(whole * AT_ONCE) * step
            behind = group + _ADDRESS(whole * SUBSETS * _BYTES)
            _add_sums(at, near, far, far, step, beside, behind, _ADDRESS(1), to, other)


@part_of_kernels
def _add_turned(sums: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    for start in range(0, last - first, LANES):  # lines of the cache, there and here
        stop = min(start + LANES, last - first)
        for k in range(SUBSETS):
            for c in range(start, stop):
                out[k, first + c] += sums[c, k]


@kernel_where(has_instruction(), _nothing, _SUMS)
def add_columns(places: np.ndarray, x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[k, i] += the sum of x[i, c] over the columns c in subset k, for i from first to last - 1."""
    count = x.shape[1]
    row = _ADDRESS(count * _BYTES)
    sums = np.empty((min(_CHUNK, last - first) + 1, SUBSETS), np.uint64)
    for top in range(first, last, _CHUNK):
        bottom = min(top + _CHUNK, last)
        sums[: bottom - top + 1] = np.uint64(0)
        at = _ADDRESS(x.ctypes.data) + _ADDRESS(top) * row
        _add_block(places, 0, count, at, _ADDRESS(_BYTES), row, bottom - top, _ADDRESS(sums.ctypes.data))
        _add_turned(sums, top, bottom, out)
