"""Products of all pairs of rows of words, modulo 2^128, with half the multiplications: by Winograd's identity

    a b + a' b' = (a + b') (a' + b) - a a' - b b',

where a and a' stand in the two halves of one row, b and b' of another. The last two terms are a row's own, and are
taken off once for many pairs. (S. Winograd, A new algorithm for inner products, IEEE Trans. on Computers C-17, 1968)

Words are split into a limb of 50 bits and one of 14, whose sums VPMADD52 takes: eight products at a time, two rows by
two. Of two sums x and y, x_0 y_1 + x_1 y_0 = (x_0 + x_1) (y_0 + y_1) - x_0 y_0 - x_1 y_1 has one product more, and not
two. (A. Karatsuba and Yu. Ofman, Multiplication of multidigit numbers on automata, Soviet Physics Doklady 7, 1963)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel_where, part_of_kernels
from mpc_tamper.engines.rep3.kernels.int128 import add, subtract
from mpc_tamper.engines.rep3.kernels.limbs import LANES, halves_of_products, has_instruction

_OF_WORDS = 2  # limbs
_PLANES = 2 * _OF_WORDS  # of a row: the limbs of its first half, and those of the second
_BITS = 50
# Vectors to a half of rows at a time: four rows' stay in a core's first cache. Each adds less than 2^52 to a sum, and
# four of these, of eight lanes, have to stay below 2^63: fewer than 2^6 are surely right.
MOST = 25
_ADDRESS = types.uintp
_WORD, _WIDE = ir.IntType(64), ir.IntType(128)
_VECTOR = ir.VectorType(_WORD, LANES)
_FOUR_PAIRS = types.UniTuple(types.uint64, 8)
_PART3 = types.uint64[:, :, :]
_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_50 = np.uint64(_BITS)
_LOW = np.uint64((1 << _BITS) - 1)


def _add_up(builder: Any, sums: list[Any]) -> list[Any]:
    """The sum of all products as (low, high): by its limbs at 2^0, 2^50, which may be negative, and 2^100."""
    low, high, both_low, both_high, upper = sums
    two = ir.Constant(_VECTOR, [2] * LANES)  # a high half stands at 2^52
    middle = builder.sub(builder.add(both_low, builder.shl(high, two)), builder.add(low, upper))
    last = builder.add(builder.shl(builder.sub(both_high, high), two), upper)
    kind = ir.FunctionType(_WORD, [_VECTOR])
    add_lanes = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{LANES}i64")
    total = ir.Constant(_WIDE, 0)
    for place, limb in enumerate((low, middle, last)):
        wide = builder.sext(builder.call(add_lanes, [limb]), _WIDE)
        total = builder.add(total, builder.shl(wide, ir.Constant(_WIDE, _BITS * place)))
    return [builder.trunc(total, _WORD), builder.trunc(builder.lshr(total, ir.Constant(_WIDE, 64)), _WORD)]


@in_llvm
def _products(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, plane: Any, vectors: Any) -> Any:
    """(low, high) of the sums of (a + b') (a' + b) for rows (a_0, b_0), (a_0, b_1), (a_1, b_0), (a_1, b_1).

    Planes of a row stand `plane` bytes apart, a_1 stands a_stride bytes behind a_0.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride, plane, vectors = arguments
        add_low, add_high = halves_of_products(builder)
        zero = ir.Constant(_VECTOR, [0] * LANES)
        # Of each pair, the halves of x_0 y_0, those of (x_0 + x_1) (y_0 + y_1), and x_1 y_1, which has no high one.
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(5)] for _ in range(4)]

        def load(start: Any, index: Any) -> list[list[Any]]:
            found = []
            for each in range(_PLANES):
                place = builder.add(start, builder.mul(plane, ir.Constant(_WORD, each)))
                found.append(builder.load(builder.gep(builder.inttoptr(place, _VECTOR.as_pointer()), [index])))
                found[-1].align = 8
            return [found[:_OF_WORDS], found[_OF_WORDS:]]

        with cgutils.for_range(builder, vectors) as loop:
            rows_a = [load(start, loop.index) for start in (a, builder.add(a, a_stride))]
            rows_b = [load(start, loop.index) for start in (b, builder.add(b, b_stride))]
            for pair, total in enumerate(sums):
                of_a, of_b = rows_a[pair // 2], rows_b[pair % 2]
                x, y = (
                    [builder.add(p, q) for p, q in zip(of_a[half], of_b[1 - half], strict=True)] for half in range(2)
                )
                both = [builder.add(*limbs) for limbs in (x, y)]
                factors = ((x[0], y[0]), (x[0], y[0]), both, both, (x[1], y[1]))
                for to, add_half, (p, q) in zip(total, 2 * [add_low, add_high] + [add_low], factors, strict=True):
                    builder.store(builder.call(add_half, [builder.load(to), p, q]), to)
        found = []
        for total in sums:
            found += _add_up(builder, [builder.load(each) for each in total])
        return context.make_tuple(builder, signature.return_type, found)

    return _FOUR_PAIRS(*[_ADDRESS] * 6), codegen


@part_of_kernels
def _split(x: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """Columns first .. last - 1 of rows (k, n), as (k, planes, half a row), zeros at the end."""
    size = out.shape[2]
    for a in range(len(x)):
        for half in range(2):
            start = min(first + half * size, last)
            words = x[a, start : min(start + size, last)]
            low, high = out[a, half * _OF_WORDS], out[a, half * _OF_WORDS + 1]
            for c in range(words.size):
                low[c] = words[c] & _LOW
            for c in range(words.size):
                high[c] = words[c] >> _50
            low[words.size :] = np.uint64(0)
            high[words.size :] = np.uint64(0)


def _elsewhere(*arguments: object) -> None:
    raise NotImplementedError("expected a processor with VPMADD52, got another: use the products of rows_128.py")


_nothing: Any = _elsewhere


@part_of_kernels
def _own_products(planes: np.ndarray, nothing: np.ndarray, out: np.ndarray) -> None:
    """The sums of a a' of each row, into out (k, 2): of products with a row of zeros, `nothing`."""
    stride, plane = _ADDRESS(8 * _PLANES * planes.shape[2]), _ADDRESS(8 * planes.shape[2])
    vectors, zeros = _ADDRESS(planes.shape[2] // LANES), _ADDRESS(nothing.ctypes.data)
    for a in range(0, len(planes), 2):
        x, more = _ADDRESS(planes.ctypes.data) + _ADDRESS(a) * stride, min(1, len(planes) - 1 - a)
        found = _products(x, _ADDRESS(more) * stride, zeros, _ADDRESS(0), plane, vectors)
        for i in range(1 + more):
            out[a + i, 0], out[a + i, 1] = found[4 * i], found[4 * i + 1]


@part_of_kernels
def _add_planes(a: np.ndarray, b: np.ndarray, own_a: np.ndarray, own_b: np.ndarray, total: np.ndarray) -> None:
    stride, plane = _ADDRESS(8 * _PLANES * a.shape[2]), _ADDRESS(8 * a.shape[2])
    vectors = _ADDRESS(a.shape[2] // LANES)
    for j in range(0, len(a), 2):
        x, more_j = _ADDRESS(a.ctypes.data) + _ADDRESS(j) * stride, min(1, len(a) - 1 - j)
        for k in range(0, len(b), 2):
            y, more_k = _ADDRESS(b.ctypes.data) + _ADDRESS(k) * stride, min(1, len(b) - 1 - k)
            found = _products(x, _ADDRESS(more_j) * stride, y, _ADDRESS(more_k) * stride, plane, vectors)
            for i in range(1 + more_j):
                for h in range(1 + more_k):
                    low, high = found[4 * i + 2 * h], found[4 * i + 2 * h + 1]
                    low, high = subtract(low, high, own_a[j + i, 0], own_a[j + i, 1])
                    low, high = subtract(low, high, own_b[k + h, 0], own_b[k + h, 1])
                    to = total[j + i, k + h]
                    to[0], to[1] = add(to[0], to[1], low, high)


@kernel_where(has_instruction(), _nothing, types.void(_M, _M, types.int64, types.int64, _PART3))
def add_products(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] += <a_j, b_k>, of columns first .. last - 1. a: (j, n) words; b: (k, n)."""
    if first == last:
        return
    vectors = (last - first + 2 * LANES - 1) // (2 * LANES)
    parts = (vectors + MOST - 1) // MOST
    size = LANES * ((vectors + parts - 1) // parts)
    planes_a, planes_b = np.empty((len(a), _PLANES, size), np.uint64), np.empty((len(b), _PLANES, size), np.uint64)
    own_a, own_b = np.empty((len(a), 2), np.uint64), np.empty((len(b), 2), np.uint64)
    nothing = np.zeros((1, _PLANES, size), np.uint64)
    for part in range(parts):
        start, stop = min(first + 2 * size * part, last), min(first + 2 * size * (part + 1), last)
        _split(a, start, stop, planes_a)
        _split(b, start, stop, planes_b)
        _own_products(planes_a, nothing, own_a)
        _own_products(planes_b, nothing, own_b)
        _add_planes(planes_a, planes_b, own_a, own_b, total)
