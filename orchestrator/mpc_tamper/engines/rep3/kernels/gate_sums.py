"""Sums over 48 random subsets of what elementwise gates have: of their products modulo 2^128, and of R's and L's words
modulo 2^64. Bit k of a gate's member says whether it is in subset k; bits above the 48th say nothing.

Four gates have 16 sums, which two vectors hold, and VPERMI2Q finds those of eight subsets among them at once. Members
of 64 gates, transposed, are a word for each subset, whose bits say which sum it is, four after four. Products stand in
limbs, so that carries wait. Where the processor lacks the instructions, a gate is a row of a matrix of limbs and words,
and row_sums.py adds up its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, kernel_unless, kernel_where, part_of_kernels
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.threads import helpers
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.expectation import SUMS_OVER_SUBSETS, expect
from mpc_tamper.engines.rep3.kernels.int128 import add, add_product_of_words
from mpc_tamper.engines.rep3.kernels.limbs import LANES, LIMBS, limbs_of_product
from mpc_tamper.engines.rep3.kernels.members import ROWS, transpose
from mpc_tamper.engines.rep3.kernels.row_sums import LANES as COLUMNS
from mpc_tamper.engines.rep3.kernels.row_sums import add_rows, offsets_of
from mpc_tamper.engines.rep3.kernels.sums_of_four import sums_of_four

PRODUCTS = 2  # to a gate, at most, that are added at once
_AT_ONCE = 4  # gates to a table of sums
_VECTORS = SUBSETS // LANES
_MOST = 64  # steps after which carries are due: 4096 limbs of 52 bits have a sum of 64
_LIMB, _BYTES = 52, 8
# Of gates as rows, of as many columns as are summed at once: so many at a time, limbs in the first columns and words
# behind them, and blocks until carries are due.
_GATES, _WORDS_FROM, _BLOCKS = 256, LIMBS, 16
# Rows of 64 words: subsets, limbs of products, words of the last gates, and the sums of limbs and of words.
_LIMBS_AT, _WORDS_AT, _SUMS_AT, _WORD_SUMS_AT, _ALL = 1, 1 + LIMBS, 3 + LIMBS, 3 + 2 * LIMBS, 5 + 2 * LIMBS
_ADDRESS = types.uintp
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_PAIR = types.UniTuple(_V, 2)
_ARGUMENTS = types.void(_V, _PAIR, _PAIR, _PAIR, _OUT2, _OUT2)
_WORTH = 1 << 12  # words that a thread has to have for it to pay
_ROW = _ADDRESS(ROWS * _BYTES)
_52, _12, _40 = (np.uint64(bits) for bits in (52, 12, 40))
_LOW = np.uint64((1 << _LIMB) - 1)
_NOTHING = np.empty(0, np.uint64)


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use VPMADD52, VPERMI2Q and GF2P8AFFINEQB on 512 bits."""
    return may_use("avx512f", "avx512bw", "avx512vbmi", "avx512ifma", "gfni")


def _add_sums(rows: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits, numbers, sums = arguments[0], arguments[1 : 1 + rows], arguments[-1]
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        look_up = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.q.512")

        def at(address: Any, index: Any, kind: Any = _VECTOR) -> Any:
            return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])

        def load(pointer: Any) -> Any:
            found = builder.load(pointer)
            found.align = _BYTES
            return found

        places = [at(sums, ir.Constant(_WORD, ROWS // LANES * i + v)) for i in range(rows) for v in range(_VECTORS)]
        totals = [cgutils.alloca_once_value(builder, load(place)) for place in places]
        left = [cgutils.alloca_once_value(builder, load(at(bits, ir.Constant(_WORD, v)))) for v in range(_VECTORS)]
        with cgutils.for_range(builder, ir.Constant(_WORD, ROWS // _AT_ONCE)) as loop:
            first = builder.mul(loop.index, ir.Constant(_WORD, _AT_ONCE))
            indices = [builder.add(first, ir.Constant(_WORD, i)) for i in range(_AT_ONCE)]
            tables = [sums_of_four(builder, [builder.load(at(row, i, _WORD)) for i in indices]) for row in numbers]
            for v, each in enumerate(left):
                index = builder.load(each)  # of which the instruction takes the low four bits
                for i, (low, high) in enumerate(tables):
                    to, found = totals[i * _VECTORS + v], builder.call(look_up, [low, index, high])
                    builder.store(builder.add(builder.load(to), found), to)
                builder.store(builder.lshr(index, ir.Constant(_VECTOR, [_AT_ONCE] * LANES)), each)
        for place, total in zip(places, totals, strict=True):
            builder.store(builder.load(total), place).align = _BYTES
        return context.get_dummy_value()

    return codegen


@in_llvm
def _add_words(typing_context: Any, bits: Any, right: Any, left: Any, sums: Any) -> Any:
    """Adds, to two rows at sums, the words of those of 64 gates that are in each subset. bits: 48 words."""
    return types.void(*[_ADDRESS] * 4), _add_sums(2)


@in_llvm
def _add_limbs(typing_context: Any, bits: Any, first: Any, second: Any, third: Any, sums: Any) -> Any:
    """The same of three rows: both fit into the registers, and all five do not."""
    return types.void(*[_ADDRESS] * 5), _add_sums(LIMBS)


@in_llvm
def _multiply(typing_context: Any, u: Any, v: Any, other_u: Any, other_v: Any, both: Any, limbs: Any) -> Any:
    """Of 64 gates with one product each or, unless `both` is zero, two: the sums of products, to a row of each limb."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        u, v, other_u, other_v, both, limbs = arguments
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(LIMBS)]
        bits, mask = (ir.Constant(_VECTOR, [each] * LANES) for each in (_LIMB, (1 << _LIMB) - 1))
        with cgutils.for_range(builder, ir.Constant(_WORD, ROWS // LANES)) as loop:
            for each in sums:
                builder.store(ir.Constant(_VECTOR, [0] * LANES), each)
            limbs_of_product(builder, u, v, loop.index, sums)
            with builder.if_then(builder.icmp_unsigned("!=", both, ir.Constant(_WORD, 0))):
                limbs_of_product(builder, other_u, other_v, loop.index, sums)
            first, second, third = (builder.load(each) for each in sums)
            second = builder.add(second, builder.lshr(first, bits))
            third = builder.add(third, builder.lshr(second, bits))
            for i, limb in enumerate((builder.and_(first, mask), builder.and_(second, mask), third)):
                row = builder.add(limbs, ir.Constant(_WORD, i * ROWS * _BYTES))
                place = builder.gep(builder.inttoptr(row, _VECTOR.as_pointer()), [loop.index])
                builder.store(limb, place).align = _BYTES
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 6), codegen


@part_of_kernels
def _add_product(low: Any, high: Any, c: int, inner: int, u: np.ndarray, v: np.ndarray) -> tuple[Any, Any]:
    if u.size:
        for i in range(c * inner, (c + 1) * inner):
            low, high = add_product_of_words(low, high, u[i], v[i])
    return low, high


@part_of_kernels
def _add_limbs_of_sums(first: Any, second: Any, third: Any, total: np.ndarray) -> None:
    low, high = add(total[0], total[1], first, np.uint64(0))
    low, high = add(low, high, second << _52, second >> _12)
    total[0], total[1] = low, high + (third << _40)


@part_of_kernels
def _add_carried(room: np.ndarray, products: np.ndarray) -> None:
    for k in range(SUBSETS):
        _add_limbs_of_sums(room[_SUMS_AT, k], room[_SUMS_AT + 1, k], room[_SUMS_AT + 2, k], products[k])
    room[_SUMS_AT : _SUMS_AT + LIMBS] = np.uint64(0)


@part_of_kernels
def _add_steps(
    members: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    other_u: np.ndarray,
    other_v: np.ndarray,
    right: np.ndarray,
    left: np.ndarray,
    room: np.ndarray,
    products: np.ndarray,
) -> None:
    """64 gates at a time. room: zeros, of the caller, as its addresses are used."""
    inner = u.size // max(1, members.size)
    bits = _ADDRESS(room.ctypes.data)
    limbs, last = bits + _ADDRESS(_LIMBS_AT) * _ROW, bits + _ADDRESS(_WORDS_AT) * _ROW
    sums, sums_of_words = bits + _ADDRESS(_SUMS_AT) * _ROW, bits + _ADDRESS(_WORD_SUMS_AT) * _ROW
    for step in range((members.size + ROWS - 1) // ROWS):
        start = step * ROWS
        size, here = min(ROWS, members.size - start), _ADDRESS(start * _BYTES)
        at, of_right, of_left = (
            _ADDRESS(members.ctypes.data) + here,
            _ADDRESS(right.ctypes.data) + here,
            _ADDRESS(left.ctypes.data) + here,
        )
        if size < ROWS:  # of the others, what stands there is in no subset
            for c in range(size):
                room[_LIMBS_AT, c] = members[start + c]
            room[_LIMBS_AT, size:] = np.uint64(0)
            for c in range(size * min(1, right.size)):
                room[_WORDS_AT, c], room[_WORDS_AT + 1, c] = right[start + c], left[start + c]
            at, of_right, of_left = limbs, last, last + _ROW
        transpose(at, bits)
        if right.size:
            _add_words(bits, of_right, of_left, sums_of_words)
        if inner == 1 and size == ROWS:
            one_u, one_v = _ADDRESS(u.ctypes.data) + here, _ADDRESS(v.ctypes.data) + here
            two_u, two_v = _ADDRESS(other_u.ctypes.data) + here, _ADDRESS(other_v.ctypes.data) + here
            _multiply(one_u, one_v, two_u, two_v, _ADDRESS(other_u.size), limbs)
        else:
            for c in range(size):
                low, high = _add_product(np.uint64(0), np.uint64(0), start + c, inner, u, v)
                low, high = _add_product(low, high, start + c, inner, other_u, other_v)
                room[_LIMBS_AT, c], room[_LIMBS_AT + 1, c] = low & _LOW, (low >> _52 | high << _12) & _LOW
                room[_LIMBS_AT + 2, c] = high >> _40
        if inner:
            _add_limbs(bits, limbs, limbs + _ROW, limbs + _ROW + _ROW, sums)
            if step % _MOST == _MOST - 1:
                _add_carried(room, products)


@part_of_kernels
def _put_products(
    start: int,
    size: int,
    inner: int,
    u: np.ndarray,
    v: np.ndarray,
    other_u: np.ndarray,
    other_v: np.ndarray,
    rows: np.ndarray,
) -> None:
    """Of gates start .. start + size - 1, as limbs. With _add_product in its loop, it takes half as long again."""
    zero = np.uint64(0)
    for c in range(size):
        low = high = zero
        for i in range((start + c) * inner, (start + c + 1) * inner):
            low, high = add_product_of_words(low, high, u[i], v[i])
        if other_u.size:
            for i in range((start + c) * inner, (start + c + 1) * inner):
                low, high = add_product_of_words(low, high, other_u[i], other_v[i])
        rows[c, 0], rows[c, 1], rows[c, 2] = low & _LOW, (low >> _52 | high << _12) & _LOW, high >> _40


@kernel_unless(has_instruction(), _ARGUMENTS)
def add_as_rows(members: np.ndarray, u: Any, v: Any, t: Any, products: np.ndarray, words: np.ndarray) -> None:
    inner = u[0].size // max(1, members.size)
    rows, sums = np.zeros((_GATES, COLUMNS), np.uint64), np.zeros((SUBSETS, COLUMNS), np.uint64)
    for start in range(0, members.size, _GATES):
        size = min(_GATES, members.size - start)
        if inner:
            _put_products(start, size, inner, u[0], v[0], u[1], v[1], rows)
        for c in range(min(size, t[0].size)):
            rows[c, _WORDS_FROM], rows[c, _WORDS_FROM + 1] = t[0][start + c], t[1][start + c]
        add_rows(offsets_of(members[start : start + size]), rows[:size], 0, COLUMNS, sums)
        if (start // _GATES) % _BLOCKS == _BLOCKS - 1 or start + size == members.size:
            for k in range(SUBSETS):
                some = sums[k]
                _add_limbs_of_sums(some[0], some[1], some[2], products[k])
                words[0, k] += some[_WORDS_FROM]
                words[1, k] += some[_WORDS_FROM + 1]
            sums[:] = np.uint64(0)


@kernel_where(has_instruction(), add_as_rows, _ARGUMENTS)
def add_together(members: np.ndarray, u: Any, v: Any, t: Any, products: np.ndarray, words: np.ndarray) -> None:
    room = np.zeros((_ALL, ROWS), np.uint64)
    _add_steps(members, u[0], v[0], u[1], v[1], t[0], t[1], room, products)
    _add_carried(room, products)
    for k in range(SUBSETS):
        words[0, k] += room[_WORD_SUMS_AT, k]
        words[1, k] += room[_WORD_SUMS_AT + 1, k]


@part_of_kernels
def _pieces(pair: Any, first: int, last: int) -> Any:
    """Of what there is none of, none."""
    one, other = pair
    return one[min(first, one.size) : min(last, one.size)], other[min(first, other.size) : min(last, other.size)]


@part_of_kernels
def _add_some(
    who: int,
    first: int,
    last: int,
    members: np.ndarray,
    u: Any,
    v: Any,
    t: Any,
    products: np.ndarray,
    words: np.ndarray,
) -> None:
    inner = u[0].size // max(1, members.size)
    start, stop = first * inner, last * inner
    some = _pieces(u, start, stop), _pieces(v, start, stop), _pieces(t, first, last)
    add_together(members[first:last], some[0], some[1], some[2], products[who], words[who])


@kernel(types.void(NOTE, *_ARGUMENTS.args))
def _add_in_parts(
    note: int, members: np.ndarray, u: Any, v: Any, t: Any, products: np.ndarray, words: np.ndarray
) -> None:
    threads = threads_of(note)
    of_products, of_words = np.zeros((threads, SUBSETS, 2), np.uint64), np.zeros((threads, 2, SUBSETS), np.uint64)
    in_parts(_add_some, note, members.size, ROWS, (members, u, v, t, of_products, of_words))
    for who in range(threads):
        for k in range(SUBSETS):
            found = of_products[who, k]
            products[k, 0], products[k, 1] = add(products[k, 0], products[k, 1], found[0], found[1])
            words[0, k] += of_words[who, 0, k]
            words[1, k] += of_words[who, 1, k]


def add_gates(
    members: np.ndarray,
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    t: tuple[np.ndarray, np.ndarray],
    products: np.ndarray,
    words: np.ndarray,
) -> None:
    """Add the sums over the subsets to products, (48, 2), and to words, (2, 48).

    members: (n,).  pairs: u and v, (n inner,) words, of which a gate has inner products each.  t: R's words, L's, (n,).
    """
    for start in range(0, max(1, len(pairs)), PRODUCTS):
        some = [*pairs[start : start + PRODUCTS], *[(_NOTHING, _NOTHING)] * PRODUCTS][:PRODUCTS]
        u, v = zip(*some, strict=True)
        _add_in_parts(helpers(max(members.size, u[0].size) // _WORTH), members, u, v, t, products, words)
        t = (_NOTHING, _NOTHING)


def check() -> None:
    """Compare the sums with NumPy's, once a process has loaded them: a gate that a kernel forgot would be missing from
    what is proved and from what it has to be, and honest proofs would fail only at the inner product, as if somebody
    cheated.

    Raises EngineUnavailable.
    """
    n = _GATES + ROWS + 3  # more than one block, and so gates that are added by themselves
    drawn = np.arange(1, 7 * n + 1, dtype=np.uint64).reshape(7, n) * np.uint64(0x9E3779B97F4A7C15)
    drawn[:, 5], drawn[1:, -1] = np.uint64(2**64 - 1), np.uint64(2**63)
    members, u, v, other_u, other_v, right, left = drawn
    products, words = np.zeros((SUBSETS, 2), np.uint64), np.zeros((2, SUBSETS), np.uint64)
    add_gates(members, [(u, v), (other_u, other_v)], (right, left), products, words)
    indicators = (members >> np.arange(SUBSETS, dtype=np.uint64)[:, None]) & np.uint64(1)
    whole = u.astype(object) * v + other_u.astype(object) * other_v
    sums = indicators.astype(object) @ whole
    found = products[:, 0].astype(object) + (products[:, 1].astype(object) << 64)
    expect(SUMS_OVER_SUBSETS, found, sums % 2**128)
    expect(SUMS_OVER_SUBSETS, words, np.stack([right, left]) @ indicators.T)


check()
