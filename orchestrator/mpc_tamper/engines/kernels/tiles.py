"""The inner loops of products of matrices modulo 2^64: tiles of the product whose sums stay in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.words import LANES, WORD, Flat, Sum, add_products, number, passes, shuffle, splat

ROWS = LANES  # of a tile: ROWS times one or two vectors of sums stay in registers
WIDTH = 2 * LANES  # columns of a tile
PAIR = 2  # columns whose dot products are found together
_INT = types.int64


def _row_starts(builder: Any, start: Any, row: Any, rows: Any) -> list[Any]:
    """Where ROWS rows begin. One that is not there stands for the last one, so that nothing else is read."""
    last = builder.sub(rows, number(1))
    inside = [builder.select(builder.icmp_signed("<", number(r), last), number(r), last) for r in range(ROWS)]
    return [builder.add(start, builder.mul(each, row)) for each in inside]


def _add_sums(builder: Any, sums: list[list[Any]], rows: Any, width: Any, out: Flat, to: Any, along: Any) -> None:
    """out[to + r along + j] += sums[r][j], for r below rows and j below width. sums: ROWS rows of vectors."""
    kind, count = sums[0][0].type, len(sums[0])
    whole = builder.icmp_signed(">=", width, number(kind.count * count))
    whole = builder.and_(whole, builder.icmp_signed(">=", rows, number(ROWS)))
    with builder.if_else(whole) as (within, partly):
        with within:
            for r, vectors in enumerate(sums):
                first = builder.add(to, builder.mul(along, number(r)))
                for i, vector in enumerate(vectors):
                    out.add(vector, builder.add(first, number(i * kind.count)))
        with partly:
            memory = cgutils.alloca_once(builder, ir.ArrayType(kind, ROWS * count))
            for i, vector in enumerate(each for vectors in sums for each in vectors):
                builder.store(vector, builder.gep(memory, [number(0), number(i)]))
            words = builder.bitcast(memory, WORD.as_pointer())
            with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, width) as column:
                place = builder.add(builder.mul(row.index, number(kind.count * count)), column.index)
                at = builder.add(builder.add(to, builder.mul(along, row.index)), column.index)
                out.add_word(builder.load(builder.gep(words, [place])), at)


def _tile_of(vectors: int) -> Any:
    """The loop for a tile of so many vectors to a row."""

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
        width: Any,
        out: Any,
        to: Any,
        along: Any,
    ) -> Any:
        """out[to + r along + j] += the sum over k below count of x[start + r row + k step] panel[k, j].

        For r below rows, of ROWS at most, and j below width. panel: (.., LANES * vectors).
        """

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            x, panel, out = (Flat(context, builder, kinds[i], arguments[i]) for i in (0, 5, 8))
            _, start, row, rows, step, _, count, width, _, to, along = arguments
            starts = _row_starts(builder, start, row, rows)
            totals = [[Sum(builder) for _ in range(vectors)] for _ in starts]
            for some in passes(vectors, ROWS):
                with cgutils.for_range(builder, count) as loop:
                    k, term = builder.mul(loop.index, number(LANES * vectors)), builder.mul(loop.index, step)
                    parts = [(i, panel.vector(builder.add(k, number(i * LANES)))) for i in some]
                    factors = (splat(builder, x.word(builder.add(first, term))) for first in starts)
                    add_products(totals, factors, parts)
            found = [[each.vector() for each in sums] for sums in totals]
            _add_sums(builder, found, rows, width, out, to, along)
            return context.get_dummy_value()

        return types.void(x, _INT, _INT, _INT, _INT, panel, _INT, _INT, out, _INT, _INT), codegen

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
    pairs: Any,
    pair: Any,
    vectors: Any,
    width: Any,
    out: Any,
    to: Any,
    along: Any,
) -> Any:
    """out[to + r along + c] += the sum over k of x[start + r row + k] times the k-th of column c of a pair.

    For few columns, which would not fill a vector: lanes are terms of the sums here. The columns, LANES * vectors terms
    of each, are at pairs[pair]. Their last vectors belong to the terms from `last` on, so that nothing behind a row is
    read. For r below rows, of ROWS at most, and c below width, of PAIR.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, pairs, out = (Flat(context, builder, kinds[i], arguments[i]) for i in (0, 5, 9))
        _, start, row, rows, last, _, pair, vectors, width, _, to, along = arguments
        starts = _row_starts(builder, start, row, rows)
        totals = [[Sum(builder) for _ in range(PAIR)] for _ in starts]
        columns = [pair, builder.add(pair, builder.mul(vectors, number(LANES)))]

        def add(some: range, place: Any, term: Any) -> None:
            parts = [(i, pairs.vector(builder.add(columns[i], place))) for i in some]
            add_products(totals, (x.vector(builder.add(first, term)) for first in starts), parts)

        whole = builder.sub(vectors, number(1))
        for some in passes(PAIR, ROWS):
            with cgutils.for_range(builder, whole) as loop:
                place = builder.mul(loop.index, number(LANES))
                add(some, place, place)
            add(some, builder.mul(whole, number(LANES)), last)
        found = [[_sums_of_lanes(builder, [total.vector() for total in sums])] for sums in totals]
        _add_sums(builder, found, rows, width, out, to, along)
        return context.get_dummy_value()

    return types.void(x, _INT, _INT, _INT, _INT, pairs, _INT, _INT, _INT, out, _INT, _INT), codegen


def _sums_of_lanes(builder: Any, pair: list[Any]) -> Any:
    """The sums of two vectors: first of neighbours, from each of the two in turn, then of halves."""
    turns = ([each for lane in range(first, LANES, 2) for each in (lane, LANES + lane)] for first in range(2))
    total = builder.add(*(shuffle(builder, pair[0], pair[1], each) for each in turns))
    while total.type.count > PAIR:
        half = total.type.count // 2
        total = builder.add(*(shuffle(builder, total, total, range(i, i + half)) for i in (0, half)))
    return total


@in_llvm
def copy_vectors(typing_context: Any, x: Any, start: Any, vectors: Any, to: Any, at: Any) -> Any:
    """to[at + j] = x[start + j] for j below LANES * vectors."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, to = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 3))
        with cgutils.for_range(builder, arguments[2]) as loop:
            j = builder.mul(loop.index, number(LANES))
            to.store(x.vector(builder.add(arguments[1], j)), builder.add(arguments[4], j))
        return context.get_dummy_value()

    return types.void(x, _INT, _INT, to, _INT), codegen


@in_llvm
def copy_columns(
    typing_context: Any, x: Any, start: Any, beside: Any, row: Any, count: Any, to: Any, first: Any, second: Any
) -> Any:
    """to[first + k] and to[second + k] = x[start + k row] and x[start + k row + beside] for k below count."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, to = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 5))
        _, start, beside, row, count, _, *columns = arguments
        with cgutils.for_range(builder, count) as loop:
            at = builder.add(start, builder.mul(loop.index, row))
            for place, column in zip((at, builder.add(at, beside)), columns, strict=True):
                to.store(x.word(place), builder.add(column, loop.index))
        return context.get_dummy_value()

    return types.void(x, _INT, _INT, _INT, _INT, to, _INT, _INT), codegen
