"""Sums of products modulo 2^128 in limbs of 52 bits, eight products at a time by the instruction VPMADD52.

It adds the low or the high half of a product of 52 bits each to a sum of 64 bits, so that carries wait until the end.
Callers give addresses and distances in bytes, and have a loop over one product after the other where the processor
lacks the instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.rep3.kernels.fetching import fetch_ahead
from mpc_tamper.engines.rep3.kernels.sums_of_four import splat

LANES = 8  # words to a vector
_VECTOR_BYTES = 8 * LANES
# Vectors to a call at most: each adds less than 3 * 2^52 to the sums of the two lower limbs, which may not wrap. The
# third stands at 2^104 and may.
MOST = 1024
_BITS = 52
LIMBS = 3  # of a sum modulo 2^128
_BESIDE = 4  # vectors
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, LANES)

Limbs = Callable[[Any, Any, Any], list[Any]]  # those of the vector at this address and place


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPMADD52 on 512 bits."""
    return may_use("avx512ifma")


def _constant(number: int) -> Any:
    return ir.Constant(_VECTOR, [number] * LANES)


def _number(number: int) -> Any:
    return ir.Constant(_WORD, number)


def load(builder: Any, address: Any, index: Any) -> Any:
    found = builder.load(builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [index]))
    found.align = 8
    return found


def _of_words(builder: Any, address: Any, index: Any) -> list[Any]:
    """The instruction takes the low 52 bits of what it is given."""
    words = load(builder, address, index)
    return [words, builder.lshr(words, _constant(_BITS))]


def _of_far_words(builder: Any, address: Any, index: Any) -> list[Any]:
    """The same, of rows in memory."""
    fetch_ahead(builder, address, index, _VECTOR_BYTES)
    return _of_words(builder, address, index)


def words_of_elements(builder: Any, address: Any, index: Any) -> list[Any]:
    """The low and the high words of elements, which stand one after the other."""
    first = builder.mul(index, _number(2))
    halves = [load(builder, address, builder.add(first, _number(i))) for i in range(2)]
    return [
        builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(_INDEX, LANES), list(range(i, 2 * LANES, 2))))
        for i in range(2)
    ]


def _of_elements(builder: Any, address: Any, index: Any) -> list[Any]:
    low, high = words_of_elements(builder, address, index)
    middle = builder.or_(builder.lshr(low, _constant(_BITS)), builder.shl(high, _constant(64 - _BITS)))
    return [low, middle, builder.lshr(high, _constant(2 * _BITS - 64))]


def halves_of_products(builder: Any) -> list[Any]:
    """What adds the low half of a product to a sum, and what adds the high half."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    names = [f"llvm.x86.avx512.vpmadd52{half}.uq.512" for half in "lh"]
    return [cgutils.get_or_insert_function(builder.module, kind, name) for name in names]


def _sums_over_rows(
    builder: Any, count: Any, vectors: Any, out: Any, limbs_of: Callable[[Any, list[Any]], list[tuple[Any, Any]]]
) -> None:
    """The sums of products over `count` rows, a few vectors side by side, as the products of one wait for each other.

    limbs_of: those of both factors, of a row at some vectors.
    """
    add_half = halves_of_products(builder)
    sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(LIMBS)] for _ in range(_BESIDE)]

    def put(first: Any, size: int) -> None:
        indices = [builder.add(first, _number(i)) for i in range(size)]
        for total in sums[:size]:
            for each in total:
                builder.store(_constant(0), each)
        with cgutils.for_range(builder, count) as loop:
            for (a, b), total in zip(limbs_of(loop.index, indices), sums, strict=False):
                _add_products(builder, add_half, a, b, total)
        for index, total in zip(indices, sums, strict=False):
            store_elements(builder, [builder.load(each) for each in total], out, index)

    whole = builder.mul(builder.udiv(vectors, _number(_BESIDE)), _number(_BESIDE))
    with cgutils.for_range_slice(builder, _number(0), whole, _number(_BESIDE), _WORD) as (first, _):
        put(first, _BESIDE)
    with cgutils.for_range_slice(builder, whole, vectors, _number(1), _WORD) as (first, _):
        put(first, 1)


def _combination(limbs_of_row: Limbs) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        limbs, rows, stride, count, vectors, out = arguments
        factors = builder.inttoptr(limbs, _WORD.as_pointer())

        def limbs_of(a: Any, indices: list[Any]) -> list[tuple[Any, Any]]:
            first, row = builder.mul(a, _number(LIMBS)), builder.add(rows, builder.mul(stride, a))
            places = [builder.gep(factors, [builder.add(first, _number(i))]) for i in range(LIMBS)]
            factor = [splat(builder, builder.load(place)) for place in places]
            return [(factor, limbs_of_row(builder, row, index)) for index in indices]

        _sums_over_rows(builder, count, vectors, out, limbs_of)
        return context.get_dummy_value()

    return codegen


@in_llvm
def combination_of_words(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The elements sum_a f_a x_a, `vectors` times LANES of them, to out. At most MOST factors.

    limbs: of each factor, three words.  rows: where x_0 begins, words, the next row `stride` bytes behind.
    """
    return types.void(*[types.uintp] * 6), _combination(_of_far_words)


@in_llvm
def combination_of_elements(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The same of elements."""
    return types.void(*[types.uintp] * 6), _combination(_of_elements)


def _joined(builder: Any, limbs: list[Any]) -> tuple[Any, Any]:
    """The low and the high words of eight sums in limbs."""
    first, second, third = limbs
    second = builder.add(second, builder.lshr(first, _constant(_BITS)))
    third = builder.add(third, builder.lshr(second, _constant(_BITS)))
    mask = _constant((1 << _BITS) - 1)
    first, second = builder.and_(first, mask), builder.and_(second, mask)
    low = builder.or_(first, builder.shl(second, _constant(_BITS)))
    high = builder.or_(builder.lshr(second, _constant(64 - _BITS)), builder.shl(third, _constant(2 * _BITS - 64)))
    return low, high


@in_llvm
def sums_of_rows(
    typing_context: Any, weights: Any, distance: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The elements sum_a w_a x_a, `vectors` times LANES of them, to out. At most MOST rows.

    weights: where the elements w_0 begin, the next row `distance` bytes behind.  rows: the words x_0, likewise.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, distance, rows, stride, count, vectors, out = arguments

        def limbs_of(a: Any, indices: list[Any]) -> list[tuple[Any, Any]]:
            w, x = builder.add(weights, builder.mul(distance, a)), builder.add(rows, builder.mul(stride, a))
            return [(_of_elements(builder, w, index), _of_far_words(builder, x, index)) for index in indices]

        _sums_over_rows(builder, count, vectors, out, limbs_of)
        return context.get_dummy_value()

    return types.void(*[types.uintp] * 7), codegen


def limbs_of_product(builder: Any, u: Any, v: Any, index: Any, sums: list[Any]) -> None:
    """Adds, to sums in limbs, the products of the words at this vector of u and of v."""
    a, b = _of_words(builder, u, index), _of_words(builder, v, index)
    _add_products(builder, halves_of_products(builder), a, b, sums)


def _add_products(builder: Any, add_half: list[Any], a: list[Any], b: list[Any], sums: list[Any]) -> None:
    for i in range(len(a)):
        for j in range(min(len(b), LIMBS - i)):
            for half in range(min(2, LIMBS - i - j)):
                to = sums[i + j + half]
                builder.store(builder.call(add_half[half], [builder.load(to), a[i], b[j]]), to)


def store_elements(builder: Any, limbs: list[Any], out: Any, index: Any) -> None:
    """Eight sums in limbs, as elements, where vector `index` of elements stands."""
    low, high = _joined(builder, limbs)
    to = builder.inttoptr(out, _VECTOR.as_pointer())
    for i in range(2):
        places = [lane // 2 + LANES // 2 * i + LANES * (lane % 2) for lane in range(LANES)]
        both = builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(_INDEX, LANES), places))
        place = builder.add(builder.mul(index, ir.Constant(_WORD, 2)), ir.Constant(_WORD, i))
        builder.store(both, builder.gep(to, [place])).align = 8
