"""Inner products modulo 2^128 of two rows by two others at once, in registers, eight products at a time.

Of a sum S of products of words its low word L = S mod 2^64 is found by wrapping multiplications, and S itself from a
sum A of what products have above bit 24, with 0 <= S - A < 2^64: it is A + (L - A mod 2^64). A product's upper part,

    (2^12 a + a') (2^12 b + b') >> 24  ~  a b + (a' b >> 12) + (a b' >> 12),   a, b < 2^52 and a', b' < 2^12,

takes four times VPMADD52, which adds the low or the high half of a product of 52 bits each; in limbs all of it takes
seven. Of elements, a high word enters the high word of the sum alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.rep3.kernels.limbs import LANES, halves_of_products, load, words_of_elements

# Vectors to a call at most: each adds less than 3 * 2^52 to the sums of 64 bits above bit 24, which may not wrap, and
# leaves less than 3 * 2^24 out. Those above bit 76, and of high words, may wrap.
MOST = 1024
_TOP, _REST = 52, 12  # bits
_LOW_AT, _HIGH_AT = 2 * _REST, 2 * _REST + _TOP
_WORD, _WIDE = ir.IntType(64), ir.IntType(128)
_VECTOR = ir.VectorType(_WORD, LANES)
_FOUR_PAIRS = types.UniTuple(types.uint64, 8)
_ARGUMENTS = (types.uintp,) * 5
_Words = Callable[[Any, Any, Any], list[Any]]  # low ones, and high ones if there are, at this address and place


def _constant(number: int) -> Any:
    return ir.Constant(_VECTOR, [number] * LANES)


def _of_words(builder: Any, address: Any, index: Any) -> list[Any]:
    return [load(builder, address, index)]


def _parts(builder: Any, words: list[Any]) -> tuple[Any, Any, list[Any]]:
    """The upper 52 bits of the low word; its lower 12, as the upper ones of 52; and the words."""
    low = words[0]  # the instruction takes the low 52 bits of what it is given
    return builder.lshr(low, _constant(_REST)), builder.shl(low, _constant(_TOP - _REST)), words


def _products(words_of_a: _Words, words_of_b: _Words) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride, vectors = arguments
        sums = [[cgutils.alloca_once_value(builder, _constant(0)) for _ in range(4)] for _ in range(4)]
        with cgutils.for_range(builder, vectors) as loop:
            of_a = [_parts(builder, words_of_a(builder, p, loop.index)) for p in (a, builder.add(a, a_stride))]
            of_b = [_parts(builder, words_of_b(builder, p, loop.index)) for p in (b, builder.add(b, b_stride))]
            for pair, total in enumerate(sums):
                _add_product(builder, of_a[pair // 2], of_b[pair % 2], total)
        found = [half for total in sums for half in _joined(builder, [builder.load(each) for each in total])]
        return context.make_tuple(builder, signature.return_type, found)

    return codegen


def _add_product(builder: Any, a: Any, b: Any, total: list[Any]) -> None:
    """total: L and the sums above bits 24 and 76, of low words, and what belongs to the high word besides."""
    add_low, add_high = halves_of_products(builder)
    (a_top, a_rest, a_words), (b_top, b_rest, b_words) = a, b
    low, middle, upper, high = total
    for to, x, y in (
        (low, a_words[:1], b_words[:1]),
        (high, a_words[1:], b_words[:1]),
        (high, a_words[:1], b_words[1:]),
    ):
        if x and y:
            builder.store(builder.add(builder.load(to), builder.mul(x[0], y[0])), to)
    for add_half, to, x, y in (
        (add_low, middle, a_top, b_top),
        (add_high, upper, a_top, b_top),
        (add_high, middle, a_rest, b_top),
        (add_high, middle, a_top, b_rest),
    ):
        builder.store(builder.call(add_half, [builder.load(to), x, y]), to)


def _joined(builder: Any, total: list[Any]) -> list[Any]:
    """The sum over all lanes as (low, high)."""
    kind = ir.FunctionType(_WORD, [_VECTOR])
    add_lanes = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{LANES}i64")
    low, middle, upper, high = total
    upper = builder.add(upper, builder.lshr(middle, _constant(_TOP)))
    middle = builder.and_(middle, _constant((1 << _TOP) - 1))
    low, middle, upper, high = (builder.call(add_lanes, [each]) for each in (low, middle, upper, high))
    places = ((middle, _LOW_AT), (upper, _HIGH_AT))
    near, far = (builder.shl(builder.zext(each, _WIDE), ir.Constant(_WIDE, bit)) for each, bit in places)
    above = builder.add(near, far)
    carry = builder.zext(builder.icmp_unsigned("<", low, builder.trunc(above, _WORD)), _WORD)
    high = builder.add(high, builder.trunc(builder.lshr(above, ir.Constant(_WIDE, 64)), _WORD))
    return [low, builder.add(high, carry)]


@in_llvm
def products_of_words(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """(low, high) of <a_0, b_0>, <a_0, b_1>, <a_1, b_0>, <a_1, b_1>: a_1 stands a_stride bytes behind a_0, at `a`.

    Words, `vectors` times LANES of them to a row, MOST at most.
    """
    return _FOUR_PAIRS(*_ARGUMENTS), _products(_of_words, _of_words)


@in_llvm
def products_by_words(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """The same, where b are elements."""
    return _FOUR_PAIRS(*_ARGUMENTS), _products(_of_words, words_of_elements)


@in_llvm
def products_of_elements(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """The same of elements."""
    return _FOUR_PAIRS(*_ARGUMENTS), _products(words_of_elements, words_of_elements)
