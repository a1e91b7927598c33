"""Products of all pairs of rows, modulo 2^128, by multiplications of 32 bits, of which every processor with vectors has
one: for those that lack VPMADD52.

Of a product x y, x is a word, in two halves of 32 bits, and y a word or an element, in limbs of at most 22. Products of
a half and a limb add up in words of their own, so that carries wait until the end. An element x is two such words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel_unless, part_of_kernels
from mpc_tamper.engines.rep3.kernels.int128 import (
    add,
    add_product,
    add_product_by_word,
    add_product_of_words,
)
from mpc_tamper.engines.rep3.kernels.limbs import has_instruction

LANES = 4
# Vectors that are worked on together: those of 48 rows stay in the second cache. Products are below 2^54, so that up to
# 2^10 of them have a sum below 2^64.
MOST = 256
_MOST_OF_ELEMENTS = 128  # which have twice as many limbs
HALF = 32
_LIMB = 22
_OF_WORD, _OF_ELEMENT = 3, 6  # limbs
_PAIR = 2  # rows of words that are worked on together: their sums and a vector of x fill 16 registers
_WORD, _WIDE, _INDEX = ir.IntType(64), ir.IntType(128), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)
_ADDRESS, _BYTES = types.uintp, 8
_M = types.Array(types.uint64, 2, "C", readonly=True)
_PART3 = types.uint64[:, :, :]
_T = types.Array(types.uint64, 3, "C", readonly=True)
_MASK = np.uint64((1 << _LIMB) - 1)
_2, _20, _22, _24, _44, _46 = (np.uint64(bits) for bits in (2, 20, 22, 24, 44, 46))


def constant(number: int) -> Any:
    return ir.Constant(_VECTOR, [number] * LANES)


def load(builder: Any, address: Any, index: Any) -> Any:
    found = builder.load(builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [index]))
    found.align = _BYTES
    return found


def add_short(builder: Any, total: Any, one: Any, other: Any, place: int) -> None:
    """Adds the products of the low halves of both, which stand at bit `place` modulo 2^128, to a variable."""
    if place < 128 - HALF:
        low_half = constant((1 << HALF) - 1)  # which makes LLVM take the multiplication of halves
        product = builder.mul(*(builder.and_(each, low_half) for each in (one, other)))
    else:  # the upper half of each product is above 2^128: LLVM would see that its factors need not be halves
        # The upper of two lanes of 32 bits may hold anything, as it stands there too.
        halves = ir.VectorType(ir.IntType(HALF), 2 * LANES)
        product = builder.bitcast(builder.mul(*(builder.bitcast(each, halves) for each in (one, other))), _VECTOR)
    builder.store(builder.add(builder.load(total), product), total)


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    lanes = [builder.extract_element(vector, ir.Constant(_INDEX, lane)) for lane in range(LANES)]
    first, *others = (builder.zext(lane, _WIDE) for lane in lanes)
    for each in others:
        first = builder.add(first, each)
    return first


def _sums_of_products(
    builder: Any, x: Any, rows: list[Any], limbs: int, plane: Any, vectors: Any, first: int = 0
) -> list[Any]:
    """(low, high) of <x, y> for each of these rows, where x stands at bit `first`. The limbs of a row are `plane` bytes
    apart."""
    places = {(h, i): first + HALF * h + _LIMB * i for i in range(limbs) for h in range(2)}
    of_row = {each: place for each, place in places.items() if place < 128}
    sums = [{each: cgutils.alloca_once_value(builder, constant(0)) for each in of_row} for _ in rows]

    with cgutils.for_range(builder, vectors) as loop:
        words = load(builder, x, loop.index)
        halves = [words, builder.lshr(words, constant(HALF))]
        for row, totals in zip(rows, sums, strict=True):
            planes = [builder.add(row, builder.mul(plane, ir.Constant(_WORD, i))) for i in range(limbs)]
            for (h, i), total in totals.items():
                add_short(builder, total, halves[h], load(builder, planes[i], loop.index), of_row[h, i])
    found = []
    for totals in sums:
        whole = ir.Constant(_WIDE, 0)
        for each, total in totals.items():
            shift = ir.Constant(_WIDE, of_row[each])
            whole = builder.add(whole, builder.shl(_sum_of_lanes(builder, builder.load(total)), shift))
        found += [builder.trunc(whole, _WORD), builder.trunc(builder.lshr(whole, ir.Constant(_WIDE, 64)), _WORD)]
    return found


@in_llvm
def _two_products(typing_context: Any, x: Any, limbs: Any, plane: Any, other: Any, vectors: Any) -> Any:
    """(low, high) of <x, y> and of <x, y'>, words. limbs: where those of y begin, each `plane` bytes behind the one
    before it; those of y' are `other` bytes behind them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, limbs, plane, other, vectors = arguments
        rows = [limbs, builder.add(limbs, other)]
        found = _sums_of_products(builder, x, rows, _OF_WORD, plane, vectors)
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(types.uint64, 2 * _PAIR)(*[_ADDRESS] * 5), codegen


def _product(limbs: int, first: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, of_row, plane, vectors = arguments
        found = _sums_of_products(builder, x, [of_row], limbs, plane, vectors, first)
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(types.uint64, 2)(*[_ADDRESS] * 4), codegen


@in_llvm
def _product_by_word(typing_context: Any, x: Any, limbs: Any, plane: Any, vectors: Any) -> Any:
    """(low, high) of <x, y>, words x and elements y."""
    return _product(_OF_ELEMENT, 0)


@in_llvm
def _product_by_high_word(typing_context: Any, x: Any, limbs: Any, plane: Any, vectors: Any) -> Any:
    """The same of words x that stand at bit 64."""
    return _product(_OF_WORD, 64)


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


@part_of_kernels
def add_one_by_one(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """As add_products, for the few columns that are left of whole vectors."""
    for j in range(len(a)):
        for k in range(len(b)):
            t = total[j, k]
            for c in range(first, last):
                t[0], t[1] = add_product_of_words(t[0], t[1], a[j, c], b[k, c])


@part_of_kernels
def add_by_words_one_by_one(u: np.ndarray, first: int, w: np.ndarray, start: int, stop: int, total: np.ndarray) -> None:
    """As add_products_by_words, for the few columns that are left of whole vectors."""
    for a in range(len(u)):
        for b in range(len(w)):
            t = total[a, b]
            for c in range(start, stop):
                t[0], t[1] = add_product_by_word(t[0], t[1], u[a, first + c], w[b, c, 0], w[b, c, 1])


@kernel_unless(has_instruction(), types.void(_M, _M, types.int64, types.int64, _PART3))
def add_products(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] += <a_j, b_k>, of columns first .. last - 1. a: (j, n) words; b: (k, n)."""
    whole = (last - first) // LANES
    room = np.empty((len(b), _OF_WORD, min(MOST, whole) * LANES), np.uint64)
    plane, row = _ADDRESS(room.shape[2] * _BYTES), _ADDRESS(a.shape[1] * _BYTES)
    for start in range(0, whole, MOST):
        vectors, place = min(MOST, whole - start), first + start * LANES
        _split(b, place, vectors * LANES, room)
        for k in range(0, len(b), _PAIR):
            more = min(1, len(b) - 1 - k)
            limbs = _ADDRESS(room.ctypes.data) + _ADDRESS(k * _OF_WORD) * plane
            x, other = _ADDRESS(a.ctypes.data) + _ADDRESS(place * _BYTES), _ADDRESS(more * _OF_WORD) * plane
            for j in range(len(a)):
                found = _two_products(x + _ADDRESS(j) * row, limbs, plane, other, _ADDRESS(vectors))
                for i in range(1 + more):
                    t = total[j, k + i]
                    t[0], t[1] = add(t[0], t[1], found[2 * i], found[2 * i + 1])
    add_one_by_one(a, b, first + whole * LANES, last, total)


@part_of_kernels
def _split_elements(w: np.ndarray, first: int, size: int, out: np.ndarray) -> None:
    """The same of elements (k, n, 2): (k, 6, size)."""
    for k in range(len(w)):
        elements, limbs = w[k, first : first + size], out[k]
        for c in range(size):
            low, high = elements[c, 0], elements[c, 1]
            limbs[0, c], limbs[1, c], limbs[2, c] = low & _MASK, low >> _22 & _MASK, (low >> _44 | high << _20) & _MASK
            limbs[3, c], limbs[4, c], limbs[5, c] = high >> _2 & _MASK, high >> _24 & _MASK, high >> _46


@kernel_unless(has_instruction(), types.void(_M, types.int64, _T, types.int64, types.int64, _PART3))
def add_products_by_words(u: np.ndarray, first: int, w: np.ndarray, start: int, stop: int, total: np.ndarray) -> None:
    """total[a, b] += <u_a, w_b>, of columns start .. stop - 1 of w, and of those `first` behind them of u.

    u: (a, n) words; w: (b, m, 2).
    """
    whole = (stop - start) // LANES
    room = np.empty((len(w), _OF_ELEMENT, min(MOST, whole) * LANES), np.uint64)
    plane, row = _ADDRESS(room.shape[2] * _BYTES), _ADDRESS(u.shape[1] * _BYTES)
    for done in range(0, whole, MOST):
        vectors, place = min(MOST, whole - done), start + done * LANES
        _split_elements(w, place, vectors * LANES, room)
        x = _ADDRESS(u.ctypes.data) + _ADDRESS((first + place) * _BYTES)
        for b in range(len(w)):
            limbs = _ADDRESS(room.ctypes.data) + _ADDRESS(b * _OF_ELEMENT) * plane
            for a in range(len(u)):
                found = _product_by_word(x + _ADDRESS(a) * row, limbs, plane, _ADDRESS(vectors))
                t = total[a, b]
                t[0], t[1] = add(t[0], t[1], found[0], found[1])
    add_by_words_one_by_one(u, first, w, start + whole * LANES, stop, total)


@part_of_kernels
def add_elements_one_by_one(u: np.ndarray, v: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """As add_products_of_elements, for the few columns that are left of whole vectors."""
    for a in range(len(u)):
        for b in range(len(v)):
            t = total[a, b]
            for c in range(first, last):
                t[0], t[1] = add_product(t[0], t[1], u[a, c, 0], u[a, c, 1], v[b, c, 0], v[b, c, 1])


@part_of_kernels
def _split_words(u: np.ndarray, first: int, size: int, out: np.ndarray) -> None:
    """`size` columns of elements (k, n, 2) as their low and their high words: (k, 2, size)."""
    for k in range(len(u)):
        elements, words = u[k, first : first + size], out[k]
        for c in range(size):
            words[0, c], words[1, c] = elements[c, 0], elements[c, 1]


@kernel_unless(has_instruction(), types.void(_T, _T, types.uint64[:, :, ::1]))
def add_products_of_elements(u: np.ndarray, v: np.ndarray, total: np.ndarray) -> None:
    """total[a, b] += <u_a, v_b>: of the low words of u by elements, and of its high ones by what stays below 2^128.

    u: (a, n, 2); v: (b, n, 2).
    """
    n = u.shape[1]
    whole = n // LANES
    columns = min(_MOST_OF_ELEMENTS, whole) * LANES
    words, limbs = np.empty((len(u), 2, columns), np.uint64), np.empty((len(v), _OF_ELEMENT, columns), np.uint64)
    plane = _ADDRESS(columns * _BYTES)
    for start in range(0, whole, _MOST_OF_ELEMENTS):
        vectors = min(_MOST_OF_ELEMENTS, whole - start)
        _split_words(u, start * LANES, vectors * LANES, words)
        _split_elements(v, start * LANES, vectors * LANES, limbs)
        for b in range(len(v)):
            y = _ADDRESS(limbs.ctypes.data) + _ADDRESS(b * _OF_ELEMENT) * plane
            for a in range(len(u)):
                x = _ADDRESS(words.ctypes.data) + _ADDRESS(2 * a) * plane
                low = _product_by_word(x, y, plane, _ADDRESS(vectors))
                high = _product_by_high_word(x + plane, y, plane, _ADDRESS(vectors))
                t = total[a, b]
                t[0], t[1] = add(t[0], t[1], low[0], low[1] + high[1])
    add_elements_one_by_one(u, v, whole * LANES, n, total)
