"""Products of all pairs of rows of words, modulo 2^128, by multiplications of 32 bits, of which every processor with
vectors has one: for those that lack VPMADD52.

Of a product x y, x is two halves of 32 bits and y three limbs of at most 22, whose six products add up in words of
their own, so that carries wait until the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, part_of_kernels
from mpc_tamper.engines.rep3.kernels.int128 import add, add_product_of_words

LANES = 4
MOST = 1024  # vectors whose products, below 2^54, have a sum below 2^64
_HALF, _LIMB, _LIMBS = 32, 22, 3
_PAIR = 2  # rows of y that are worked on together: their sums and a vector of x fill 16 registers
_WORD, _WIDE, _INDEX = ir.IntType(64), ir.IntType(128), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)
_ADDRESS, _BYTES = types.uintp, 8
_M = types.Array(types.uint64, 2, "C", readonly=True)
_PART3 = types.uint64[:, :, :]
_MASK, _22, _44 = np.uint64((1 << _LIMB) - 1), np.uint64(_LIMB), np.uint64(2 * _LIMB)


def _constant(number: int) -> Any:
    return ir.Constant(_VECTOR, [number] * LANES)


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    lanes = [builder.extract_element(vector, ir.Constant(_INDEX, lane)) for lane in range(LANES)]
    first, *others = (builder.zext(lane, _WIDE) for lane in lanes)
    for each in others:
        first = builder.add(first, each)
    return first


@in_llvm
def _two_products(typing_context: Any, x: Any, limbs: Any, plane: Any, other: Any, vectors: Any) -> Any:
    """(low, high) of <x, y> and of <x, y'>. limbs: where those of y begin, each `plane` bytes behind the one before it;
    those of y' are `other` bytes behind them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, limbs, plane, other, vectors = arguments
        sums = [[[cgutils.alloca_once_value(builder, _constant(0)) for _ in range(_LIMBS)] for _ in "01"] for _ in "yy"]
        rows = [limbs, builder.add(limbs, other)]
        low_half = _constant((1 << _HALF) - 1)

        def load(address: Any, index: Any) -> Any:
            found = builder.load(builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [index]))
            found.align = _BYTES
            return found

        with cgutils.for_range(builder, vectors) as loop:
            words = load(x, loop.index)
            halves = [builder.and_(words, low_half), builder.lshr(words, _constant(_HALF))]
            for row, of_row in zip(rows, sums, strict=True):
                for i in range(_LIMBS):
                    place = builder.add(row, builder.mul(plane, ir.Constant(_WORD, i)))
                    limb = builder.and_(load(place, loop.index), low_half)  # says to LLVM that it is short
                    for half, totals in zip(halves, of_row, strict=True):
                        builder.store(builder.add(builder.load(totals[i]), builder.mul(half, limb)), totals[i])
        found = []
        for of_row in sums:
            total = ir.Constant(_WIDE, 0)
            for h, totals in enumerate(of_row):
                for i, each in enumerate(totals):
                    shift = ir.Constant(_WIDE, _HALF * h + _LIMB * i)
                    total = builder.add(total, builder.shl(_sum_of_lanes(builder, builder.load(each)), shift))
            found += [builder.trunc(total, _WORD), builder.trunc(builder.lshr(total, ir.Constant(_WIDE, 64)), _WORD)]
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(types.uint64, 2 * _PAIR)(*[_ADDRESS] * 5), codegen


@part_of_kernels
def _split(x: np.ndarray, first: int, size: int, out: np.ndarray) -> None:
    """`size` columns of rows (k, n), from `first` on, as limbs (k, 3, size)."""
    for k in range(len(x)):
        words, limbs = x[k, first : first + size], out[k]
        for c in range(size):
            limbs[0, c] = words[c] & _MASK
        for c in range(size):
            limbs[1, c] = words[c] >> _22 & _MASK
        for c in range(size):
            limbs[2, c] = words[c] >> _44


@kernel(types.void(_M, _M, types.int64, types.int64, _PART3))
def add_products(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] += <a_j, b_k>, of columns first .. last - 1. a: (j, n) words; b: (k, n)."""
    whole = (last - first) // LANES
    room = np.empty((len(b), _LIMBS, min(MOST, whole) * LANES), np.uint64)
    plane, row = _ADDRESS(room.shape[2] * _BYTES), _ADDRESS(a.shape[1] * _BYTES)
    for start in range(0, whole, MOST):
        vectors, place = min(MOST, whole - start), first + start * LANES
        _split(b, place, vectors * LANES, room)
        for k in range(0, len(b), _PAIR):
            more = min(1, len(b) - 1 - k)
            limbs = _ADDRESS(room.ctypes.data) + _ADDRESS(k * _LIMBS) * plane
            x, other = _ADDRESS(a.ctypes.data) + _ADDRESS(place * _BYTES), _ADDRESS(more * _LIMBS) * plane
            for j in range(len(a)):
                found = _two_products(x + _ADDRESS(j) * row, limbs, plane, other, _ADDRESS(vectors))
                for i in range(1 + more):
                    t = total[j, k + i]
                    t[0], t[1] = add(t[0], t[1], found[2 * i], found[2 * i + 1])
    for j in range(len(a)):
        for k in range(len(b)):
            t = total[j, k]
            for c in range(first + whole * LANES, last):
                t[0], t[1] = add_product_of_words(t[0], t[1], a[j, c], b[k, c])
