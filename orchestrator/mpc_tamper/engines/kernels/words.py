"""Vectors of words in LLVM's language, in which the inner loops of products are written: Numba unrolls no accumulators.

LLVM makes of a product of such vectors VPMULLQ where there is AVX-512, and scalars where there is not even AVX2. With
AVX2 it would make three multiplications of 32 bits, and shift and add their results each time. Modulo 2^64, with the
halves of words, a b = a_0 b_0 + 2^32 (a_1 b_0 + a_0 b_1), and a sum of such products needs the bracket modulo 2^32
alone: VPMULLD multiplies both terms of it at once, which are added up as they are, and shifted when the sum is done.

Arrays are flat here: callers give the index of the first element, and distances in elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from mpc_tamper.engines.kernels.features import may_use

WORD, INDEX = ir.IntType(64), ir.IntType(32)


def has_long_multiplication() -> bool:
    """Whether the code that Numba makes here may use VPMULLQ on 512 bits."""
    return may_use("avx512dq")


LANES = 8 if has_long_multiplication() else 4  # words to a vector
BY_HALVES = may_use("avx2") and not has_long_multiplication()
SUMS = 4 if BY_HALVES else 2 * LANES  # that stay in registers, with what is multiplied
VECTOR = ir.VectorType(WORD, LANES)
_HALVES = ir.VectorType(INDEX, 2 * LANES)


class Flat:
    """An array argument: loads and stores by flat index. Vectors of int16 are extended with their sign on the way from
    memory."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self._builder, self._bits = builder, kind.dtype.bitwidth
        self._data = context.make_array(kind)(context, builder, value).data

    def _at(self, index: Any, kind: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._data, [index]), kind.as_pointer())

    def word(self, index: Any) -> Any:
        return self._builder.load(self._builder.gep(self._data, [index]))

    def load(self, index: Any, kind: Any) -> Any:
        """A vector as it lies there."""
        found = self._builder.load(self._at(index, kind))
        found.align = self._bits // 8
        return found

    def vector(self, index: Any, lanes: int = LANES) -> Any:
        found = self.load(index, ir.VectorType(ir.IntType(self._bits), lanes))
        return found if self._bits == 64 else self._builder.sext(found, ir.VectorType(WORD, lanes))

    def store(self, value: Any, index: Any) -> None:
        self._builder.store(value, self._at(index, value.type)).align = self._bits // 8

    def fetch(self, index: Any) -> None:
        """Ahead, to the second cache: a line of it that may be behind the end."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INDEX, INDEX, INDEX])
        prefetch = self._builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        to_read, to_second_cache, data = (ir.Constant(INDEX, each) for each in (0, 2, 1))
        self._builder.call(prefetch, [self._at(index, byte.pointee), to_read, to_second_cache, data])

    def add(self, value: Any, index: Any) -> None:
        """To the words there: a vector of any number of lanes."""
        self.store(self._builder.add(self.vector(index, value.type.count), value), index)

    def add_word(self, value: Any, index: Any) -> None:
        self._builder.store(self._builder.add(self.word(index), value), self._builder.gep(self._data, [index]))


def passes(vectors: int, rows: int) -> list[range]:
    """Which of so many sums for each of some rows, SUMS at most, are made at the same time, SUMS at most in all."""
    together = min(vectors, SUMS // rows)
    return [range(i, i + together) for i in range(0, vectors, together)]


def number(value: int) -> Any:
    return ir.Constant(WORD, value)


def constant(kind: Any, value: int) -> Any:
    """A vector of them."""
    return ir.Constant(kind, [value] * kind.count)


def shuffle(builder: Any, left: Any, right: Any, lanes: Iterable[int]) -> Any:
    places = list(lanes)
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INDEX, len(places)), places))


def splat(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), word, ir.Constant(INDEX, 0))
    return shuffle(builder, first, ir.Constant(VECTOR, ir.Undefined), [0] * LANES)


class Sum:
    """Of products of vectors of words."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._total = cgutils.alloca_once_value(builder, constant(VECTOR, 0))  # by halves, of products of low ones
        self._crossed = cgutils.alloca_once_value(builder, constant(_HALVES, 0)) if BY_HALVES else None

    def add(self, left: Any, right: Any) -> None:
        builder = self._builder
        if self._crossed is None:
            self._add(self._total, builder.mul(left, right))
            return
        low = constant(VECTOR, 2**32 - 1)
        self._add(self._total, builder.mul(builder.and_(left, low), builder.and_(right, low)))
        left, right = (builder.bitcast(each, _HALVES) for each in (left, right))
        exchanged = shuffle(builder, right, right, [lane ^ 1 for lane in range(2 * LANES)])
        self._add(self._crossed, builder.mul(left, exchanged))

    def _add(self, variable: Any, value: Any) -> None:
        self._builder.store(self._builder.add(self._builder.load(variable), value), variable)

    def vector(self) -> Any:
        builder, total = self._builder, self._builder.load(self._total)
        if self._crossed is None:
            return total
        crossed, half = builder.bitcast(builder.load(self._crossed), VECTOR), constant(VECTOR, 32)
        both = builder.add(crossed, builder.lshr(crossed, half))
        return builder.add(total, builder.shl(both, half))


def add_products(totals: Iterable[Sequence[Sum]], left: Iterable[Any], right: Sequence[tuple[int, Any]]) -> None:
    """Each of `left` belongs to a row of sums, and is multiplied by each of `right`, for the sum at its index there."""
    for sums, factor in zip(totals, left, strict=True):
        for i, other in right:
            sums[i].add(factor, other)


def call(builder: Any, name: str, result: Any, *values: Any) -> Any:
    """One of LLVM's intrinsic functions."""
    kind = ir.FunctionType(result, [each.type for each in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), list(values))


def sum_of_lanes(builder: Any, words: Any) -> Any:
    return call(builder, f"llvm.vector.reduce.add.v{words.type.count}i64", WORD, words)
