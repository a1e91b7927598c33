"""Products of a matrix of small integers and a vector of words, modulo 2^64, by multiplications of 16 bits.

A word is the sum of four digits, v = d_0 + d_1 2^16 + d_2 2^32 + d_3 2^48 modulo 2^64, of at least -2^15 and less than
2^15. One instruction multiplies the int16 of two vectors and adds what it finds for neighbours (VPMADDWD, with VPDPWSSD
also to a third vector): for a digit as many words as VPMULLQ multiplies where there is that, and neither has an int16
to be widened first, nor is there another addition. Sums of 32 bits hold TERMS products by integers of at most LARGEST
in size, as pixels are. The largest is found on the way: from the rows on where one is larger, words are multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels import vectors
from mpc_tamper.engines.kernels.compilation import in_llvm, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.kernels.parts import NOTE, in_parts
from mpc_tamper.engines.kernels.vectors import OUT1, X_SMALL, V
from mpc_tamper.engines.kernels.words import WORD, Flat, call, constant, number, shuffle, sum_of_lanes

LARGEST = 256
TERMS = (2**31 - 1) // (LARGEST * 2**15)
DIGITS = 4
_WIDE = may_use("avx512bw")
SHORTS = 32 if _WIDE else 16  # int16 to a vector, and columns that are multiplied together
ROWS = 4 if _WIDE else 2  # whose dot products are found together: their sums stay in registers
ADDED = 6  # rows that are added together: as many as have their digits stay in registers
_AHEAD = 2 * ROWS  # rows: as far ahead memory is fetched for dot products, which rows side by side would hinder
_BITS = 16

_SHORT = ir.IntType(16)
_SHORTS, _SUMS = ir.VectorType(_SHORT, SHORTS), ir.VectorType(ir.IntType(32), SHORTS // 2)
_INT = types.int64


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPMADDWD on 256 bits at least."""
    return _WIDE or may_use("avx2")


def _products(builder: Any, left: Any, right: Any) -> Any:
    """Of 16 bits, those of neighbours added: 32 bits."""
    return call(builder, "llvm.x86.avx512.pmaddw.d.512" if _WIDE else "llvm.x86.avx2.pmadd.wd", _SUMS, left, right)


def _bits(builder: Any, before: Any, values: Any) -> Any:
    """Those set in what came before, or in some of the values when the smallest that is allowed counts as 0."""
    return builder.or_(before, builder.add(values, constant(_SHORTS, LARGEST - 1)))


def _any_outside(builder: Any, bits: Any) -> Any:
    found = call(builder, f"llvm.vector.reduce.or.v{SHORTS}i16", _SHORT, bits)
    return builder.icmp_unsigned(">=", found, ir.Constant(_SHORT, 2 * LARGEST))


def _digits(builder: Any, words: Any) -> Any:
    """Words whose 16-bit parts are the digits. Half of what it counts in is added to each, and then subtracted from its
    part alone, where only the topmost bit feels it; the highest digit has no need."""
    half = constant(words.type, sum(1 << (_BITS * i + _BITS - 1) for i in range(DIGITS - 1)))
    return builder.xor(builder.add(words, half), half)


def _words(builder: Any, digits: list[Any]) -> Any:
    """The sums of each digit, of 32 bits, as one of words."""
    kind = ir.VectorType(WORD, digits[0].type.count)
    total = builder.sext(digits[0], kind)
    for i, digit in enumerate(digits[1:], 1):
        total = builder.add(total, builder.shl(builder.sext(digit, kind), constant(kind, _BITS * i)))
    return total


def _earlier(builder: Any, place: Any, last: Any) -> Any:
    return builder.select(builder.icmp_signed("<", place, last), place, last)


@in_llvm
def _split(typing_context: Any, v: Any, start: Any, digits: Any, to: Any) -> Any:
    """The digits of SHORTS words from v[start] on, to digits[to:]: the first of all words, the second of all, .."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, digits = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 2))
        kind = ir.VectorType(WORD, SHORTS)
        words = _digits(builder, v.load(arguments[1], kind))
        for i in range(DIGITS):
            part = builder.trunc(builder.lshr(words, constant(kind, _BITS * i)), _SHORTS)
            digits.store(part, builder.add(arguments[3], number(SHORTS * i)))
        return context.get_dummy_value()

    return types.void(v, _INT, digits, _INT), codegen


@in_llvm
def _add_dots(
    typing_context: Any, x: Any, start: Any, row: Any, rows: Any, last: Any, digits: Any, first: Any, end: Any, out: Any
) -> Any:
    """out[r] += the sum over j of x[start + r row + j] v[j], for j in the vectors from first to end; is an x too large?

    digits: of v, by vectors as _split leaves them. The last vector begins at `last`, so that nothing behind a row is
    read. A row that is not there, of ROWS, stands for the last one of `rows`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, digits, out = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 5, 8))
        _, start, row, rows, last, _, first, end, _ = arguments
        final = builder.sub(rows, number(1))
        starts = [builder.add(start, builder.mul(_earlier(builder, number(r), final), row)) for r in range(ROWS)]
        ahead = builder.mul(row, number(_AHEAD))
        sums = [[cgutils.alloca_once_value(builder, constant(_SUMS, 0)) for _ in range(DIGITS)] for _ in starts]
        bits = cgutils.alloca_once_value(builder, constant(_SHORTS, 0))
        with cgutils.for_range(builder, builder.sub(end, first)) as loop:
            vector = builder.add(first, loop.index)
            j = _earlier(builder, builder.mul(vector, number(SHORTS)), last)
            at = builder.mul(vector, number(SHORTS * DIGITS))
            factors = [digits.load(builder.add(at, number(SHORTS * i)), _SHORTS) for i in range(DIGITS)]
            for begin, totals in zip(starts, sums, strict=True):
                place = builder.add(begin, j)
                x.fetch(builder.add(place, ahead))
                values = x.load(place, _SHORTS)
                builder.store(_bits(builder, builder.load(bits), values), bits)
                for factor, total in zip(factors, totals, strict=True):
                    builder.store(builder.add(builder.load(total), _products(builder, values, factor)), total)
        for r, totals in enumerate(sums):
            words = _words(builder, [builder.load(total) for total in totals])
            out.add_word(sum_of_lanes(builder, words), number(r))
        return _any_outside(builder, builder.load(bits))

    return types.boolean(x, _INT, _INT, _INT, _INT, digits, _INT, _INT, out), codegen


@in_llvm
def _add_rows(
    typing_context: Any, x: Any, start: Any, row: Any, v: Any, first: Any, sums: Any, count: Any, last: Any
) -> Any:
    """sums += ADDED rows of x, from start on, times v[first], v[first + 1], ..; is one of their numbers too large?

    sums: by vectors of SHORTS columns, of which the last begins at `last`; of each the DIGITS, and of these the columns
    in two halves as interleaved rows have them.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, v, sums = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 3, 5))
        _, start, row, _, first, _, count, last = arguments
        pairs = [_digits_of_pair(builder, v, builder.add(first, number(r))) for r in range(0, ADDED, 2)]
        starts = [builder.add(start, builder.mul(row, number(r))) for r in range(ADDED)]
        ahead = builder.mul(row, number(ADDED))
        bits = cgutils.alloca_once_value(builder, constant(_SHORTS, 0))
        with cgutils.for_range(builder, count) as loop:
            j = _earlier(builder, builder.mul(loop.index, number(SHORTS)), last)
            to = builder.mul(loop.index, number(SHORTS * DIGITS))
            places = [builder.add(to, number(SHORTS // 2 * i)) for i in range(2 * DIGITS)]
            totals = [sums.load(place, _SUMS) for place in places]
            for upper, lower, pair in zip(starts[::2], starts[1::2], pairs, strict=True):
                rows = []
                for begin in (upper, lower):
                    place = builder.add(begin, j)
                    x.fetch(builder.add(place, ahead))
                    rows.append(x.load(place, _SHORTS))
                    builder.store(_bits(builder, builder.load(bits), rows[-1]), bits)
                halves = [shuffle(builder, rows[0], rows[1], _interleaved(half)) for half in range(2)]
                for i, digit in enumerate(pair):
                    for h, half in enumerate(halves):
                        totals[2 * i + h] = builder.add(totals[2 * i + h], _products(builder, half, digit))
            for total, place in zip(totals, places, strict=True):
                sums.store(total, place)
        return _any_outside(builder, builder.load(bits))

    return types.boolean(x, _INT, _INT, v, _INT, sums, _INT, _INT), codegen


def _digits_of_pair(builder: Any, v: Flat, first: Any) -> list[Any]:
    """For each digit a vector of those of v[first] and v[first + 1], in turn."""
    parts = builder.bitcast(_digits(builder, v.vector(first, 2)), ir.VectorType(_SHORT, 2 * DIGITS))
    return [shuffle(builder, parts, parts, [i, DIGITS + i] * (SHORTS // 2)) for i in range(DIGITS)]


def _interleaved(half: int) -> list[int]:
    """The lower or upper four columns of every eight, of two rows in turn: what one instruction finds."""
    return [place for column in _columns(half) for place in (column, SHORTS + column)]


def _columns(half: int) -> list[int]:
    return [column for column in range(SHORTS) if column // 4 % 2 == half]


@in_llvm
def _take(typing_context: Any, sums: Any, vector: Any, out: Any) -> Any:
    """What the sums of a vector of columns stand for is added to the words of out; the sums become zero."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, out = (Flat(context, builder, signature.args[i], arguments[i]) for i in (0, 2))
        at = builder.mul(arguments[1], number(SHORTS * DIGITS))
        found = [*_columns(0), *_columns(1)]
        digits = []
        for i in range(DIGITS):
            places = [builder.add(at, number(SHORTS // 2 * (2 * i + half))) for half in range(2)]
            halves = [sums.load(place, _SUMS) for place in places]
            for place in places:
                sums.store(constant(_SUMS, 0), place)
            digits.append(shuffle(builder, halves[0], halves[1], map(found.index, range(SHORTS))))
        out.add(_words(builder, digits), builder.mul(arguments[1], number(SHORTS)))
        return context.get_dummy_value()

    return types.void(sums, _INT, out), codegen


_KIND = types.void(NOTE, X_SMALL, V, OUT1)
_AT_ONCE = TERMS // 2  # vectors, each of which adds two products to a sum
_BLOCK = TERMS // ADDED * ADDED  # rows that are added before sums become words


@part_of_kernels
def _add_dots_of_rows(who: int, first: int, last: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """As vectors.add_rows. At least SHORTS columns."""
    columns = x.shape[1]
    count, behind = -(-columns // SHORTS), columns - SHORTS
    digits = vectors.aligned(count * SHORTS).view(np.int16)
    for i in range(count):
        _split(v, min(i * SHORTS, behind), digits, i * SHORTS * DIGITS)
    for i in range(DIGITS):  # what the last vector has of the one before
        place = ((count - 1) * DIGITS + i) * SHORTS
        digits[place : place + count * SHORTS - columns] = 0
    sums = np.zeros(ROWS, np.uint64)
    for i in range(first, last, ROWS):
        there, large = min(ROWS, last - i), False
        sums[:] = 0
        for begin in range(0, count, _AT_ONCE):
            end = min(begin + _AT_ONCE, count)
            large |= _add_dots(x, i * columns, columns, there, behind, digits, begin, end, sums)
        if large:
            vectors.add_rows(who, i, last, x, v, out)
            return
        for r in range(there):
            out[i + r] += sums[r]


@part_of_kernels
def _add_rows_of_small(who: int, first: int, last: int, x: np.ndarray, v: np.ndarray, totals: np.ndarray) -> None:
    """As vectors.add_trans_rows. At least SHORTS columns."""
    columns, out = x.shape[1], totals[who]
    count, behind = -(-columns // SHORTS), columns - SHORTS
    sums = vectors.aligned(count * SHORTS * DIGITS // 2).view(np.int32)
    sums[:] = 0
    words = vectors.aligned(count * SHORTS)
    words[:] = 0
    done = first
    while last - done >= ADDED:
        end, large = done + min(_BLOCK, (last - done) // ADDED * ADDED), False
        for i in range(done, end, ADDED):
            large |= _add_rows(x, i * columns, columns, v, i, sums, count, behind)
        if large:
            break
        for i in range(count):
            _take(sums, i, words)
        done = end
    for i in range(count):
        place = min(i * SHORTS, behind)
        for j in range(i * SHORTS - place, SHORTS):
            out[place + j] += words[i * SHORTS + j]
    vectors.add_trans_rows(who, done, last, x, v, totals)


@kernel_where(has_instruction(), vectors.add_matvec, _KIND)
def add_matvec(note: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """As vectors.add_matvec."""
    if x.shape[1] < SHORTS:
        in_parts(vectors.add_rows, note, len(x), 1, (x, v, out))
    else:
        in_parts(_add_dots_of_rows, note, len(x), ROWS, (x, v, out))


@kernel_where(has_instruction(), vectors.add_trans_matvec, _KIND)
def add_trans_matvec(note: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """As vectors.add_trans_matvec."""
    totals = vectors.totals_of(note, out.size)
    if x.shape[1] < SHORTS:
        in_parts(vectors.add_trans_rows, note, len(x), 1, (x, v, totals))
    else:
        in_parts(_add_rows_of_small, note, len(x), ADDED, (x, v, totals))
    vectors.add_totals(totals, out)
