"""Inner products modulo 2^128 in limbs of 52 bits, eight products at a time by the instruction VPMADD52.

It adds the low or the high half of a product of 52 bits each to a sum of 64 bits, so that carries wait until the end.
Two rows are multiplied by two others at once, in registers. Callers give addresses and distances in bytes, and have a
loop over one product after the other where the processor lacks the instruction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.features import may_use

LANES = 8  # words to a vector
# Vectors to a call at most: each adds less than 3 * 2^52 to the sums of the two lower limbs, which may not wrap. The
# third stands at 2^104 and may.
MOST = 1024
_AHEAD = 4  # vectors that are fetched before they are used, into the second cache: so many rows fill the first one
_BITS = 52
LIMBS = 3  # of a sum modulo 2^128
_WORD, _INDEX, _WIDE = ir.IntType(64), ir.IntType(32), ir.IntType(128)
_VECTOR = ir.VectorType(_WORD, LANES)
_FOUR_PAIRS = types.UniTuple(types.uint64, 8)
_ARGUMENTS = (types.uintp,) * 5

Limbs = Callable[[Any, Any, Any], list[Any]]  # those of the vector at this address and place


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPMADD52 on 512 bits."""
    return may_use("avx512ifma")


def _constant(number: int) -> Any:
    return ir.Constant(_VECTOR, [number] * LANES)


def _number(number: int) -> Any:
    return ir.Constant(_WORD, number)


def _load(builder: Any, address: Any, index: Any) -> Any:
    found = builder.load(builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [index]))
    found.align = 8
    return found


def _of_words(builder: Any, address: Any, index: Any) -> list[Any]:
    """The instruction takes the low 52 bits of what it is given."""
    words = _load(builder, address, index)
    return [words, builder.lshr(words, _constant(_BITS))]


def _of_far_words(builder: Any, address: Any, index: Any) -> list[Any]:
    """The same, while words behind them come into the cache: of rows in memory, and too many at once for the processor
    to foresee."""
    byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    later = builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [builder.add(index, _number(_AHEAD))])
    builder.call(fetch, [builder.bitcast(later, byte), *(ir.Constant(flag, each) for each in (0, 2, 1))])
    return _of_words(builder, address, index)


def _of_elements(builder: Any, address: Any, index: Any) -> list[Any]:
    """(low, high) words, one element after the other."""
    first = builder.mul(index, ir.Constant(_WORD, 2))
    halves = [_load(builder, address, builder.add(first, ir.Constant(_WORD, i))) for i in range(2)]
    low, high = (
        builder.shuffle_vector(*halves, ir.Constant(ir.VectorType(_INDEX, LANES), list(range(i, 2 * LANES, 2))))
        for i in range(2)
    )
    middle = builder.or_(builder.lshr(low, _constant(_BITS)), builder.shl(high, _constant(64 - _BITS)))
    return [low, middle, builder.lshr(high, _constant(2 * _BITS - 64))]


def halves_of_products(builder: Any) -> list[Any]:
    """What adds the low half of a product to a sum, and what adds the high half."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    names = [f"llvm.x86.avx512.vpmadd52{half}.uq.512" for half in "lh"]
    return [cgutils.get_or_insert_function(builder.module, kind, name) for name in names]


def _products(limbs_of_a: Limbs, limbs_of_b: Limbs) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_stride, b, b_stride, vectors = arguments
        add_half = halves_of_products(builder)
        sums = [[cgutils.alloca_once_value(builder, _constant(0)) for _ in range(LIMBS)] for _ in range(4)]
        with cgutils.for_range(builder, vectors) as loop:
            of_a = [limbs_of_a(builder, each, loop.index) for each in (a, builder.add(a, a_stride))]
            of_b = [limbs_of_b(builder, each, loop.index) for each in (b, builder.add(b, b_stride))]
            for pair, total in enumerate(sums):
                _add_products(builder, add_half, of_a[pair // 2], of_b[pair % 2], total)
        found = []
        for total in sums:
            found += _add_up(builder, [builder.load(each) for each in total])
        return context.make_tuple(builder, signature.return_type, found)

    return codegen


def _add_up(builder: Any, limbs: list[Any]) -> list[Any]:
    """The sum over all lanes as (low, high)."""
    add_lanes = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_WORD, [_VECTOR]), f"llvm.vector.reduce.add.v{LANES}i64"
    )
    total = ir.Constant(_WIDE, 0)
    carry = _constant(0)
    for i, limb in enumerate(limbs):
        limb = builder.add(limb, carry)
        carry = builder.lshr(limb, _constant(_BITS))
        low = builder.and_(limb, _constant((1 << _BITS) - 1))
        wide = builder.zext(builder.call(add_lanes, [low]), _WIDE)
        total = builder.add(total, builder.shl(wide, ir.Constant(_WIDE, _BITS * i)))
    return [builder.trunc(total, _WORD), builder.trunc(builder.lshr(total, ir.Constant(_WIDE, 64)), _WORD)]


@in_llvm
def products_of_words(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """(low, high) of <a_0, b_0>, <a_0, b_1>, <a_1, b_0>, <a_1, b_1>: a_1 stands a_stride bytes behind a_0, at `a`.

    Words, `vectors` times LANES of them to a row, MOST at most.
    """
    return _FOUR_PAIRS(*_ARGUMENTS), _products(_of_words, _of_words)


@in_llvm
def products_by_words(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """The same, where b are elements."""
    return _FOUR_PAIRS(*_ARGUMENTS), _products(_of_words, _of_elements)


@in_llvm
def products_of_elements(typing_context: Any, a: Any, a_stride: Any, b: Any, b_stride: Any, vectors: Any) -> Any:
    """The same of elements."""
    return _FOUR_PAIRS(*_ARGUMENTS), _products(_of_elements, _of_elements)


def _combination(limbs_of_row: Limbs, at_once: int) -> Any:
    """at_once: vectors, whose sums do not wait for each other, and for which a factor is loaded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        limbs, rows, stride, count, vectors, out = arguments
        add_half = halves_of_products(builder)
        factors = builder.inttoptr(limbs, _WORD.as_pointer())

        def combine(places: list[Any]) -> None:
            sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(LIMBS)] for _ in places]
            for each in itertools.chain(*sums):
                builder.store(_constant(0), each)
            with cgutils.for_range(builder, count) as loop:
                first = builder.mul(loop.index, _number(LIMBS))
                at = [builder.gep(factors, [builder.add(first, _number(i))]) for i in range(LIMBS)]
                factor = [_splat(builder, builder.load(each)) for each in at]
                row = builder.add(rows, builder.mul(stride, loop.index))
                for place, total in zip(places, sums, strict=True):
                    _add_products(builder, add_half, factor, limbs_of_row(builder, row, place), total)
            for place, total in zip(places, sums, strict=True):
                store_elements(builder, [builder.load(each) for each in total], out, place)

        together = builder.udiv(vectors, _number(at_once))
        with cgutils.for_range(builder, together) as across:
            start = builder.mul(across.index, _number(at_once))
            combine([builder.add(start, _number(i)) for i in range(at_once)])
        done = builder.mul(together, _number(at_once))
        with cgutils.for_range(builder, builder.sub(vectors, done)) as across:
            combine([builder.add(done, across.index)])
        return context.get_dummy_value()

    return codegen


@in_llvm
def combination_of_words(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The elements sum_a f_a x_a, `vectors` times LANES of them, to out. At most MOST factors.

    limbs: of each factor, three words.  rows: where x_0 begins, words, the next row `stride` bytes behind.
    """
    return types.void(*[types.uintp] * 6), _combination(_of_far_words, at_once=2)


@in_llvm
def combination_of_elements(
    typing_context: Any, limbs: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """The same of elements."""
    return types.void(*[types.uintp] * 6), _combination(_of_elements, at_once=1)


def _splat(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_INDEX, 0))
    places = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)


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
def sums_of_rows(typing_context: Any, weights: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any) -> Any:
    """The elements sum_a w_a x_a, `vectors` times LANES of them, to out. At most MOST rows.

    weights: where the elements w_0 begin.  rows: the words x_0, the next row `stride` bytes behind, and twice as far
    that of w.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, rows, stride, count, vectors, out = arguments
        add_half = halves_of_products(builder)
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(LIMBS)]
        with cgutils.for_range(builder, vectors) as across:
            for each in sums:
                builder.store(_constant(0), each)
            with cgutils.for_range(builder, count) as loop:
                behind = builder.mul(stride, loop.index)
                row = _of_far_words(builder, builder.add(rows, behind), across.index)
                weight = _of_elements(builder, builder.add(weights, builder.add(behind, behind)), across.index)
                _add_products(builder, add_half, weight, row, sums)
            store_elements(builder, [builder.load(each) for each in sums], out, across.index)
        return context.get_dummy_value()

    return types.void(*[types.uintp] * 6), codegen


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
