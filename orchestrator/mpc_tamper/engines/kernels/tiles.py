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
PAIR = 2  # columns whose dot products are found together
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

    def add(self, value: Any, index: Any) -> None:
        self.store(self._builder.add(self.vector(index), value), index)

    def add_word(self, value: Any, index: Any) -> None:
        self._builder.store(self._builder.add(self.word(index), value), self._builder.gep(self._data, [index]))


def _splat(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_INDEX, 0))
    places = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)


def _zero(builder: Any) -> Any:
    return cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0] * LANES))


def _add_to(builder: Any, total: Any, left: Any, right: Any) -> None:
    builder.store(builder.add(builder.load(total), builder.mul(left, right)), total)


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    kind = ir.FunctionType(_WORD, [_VECTOR])
    add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.add.v{LANES}i64")
    return builder.call(add, [vector])


def _row_starts(builder: Any, start: Any, row: Any, rows: Any) -> list[Any]:
    """Where ROWS rows begin. One that is not there stands for the last one, so that nothing else is read."""
    last = builder.sub(rows, ir.Constant(_WORD, 1))
    numbers = [ir.Constant(_WORD, r) for r in range(ROWS)]
    inside = [builder.select(builder.icmp_signed("<", number, last), number, last) for number in numbers]
    return [builder.add(start, builder.mul(each, row)) for each in inside]


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
        return _sum_of_lanes(builder, builder.load(total))

    return types.uint64(x, _INT, v, _INT), codegen


@in_llvm
def add_row(typing_context: Any, x: Any, start: Any, factor: Any, out: Any, vectors: Any) -> Any:
    """out[j] += x[start + j] factor for j below LANES * vectors."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, out = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 3))
        factor = _splat(builder, arguments[2])

        def add(j: Any) -> None:
            out.add(builder.mul(x.vector(builder.add(arguments[1], j)), factor), j)

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


def _tile_of(vectors: int) -> Any:
    """Such a loop, for so many vectors to a row of the tile."""

    @in_llvm
    def add_tile(
        typing_context: Any,
        x: Any,
        start: Any,
        row: Any,
        rows: Any,
        step: Any,
        panel: Any,
        count: Any,
        out: Any,
        to: Any,
        along: Any,
    ) -> Any:
        """out[to + r along + j] += the sum over k below count of x[start + r row + k step] panel[k, j].

        panel: (.., LANES * vectors). All ROWS of the tile are written, the first `rows` of which are meant: to the
        others the last of these is added.
        """

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            x, panel, out = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 5, 7))
            _, start, row, rows, step, _, count, _, to, along = arguments
            places = [ir.Constant(_WORD, i * LANES) for i in range(vectors)]
            starts = _row_starts(builder, start, row, rows)
            totals = [[_zero(builder) for _ in places] for _ in starts]
            with cgutils.for_range(builder, count) as loop:
                k = builder.mul(loop.index, ir.Constant(_WORD, LANES * vectors))
                parts = [panel.vector(builder.add(k, place)) for place in places]
                term = builder.mul(loop.index, step)
                for first, sums in zip(starts, totals, strict=True):
                    factor = _splat(builder, x.word(builder.add(first, term)))
                    for part, total in zip(parts, sums, strict=True):
                        _add_to(builder, total, factor, part)
            for r, sums in enumerate(totals):
                first = builder.add(to, builder.mul(along, ir.Constant(_WORD, r)))
                for place, total in zip(places, sums, strict=True):
                    out.add(builder.load(total), builder.add(first, place))
            return context.get_dummy_value()

        return types.void(x, _INT, _INT, _INT, _INT, panel, _INT, out, _INT, _INT), codegen

    return add_tile


add_tile = _tile_of(2)
add_slim_tile = _tile_of(1)


@in_llvm
def add_dots(
    typing_context: Any,
    x: Any,
    start: Any,
    row: Any,
    rows: Any,
    last: Any,
    pair: Any,
    vectors: Any,
    out: Any,
    to: Any,
    along: Any,
) -> Any:
    """out[to + r along + c] += the sum over k of x[start + r row + k] times the k-th of column c of a pair.

    For few columns, which would not fill a vector: lanes are terms of the sums here. pair: (2, LANES * vectors). Its
    last vectors belong to the terms from `last` on, so that nothing behind a row is read. Rows as in add_tile.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, pair, out = (_Flat(context, builder, kinds[i], arguments[i]) for i in (0, 5, 7))
        _, start, row, rows, last, _, vectors, _, to, along = arguments
        starts = _row_starts(builder, start, row, rows)
        totals = [[_zero(builder) for _ in range(PAIR)] for _ in starts]
        second = builder.mul(vectors, ir.Constant(_WORD, LANES))
        with cgutils.for_range(builder, vectors) as loop:
            k = builder.mul(loop.index, ir.Constant(_WORD, LANES))
            columns = [pair.vector(k), pair.vector(builder.add(second, k))]
            term = builder.select(builder.icmp_signed("<", k, last), k, last)
            for first, sums in zip(starts, totals, strict=True):
                terms = x.vector(builder.add(first, term))
                for column, total in zip(columns, sums, strict=True):
                    _add_to(builder, total, terms, column)
        for r, sums in enumerate(totals):
            first = builder.add(to, builder.mul(along, ir.Constant(_WORD, r)))
            for c, total in enumerate(sums):
                at = builder.add(first, ir.Constant(_WORD, c))
                out.add_word(_sum_of_lanes(builder, builder.load(total)), at)
        return context.get_dummy_value()

    return types.void(x, _INT, _INT, _INT, _INT, pair, _INT, out, _INT, _INT), codegen
