"""Combinations of rows modulo 2^128, four columns at a time by multiplications of 32 bits, as in short_products.py: for
processors that lack VPMADD52. Elements are (low, high) words.

Numbers of rows are in halves of 32 bits, and factors in limbs of 26. Where each column of each row has a weight of its
own, weights are the ones in halves, and words in limbs of 22 bits. Products of a half and a limb add up in words of
their own, row after row, so that carries wait until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel_unless, part_of_kernels
from mpc_tamper.engines.rep3.kernels.fetching import fetch_ahead
from mpc_tamper.engines.rep3.kernels.int128 import add_product, add_product_by_word
from mpc_tamper.engines.rep3.kernels.limbs import has_instruction
from mpc_tamper.engines.rep3.kernels.short_products import HALF, LANES, add_short, constant, load

# Rows at most: 63 products below 2^58, and a carry below 2^58, as sums stand six bits apart at least, are below 2^64.
# Sums at bit 64 and above may wrap, as all is modulo 2^128.
MOST = 63
MOST_WEIGHED = 1023  # the same where products are below 2^54, and sums ten bits apart
_LIMB, _LIMBS = 26, 5  # of factors; the last has 24 bits, up to 2^128, and the lowest half alone is multiplied by it
_SHORT, _SHORT_LIMBS = 22, 3  # of words that are weighed
_BITS, _WORD_BITS = 128, 64
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)
_ADDRESS = types.uintp
_BYTES = 8
_WORDS_BYTES = LANES * _BYTES  # of a vector
_OUT2 = types.uint64[:, ::1]
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
OF_ELEMENTS = types.void(_M, _T, types.int64, types.int64, _OUT2)
OF_WORDS = types.void(_M, _M, types.int64, types.int64, _OUT2)
BY_WEIGHTS = types.void(_T, _M, types.int64, types.int64, _OUT2)
_MASK = np.uint64((1 << _LIMB) - 1)
_12, _14, _26, _40, _52 = (np.uint64(bits) for bits in (12, 14, 26, 40, 52))

Numbers = list[tuple[int, Any]]  # vectors, each with the bit of the whole at which it stands


def _number(number: int) -> Any:
    return ir.Constant(_WORD, number)


def _halves(builder: Any, words: Any, first: int) -> Numbers:
    """Of the words that stand at bit `first`. A multiplication takes the low 32 bits of what it is given."""
    return [(first, words), (first + HALF, builder.lshr(words, constant(HALF)))]


def _halves_of_words(builder: Any, address: Any, index: Any) -> Numbers:
    fetch_ahead(builder, address, index, _WORDS_BYTES)
    return _halves(builder, load(builder, address, index), 0)


def _halves_of_far_elements(builder: Any, address: Any, index: Any) -> Numbers:
    """Of rows in memory."""
    fetch_ahead(builder, address, index, 2 * _WORDS_BYTES)
    return _halves_of_elements(builder, address, index)


def _halves_of_elements(builder: Any, address: Any, index: Any) -> Numbers:
    first = builder.mul(index, _number(2))
    pairs = [load(builder, address, builder.add(first, _number(i))) for i in range(2)]
    low, high = (_shuffle(builder, pairs, range(i, 2 * LANES, 2)) for i in range(2))
    return _halves(builder, low, 0) + _halves(builder, high, _WORD_BITS)


def _limbs_of_words(builder: Any, address: Any, index: Any) -> Numbers:
    fetch_ahead(builder, address, index, _WORDS_BYTES)
    words = load(builder, address, index)
    shifted = [(_SHORT * i, builder.lshr(words, constant(_SHORT * i))) for i in range(_SHORT_LIMBS)]
    return [(place, _lowest(builder, each, _SHORT)) for place, each in shifted]


def _shuffle(builder: Any, pair: list[Any], lanes: Iterable[int]) -> Any:
    return builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(_INDEX, LANES), list(lanes)))


def _lowest(builder: Any, words: Any, bits: int) -> Any:
    return builder.and_(words, constant((1 << bits) - 1))


def _put_sums(
    builder: Any,
    count: Any,
    vectors: Any,
    out: Any,
    places: tuple[list[int], list[int]],
    factors_of: Callable[[Any, Any], tuple[Numbers, Numbers]],
) -> None:
    """The sums of products over `count` rows, elements, for `vectors` times LANES columns.

    places: at which bits the numbers of both factors stand, so that no two products stand at the same one: each sum has
    one to a row.  factors_of: these numbers, of a row at a vector.
    """
    bits = sorted(i + j for i in places[0] for j in places[1] if i + j < _BITS)
    assert len(set(bits)) == len(bits)
    sums = {place: cgutils.alloca_once(builder, _VECTOR) for place in bits}
    with cgutils.for_range(builder, vectors) as at:
        for each in sums.values():
            builder.store(constant(0), each)
        with cgutils.for_range(builder, count) as loop:
            ones, others = factors_of(loop.index, at.index)
            for i, one in ones:
                for j, other in others:
                    if i + j < _BITS:
                        add_short(builder, sums[i + j], one, other, i + j)
        _store(builder, [(place, builder.load(each)) for place, each in sums.items()], out, at.index)


def _store(builder: Any, sums: Numbers, out: Any, index: Any) -> None:
    """The whole of what stands at these bits, as elements, where vector `index` of elements is."""
    low = carried = constant(0)
    lower = [each for each in sums if each[0] < _WORD_BITS]
    ends = [place for place, _ in lower[1:]] + [_WORD_BITS]
    for (place, total), end in zip(lower, ends, strict=True):
        total = builder.add(total, carried)
        low = builder.or_(low, builder.shl(_lowest(builder, total, end - place), constant(place)))
        carried = builder.lshr(total, constant(end - place))
    high = carried
    for place, total in sums[len(lower) :]:
        high = builder.add(high, builder.shl(total, constant(place - _WORD_BITS)))
    to, first = builder.inttoptr(out, _VECTOR.as_pointer()), builder.mul(index, _number(2))
    for i in range(2):
        lanes = [lane // 2 + LANES // 2 * i + LANES * (lane % 2) for lane in range(LANES)]
        place = builder.gep(to, [builder.add(first, _number(i))])
        builder.store(_shuffle(builder, [low, high], lanes), place).align = _BYTES


def _combination(halves_of_row: Callable[[Any, Any, Any], Numbers], halves: int) -> Any:
    bits = [_LIMB * i for i in range(_LIMBS)]

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        limbs, rows, stride, count, vectors, out = arguments

        def factors_of(a: Any, index: Any) -> tuple[Numbers, Numbers]:
            first, row = builder.mul(a, _number(_LIMBS)), builder.add(rows, builder.mul(stride, a))
            factor = [load(builder, limbs, builder.add(first, _number(i))) for i in range(_LIMBS)]
            return halves_of_row(builder, row, index), list(zip(bits, factor, strict=True))

        _put_sums(builder, count, vectors, out, ([HALF * h for h in range(halves)], bits), factors_of)
        return context.get_dummy_value()

    return codegen


@in_llvm
def _combination_of_words(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The elements sum_a f_a x_a, `vectors` times LANES of them, to out. At most MOST factors.

    limbs: of each factor, five vectors of the same number.  rows: where x_0 begins, words, the next row `stride` bytes
    behind.
    """
    return types.void(*[_ADDRESS] * 6), _combination(_halves_of_words, 2)


@in_llvm
def _combination_of_elements(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The same of elements."""
    return types.void(*[_ADDRESS] * 6), _combination(_halves_of_far_elements, 4)


@in_llvm
def _sums_of_rows(
    typing_context: Any, weights: Any, distance: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The elements sum_a w_a x_a, `vectors` times LANES of them, to out. At most MOST_WEIGHED rows.

    weights: where the elements w_0 begin, the next row `distance` bytes behind.  rows: the words x_0, likewise.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, distance, rows, stride, count, vectors, out = arguments

        def factors_of(a: Any, index: Any) -> tuple[Numbers, Numbers]:
            w, x = builder.add(weights, builder.mul(distance, a)), builder.add(rows, builder.mul(stride, a))
            return _halves_of_elements(builder, w, index), _limbs_of_words(builder, x, index)

        places = [HALF * h for h in range(_BITS // HALF)], [_SHORT * i for i in range(_SHORT_LIMBS)]
        _put_sums(builder, count, vectors, out, places, factors_of)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 7), codegen


@part_of_kernels
def elements_one_by_one(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """As combine_elements, for the few columns that are left of whole vectors, or for many rows."""
    out[first:last] = np.uint64(0)
    for a in range(len(rows)):
        low, high = factors[a, 0], factors[a, 1]
        for c in range(first, last):
            x = rows[a, c]
            out[c, 0], out[c, 1] = add_product(out[c, 0], out[c, 1], x[0], x[1], low, high)


@part_of_kernels
def words_one_by_one(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """The same of words."""
    out[first:last] = np.uint64(0)
    for a in range(len(rows)):
        low, high = factors[a, 0], factors[a, 1]
        for c in range(first, last):
            out[c, 0], out[c, 1] = add_product_by_word(out[c, 0], out[c, 1], rows[a, c], low, high)


@part_of_kernels
def weights_one_by_one(weights: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """As combine_by_weights."""
    out[first:last] = np.uint64(0)
    for a in range(len(rows)):
        for c in range(first, last):
            w = weights[a, c - first]
            out[c, 0], out[c, 1] = add_product_by_word(out[c, 0], out[c, 1], rows[a, c], w[0], w[1])


@part_of_kernels
def _limbs(factors: np.ndarray) -> np.ndarray:
    """26 bits each, and each in all lanes: (k, 5, 4)."""
    out = np.empty((len(factors), _LIMBS, LANES), np.uint64)
    for a in range(len(factors)):
        low, high, to = factors[a, 0], factors[a, 1], out[a]
        for lane in range(LANES):
            to[0, lane], to[1, lane] = low & _MASK, low >> _26 & _MASK
            to[2, lane] = (low >> _52 | high << _12) & _MASK
            to[3, lane], to[4, lane] = high >> _14 & _MASK, high >> _40
    return out


# Limbs are an argument: an array that is used by its address alone may be gone before.


@part_of_kernels
def _elements_at_once(limbs: np.ndarray, rows: np.ndarray, first: int, vectors: int, out: np.ndarray) -> None:
    place, stride = _ADDRESS(first * 2 * _BYTES), _ADDRESS(rows.shape[1] * 2 * _BYTES)
    start, to = _ADDRESS(rows.ctypes.data) + place, _ADDRESS(out.ctypes.data) + place
    _combination_of_elements(_ADDRESS(limbs.ctypes.data), start, stride, _ADDRESS(len(rows)), _ADDRESS(vectors), to)


@part_of_kernels
def _words_at_once(limbs: np.ndarray, rows: np.ndarray, first: int, vectors: int, out: np.ndarray) -> None:
    start, stride = _ADDRESS(rows.ctypes.data) + _ADDRESS(first * _BYTES), _ADDRESS(rows.shape[1] * _BYTES)
    to = _ADDRESS(out.ctypes.data) + _ADDRESS(first * 2 * _BYTES)
    _combination_of_words(_ADDRESS(limbs.ctypes.data), start, stride, _ADDRESS(len(rows)), _ADDRESS(vectors), to)


@kernel_unless(has_instruction(), OF_ELEMENTS)
def combine_elements(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[c] = sum_a factor_a rows[a, c], c from first to last - 1. factors: (k, 2); rows: (k, n, 2); out: (n, 2)."""
    vectors = (last - first) // LANES if len(rows) <= MOST else 0
    _elements_at_once(_limbs(factors), rows, first, vectors, out)
    elements_one_by_one(factors, rows, first + vectors * LANES, last, out)


@kernel_unless(has_instruction(), OF_WORDS)
def combine_words(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """The same of rows of words, (k, n)."""
    vectors = (last - first) // LANES if len(rows) <= MOST else 0
    _words_at_once(_limbs(factors), rows, first, vectors, out)
    words_one_by_one(factors, rows, first + vectors * LANES, last, out)


@kernel_unless(has_instruction(), BY_WEIGHTS)
def combine_by_weights(weights: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[c] = sum_a weights[a, c - first] rows[a, c]. weights: (k, m, 2); rows: (k, n) words; out: (n, 2)."""
    vectors = (last - first) // LANES if len(rows) <= MOST_WEIGHED else 0
    size = vectors * LANES
    distance, stride = _ADDRESS(weights.shape[1] * 2 * _BYTES), _ADDRESS(rows.shape[1] * _BYTES)
    w, x = _ADDRESS(weights.ctypes.data), _ADDRESS(rows.ctypes.data) + _ADDRESS(first * _BYTES)
    to = _ADDRESS(out.ctypes.data) + _ADDRESS(first * 2 * _BYTES)
    _sums_of_rows(w, distance, x, stride, _ADDRESS(len(rows)), _ADDRESS(vectors), to)
    weights_one_by_one(weights[:, size:], rows, first + size, last, out)
