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
from mpc_tamper.engines.kernels.compilation import in_llvm, kernel_where
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.kernels.vectors import OUT1, V, X_SMALL

LARGEST = 256
TERMS = (2**31 - 1) // (LARGEST * 2**15)
DIGITS = 4
_WIDE = may_use("avx512bw")
SHORTS = 32 if _WIDE else 16  # int16 to a vector, and columns that are multiplied together
ROWS = 4 if _WIDE else 2  # whose dot products are found together: their sums stay in registers
ADDED = 8  # rows that are added together: their digits stay in registers
_AHEAD = 2 * ROWS  # rows: as far ahead memory is fetched for dot products, which rows side by side would hinder
_LINE = 64  # bytes
_BITS = 16

_SHORT, _SUM, _WORD = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_SHORTS, _SUMS, _WORDS = ir.VectorType(_SHORT, SHORTS), ir.VectorType(_SUM, SHORTS // 2), ir.VectorType(_WORD, SHORTS)
_INT = types.int64
_LOWER = sum(1 << (_BITS * i + _BITS - 1) for i in range(DIGITS - 1))  # half of what digit i counts in, for all but one


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPMADDWD on 256 bits at least."""
    return _WIDE or may_use("avx2")


class _Code:
    """What the loops below have in common: vectors in memory, and the instructions."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self._context, self._builder, self._kinds, self._arguments = context, builder, signature.args, arguments

    def array(self, number: int) -> Any:
        """Where the elements of this argument are."""
        made = self._context.make_array(self._kinds[number])(self._context, self._builder, self._arguments[number])
        return made.data

    def load(self, data: Any, index: Any, kind: Any, align: int) -> Any:
        found = self._builder.load(self._builder.bitcast(self._builder.gep(data, [index]), kind.as_pointer()))
        found.align = align
        return found

    def store(self, value: Any, data: Any, index: Any, align: int) -> None:
        place = self._builder.bitcast(self._builder.gep(data, [index]), value.type.as_pointer())
        self._builder.store(value, place).align = align

    def fetch(self, data: Any, index: Any) -> None:
        """To the second cache, what lies there; it may be behind the end."""
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        prefetch = self._builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        place = self._builder.bitcast(self._builder.gep(data, [index]), byte)
        self._builder.call(prefetch, [place, *(ir.Constant(whole, each) for each in (0, 2, 1))])

    def _call(self, name: str, result: Any, *values: Any) -> Any:
        kind = ir.FunctionType(result, [each.type for each in values])
        function = cgutils.get_or_insert_function(self._builder.module, kind, name)
        return self._builder.call(function, list(values))

    def products(self, left: Any, right: Any) -> Any:
        """Of 16 bits, those of neighbours added: 32 bits."""
        return self._call("llvm.x86.avx512.pmaddw.d.512" if _WIDE else "llvm.x86.avx2.pmadd.wd", _SUMS, left, right)

    def bits(self, before: Any, values: Any) -> Any:
        """Those that are set in what came before, or in some of the values when they begin at 0."""
        moved = self._builder.add(values, ir.Constant(_SHORTS, [LARGEST - 1] * SHORTS))
        return self._builder.or_(before, moved)

    def any_outside(self, bits: Any) -> Any:
        found = self._call(f"llvm.vector.reduce.or.v{SHORTS}i16", _SHORT, bits)
        return self._builder.icmp_unsigned(">=", found, ir.Constant(_SHORT, 2 * LARGEST))

    def sum_of_lanes(self, words: Any) -> Any:
        return self._call(f"llvm.vector.reduce.add.v{words.type.count}i64", _WORD, words)

    def word_of_digits(self, digits: list[Any]) -> Any:
        """Sums of 32 bits to words: each digit's, counted in what that digit counts."""
        kind = ir.VectorType(_WORD, digits[0].type.count)
        total = self._builder.sext(digits[0], kind)
        for i, digit in enumerate(digits[1:], 1):
            places = ir.Constant(kind, [_BITS * i] * kind.count)
            total = self._builder.add(total, self._builder.shl(self._builder.sext(digit, kind), places))
        return total

    def digits(self, words: Any) -> Any:
        """Words whose 16-bit parts are the digits. Half of what it counts in is added to each, and then subtracted from
        its part alone, where only the topmost bit feels it; the highest digit has no need."""
        half = ir.Constant(words.type, [_LOWER] * words.type.count)
        return self._builder.xor(self._builder.add(words, half), half)

    def shuffle(self, left: Any, right: Any, places: list[int]) -> Any:
        return self._builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


@in_llvm
def _split(typing_context: Any, v: Any, start: Any, digits: Any, to: Any) -> Any:
    """The digits of SHORTS words from v[start] on, to digits[to:]: the first of all words, the second of all, .."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        words = code.digits(code.load(code.array(0), arguments[1], _WORDS, 8))
        for i in range(DIGITS):
            part = builder.trunc(builder.lshr(words, ir.Constant(_WORDS, [_BITS * i] * SHORTS)), _SHORTS)
            code.store(part, code.array(2), builder.add(arguments[3], ir.Constant(_WORD, SHORTS * i)), 2)
        return context.get_dummy_value()

    return types.void(v, _INT, digits, _INT), codegen


@in_llvm
def _add_dots(
    typing_context: Any, x: Any, start: Any, row: Any, rows: Any, last: Any, digits: Any, first: Any, end: Any, out: Any
) -> Any:
    """out[r] += the sum over j of x[start + r row + j] v[j], for j in the vectors from first to end; the largest x.

    digits: of v, by vectors as _split leaves them. The last vector begins at `last`, so that nothing behind a row is
    read. A row that is not there, of ROWS, stands for the last one of `rows`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        x, digits, out = code.array(0), code.array(5), code.array(8)
        _, start, row, rows, last, _, first, end, _ = arguments
        final = builder.sub(rows, ir.Constant(_WORD, 1))
        numbers = [ir.Constant(_WORD, r) for r in range(ROWS)]
        inside = [builder.select(builder.icmp_signed("<", number, final), number, final) for number in numbers]
        starts = [builder.add(start, builder.mul(each, row)) for each in inside]
        ahead = builder.mul(row, ir.Constant(_WORD, _AHEAD))
        zero = ir.Constant(_SUMS, [0] * (SHORTS // 2))
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(DIGITS)] for _ in starts]
        bits = cgutils.alloca_once_value(builder, ir.Constant(_SHORTS, [0] * SHORTS))
        with cgutils.for_range(builder, builder.sub(end, first)) as loop:
            number = builder.add(first, loop.index)
            j = builder.mul(number, ir.Constant(_WORD, SHORTS))
            j = builder.select(builder.icmp_signed("<", j, last), j, last)
            at = builder.mul(number, ir.Constant(_WORD, SHORTS * DIGITS))
            factors = [
                code.load(digits, builder.add(at, ir.Constant(_WORD, SHORTS * i)), _SHORTS, 2) for i in range(DIGITS)
            ]
            for begin, totals in zip(starts, sums, strict=True):
                place = builder.add(begin, j)
                code.fetch(x, builder.add(place, ahead))
                values = code.load(x, place, _SHORTS, 2)
                builder.store(code.bits(builder.load(bits), values), bits)
                for factor, total in zip(factors, totals, strict=True):
                    builder.store(builder.add(builder.load(total), code.products(values, factor)), total)
        for r, totals in enumerate(sums):
            total = code.sum_of_lanes(code.word_of_digits([builder.load(each) for each in totals]))
            place = builder.gep(out, [ir.Constant(_WORD, r)])
            builder.store(builder.add(builder.load(place), total), place)
        return code.any_outside(builder.load(bits))

    return types.boolean(x, _INT, _INT, _INT, _INT, digits, _INT, _INT, out), codegen


@in_llvm
def _add_rows(
    typing_context: Any, x: Any, start: Any, row: Any, v: Any, number: Any, sums: Any, count: Any, last: Any
) -> Any:
    """sums += ADDED rows of x, the first at start, times v[number], v[number + 1], ..; the largest x among them.

    sums: by vectors of SHORTS columns, of which the last begins at `last`; of each the DIGITS, and of these the columns
    in two halves as interleaved rows have them.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        x, v, sums = code.array(0), code.array(3), code.array(5)
        _, start, row, _, number, _, count, last = arguments
        pairs = [_digits_of_pair(code, v, builder.add(number, ir.Constant(_WORD, r))) for r in range(0, ADDED, 2)]
        starts = [builder.add(start, builder.mul(row, ir.Constant(_WORD, r))) for r in range(ADDED)]
        ahead = builder.mul(row, ir.Constant(_WORD, ADDED))
        bits = cgutils.alloca_once_value(builder, ir.Constant(_SHORTS, [0] * SHORTS))
        with cgutils.for_range(builder, count) as loop:
            j = builder.mul(loop.index, ir.Constant(_WORD, SHORTS))
            j = builder.select(builder.icmp_signed("<", j, last), j, last)
            to = builder.mul(loop.index, ir.Constant(_WORD, SHORTS * DIGITS))
            places = [builder.add(to, ir.Constant(_WORD, SHORTS // 2 * i)) for i in range(2 * DIGITS)]
            totals = [code.load(sums, place, _SUMS, 4) for place in places]
            for first, second, pair in zip(starts[::2], starts[1::2], pairs, strict=True):
                rows = []
                for begin in (first, second):
                    place = builder.add(begin, j)
                    code.fetch(x, builder.add(place, ahead))
                    rows.append(code.load(x, place, _SHORTS, 2))
                    builder.store(code.bits(builder.load(bits), rows[-1]), bits)
                halves = [code.shuffle(*rows, _interleaved(half)) for half in range(2)]
                for i, digit in enumerate(pair):
                    for h, half in enumerate(halves):
                        totals[2 * i + h] = builder.add(totals[2 * i + h], code.products(half, digit))
            for total, place in zip(totals, places, strict=True):
                code.store(total, sums, place, 4)
        return code.any_outside(builder.load(bits))

    return types.boolean(x, _INT, _INT, v, _INT, sums, _INT, _INT), codegen


def _digits_of_pair(code: _Code, v: Any, number: Any) -> list[Any]:
    """For each digit a vector of those of v[number] and v[number + 1], in turn."""
    words = code.digits(code.load(v, number, ir.VectorType(_WORD, 2), 8))
    parts = code._builder.bitcast(words, ir.VectorType(_SHORT, 2 * DIGITS))
    return [code.shuffle(parts, parts, [i, DIGITS + i] * (SHORTS // 2)) for i in range(DIGITS)]


def _interleaved(half: int) -> list[int]:
    """The lower or upper four columns of every eight, of two rows in turn: what one instruction finds."""
    return [place for column in _columns(half) for place in (column, SHORTS + column)]


def _columns(half: int) -> list[int]:
    return [column for column in range(SHORTS) if column // 4 % 2 == half]


@in_llvm
def _take(typing_context: Any, sums: Any, number: Any, out: Any) -> Any:
    """The words that the sums of a vector of columns stand for, which become zero."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        sums, at = code.array(0), builder.mul(arguments[1], ir.Constant(_WORD, SHORTS * DIGITS))
        found = [*_columns(0), *_columns(1)]
        digits = []
        for i in range(DIGITS):
            halves = []
            for h in range(2):
                place = builder.add(at, ir.Constant(_WORD, SHORTS // 2 * (2 * i + h)))
                halves.append(code.load(sums, place, _SUMS, 4))
                code.store(ir.Constant(_SUMS, [0] * (SHORTS // 2)), sums, place, 4)
            digits.append(code.shuffle(*halves, [found.index(column) for column in range(SHORTS)]))
        out, to = code.array(2), builder.mul(arguments[1], ir.Constant(_WORD, SHORTS))
        total = builder.add(code.load(out, to, _WORDS, 8), code.word_of_digits(digits))
        code.store(total, out, to, 8)
        return context.get_dummy_value()

    return types.void(sums, _INT, out), codegen


_KIND = types.void(X_SMALL, V, OUT1)
_AT_ONCE = TERMS // 2  # vectors, each of which adds two products to a sum
_BLOCK = TERMS // ADDED * ADDED  # rows that are added before sums become words


@kernel_where(has_instruction(), vectors.add_matvec, _KIND)
def add_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """As vectors.add_matvec."""
    rows, columns = x.shape
    if columns < SHORTS:
        vectors.add_matvec(x, v, out)
        return
    count, last = -(-columns // SHORTS), columns - SHORTS
    digits = vectors.aligned(count * SHORTS).view(np.int16)
    for i in range(count):
        _split(v, min(i * SHORTS, last), digits, i * SHORTS * DIGITS)
    for i in range(DIGITS):  # what the last vector has of the one before
        first = ((count - 1) * DIGITS + i) * SHORTS
        digits[first : first + count * SHORTS - columns] = 0
    sums = np.zeros(ROWS, np.uint64)
    for i in range(0, rows, ROWS):
        there, large = min(ROWS, rows - i), False
        sums[:] = 0
        for first in range(0, count, _AT_ONCE):
            end = min(first + _AT_ONCE, count)
            large |= _add_dots(x, i * columns, columns, there, last, digits, first, end, sums)
        if large:
            vectors.add_matvec(x[i:], v, out[i:])
            return
        for r in range(there):
            out[i + r] += sums[r]


@kernel_where(has_instruction(), vectors.add_trans_matvec, _KIND)
def add_trans_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """As vectors.add_trans_matvec."""
    rows, columns = x.shape
    done = 0
    if columns >= SHORTS:
        count, last = -(-columns // SHORTS), columns - SHORTS
        sums = vectors.aligned(count * SHORTS * DIGITS // 2).view(np.int32)
        sums[:] = 0
        words = vectors.aligned(count * SHORTS)
        words[:] = 0
        while rows - done >= ADDED:
            end, large = done + min(_BLOCK, (rows - done) // ADDED * ADDED), False
            for i in range(done, end, ADDED):
                large |= _add_rows(x, i * columns, columns, v, i, sums, count, last)
            if large:
                break
            for i in range(count):
                _take(sums, i, words)
            done = end
        for i in range(count):
            first = min(i * SHORTS, last)
            for j in range(i * SHORTS - first, SHORTS):
                out[first + j] += words[i * SHORTS + j]
    if done < rows:
        vectors.add_trans_matvec(x[done:], v[done:], out)
