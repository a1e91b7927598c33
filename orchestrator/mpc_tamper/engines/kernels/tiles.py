"""The inner loops of matrix products modulo 2^64, in vectors of the processor's width.

Numba unrolls no accumulators over rows, so these loops are written in LLVM's language. It makes of a product of vectors
VPMULLQ where there is AVX-512, three multiplications of 32 bits where there is AVX2, and scalars where there is
neither. Matrices are flat here: callers give the index of the first element, and distances in elements. int16 is
extended with its sign on the way from memory to the registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.features import may_use

_WORD, _INDEX = ir.IntType(64), ir.IntType(32)
_INT = types.int64


def has_long_multiplication() -> bool:
    """Whether the code that Numba makes here may use VPMULLQ on 512 bits."""
    return may_use("avx512dq")


LANES = 8 if has_long_multiplication() else 4  # words to a vector
ROWS = 8 if has_long_multiplication() else 4  # of a tile: ROWS times two vectors of sums stay in registers
WIDTH = 2 * LANES  # columns of a tile
_TOGETHER = 4  # vectors of a row that is added, without a look at the counter in between
_VECTOR = ir.VectorType(_WORD, LANES)


class _Flat:
    """An array argument: loads and stores by flat index."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        self._builder, self._bits = builder, kind.dtype.bitwidth
        self._data = context.make_array(kind)(context, builder, value).data

    def _at(self, index: Any, kind: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._data, [index]), kind.as_pointer())

    def word(self, index: Any) -> Any:
        found = self._builder.load(self._builder.gep(self._data, [index]))
        return found if self._bits == 64 else self._builder.sext(found, _WORD)

    def vector(self, index: Any) -> Any:
        found = self._builder.load(self._at(index, ir.VectorType(ir.IntType(self._bits), LANES)))
        found.align = self._bits // 8
        return found if self._bits == 64 else self._builder.sext(found, _VECTOR)

    def store(self, value: Any, index: Any) -> None:
        self._builder.store(value, self._at(index, _VECTOR)).align = 8


def _splat(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_INDEX, 0))
    places = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)


def _zero(builder: Any) -> Any:
    return cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0] * LANES))


def _add_to(builder: Any, total: Any, left: Any, right: Any) -> None:
    builder.store(builder.add(builder.load(total), builder.mul(left, right)), total)


@in_llvm
def dot_of_row(typing_context: Any, x: Any, start: Any, v: Any, vectors: Any) -> Any:
    """The sum of x[start + j] v[j] for j below LANES * vectors.

    A row alone, from its beginning to its end: several at a time, which the registers would allow, are streams that
    the processor fetches ahead at half the rate.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, v = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 2))
        total = _zero(builder)
        with cgutils.for_range(builder, arguments[3]) as loop:
            j = builder.mul(loop.index, ir.Constant(_WORD, LANES))
            _add_to(builder, total, x.vector(builder.add(arguments[1], j)), v.vector(j))
        words = [builder.extract_element(builder.load(total), ir.Constant(_INDEX, i)) for i in range(LANES)]
        return _sum(builder, words)

    return types.uint64(x, _INT, v, _INT), codegen


def _sum(builder: Any, words: list[Any]) -> Any:
    total = words[0]
    for word in words[1:]:
        total = builder.add(total, word)
    return total


@in_llvm
def add_row(typing_context: Any, x: Any, start: Any, factor: Any, out: Any, vectors: Any) -> Any:
    """out[j] += x[start + j] factor for j below LANES * vectors."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, out = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 3))
        factor = _splat(builder, arguments[2])

        def add(j: Any) -> None:
            product = builder.mul(x.vector(builder.add(arguments[1], j)), factor)
            out.store(builder.add(out.vector(j), product), j)

        groups = builder.udiv(arguments[4], ir.Constant(_WORD, _TOGETHER))
        with cgutils.for_range(builder, groups) as loop:
            j = builder.mul(loop.index, ir.Constant(_WORD, LANES * _TOGETHER))
            for i in range(_TOGETHER):
                add(builder.add(j, ir.Constant(_WORD, LANES * i)))
        done = builder.mul(groups, ir.Constant(_WORD, _TOGETHER))
        with cgutils.for_range(builder, builder.sub(arguments[4], done)) as loop:
            add(builder.mul(builder.add(done, loop.index), ir.Constant(_WORD, LANES)))
        return context.get_dummy_value()

    return types.void(x, _INT, types.uint64, out, _INT), codegen


@in_llvm
def tile(
    typing_context: Any, x: Any, start: Any, row: Any, rows: Any, step: Any, panel: Any, count: Any, out: Any
) -> Any:
    """out[r, j] = the sum over k below count of x[start + r row + k step] panel[k, j].

    panel: (.., WIDTH); out: (ROWS, WIDTH), the first `rows` of which are meant; what stands in the others is of no use.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, panel, out = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 5, 7))
        _, start, row, rows, step, _, count, _ = arguments
        last = builder.sub(rows, ir.Constant(_WORD, 1))
        firsts = []
        for r in range(ROWS):  # a row that is not there stands for the last one, so that nothing else is read
            number = ir.Constant(_WORD, r)
            inside = builder.select(builder.icmp_signed("<", number, last), number, last)
            firsts.append(builder.add(start, builder.mul(inside, row)))
        totals = [(_zero(builder), _zero(builder)) for _ in range(ROWS)]
        with cgutils.for_range(builder, count) as loop:
            k = builder.mul(loop.index, ir.Constant(_WORD, WIDTH))
            halves = [panel.vector(builder.add(k, ir.Constant(_WORD, i * LANES))) for i in range(2)]
            along = builder.mul(loop.index, step)
            for first, sums in zip(firsts, totals, strict=True):
                factor = _splat(builder, x.word(builder.add(first, along)))
                for half, total in zip(halves, sums, strict=True):
                    _add_to(builder, total, factor, half)
        for r, sums in enumerate(totals):
            for i, total in enumerate(sums):
                out.store(builder.load(total), ir.Constant(_WORD, r * WIDTH + i * LANES))
        return context.get_dummy_value()

    return types.void(x, _INT, _INT, _INT, _INT, panel, _INT, out), codegen
