"""64 x 64 bits, transposed: bit a of 64 words becomes word a.

Eight blocks at a time where the processor has GF2P8AFFINEQB, which transposes 8 x 8 bits: the rest is to exchange which
vector a byte stands in for its place there, two vectors at a time, and whole lines of the cache are stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, part_of_kernels
from mpc_tamper.engines.rep3.kernels.affine import has_instruction
from mpc_tamper.engines.rep3.kernels.fetching import fetch_line

ROWS = 64
TOGETHER = 8  # blocks
_ADDRESS = types.uintp
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_BYTES = ir.VectorType(ir.IntType(8), 64)
_VECTOR = 4  # words to a vector where one block is transposed at a time
_MASKS = {
    32: 0x00000000FFFFFFFF,
    16: 0x0000FFFF0000FFFF,
    8: 0x00FF00FF00FF00FF,
    4: 0x0F0F0F0F0F0F0F0F,
    2: 0x3333333333333333,
    1: 0x5555555555555555,
}


@in_llvm
def _transpose_to(typing_context: Any, source: Any, target: Any, stride: Any) -> Any:
    """The 64 x 64 bits of the 64 words at source, transposed: word a to target + a * stride. Addresses and bytes.

    Ever smaller off-diagonal squares are swapped, all 64 words in 16 vectors.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, index = ir.IntType(64), ir.IntType(32)
        vector = ir.VectorType(word, _VECTOR)
        source, target, stride = arguments

        def splat(constant: int) -> Any:
            return ir.Constant(vector, [constant] * _VECTOR)

        def swap(low: Any, high: Any, width: int) -> tuple[Any, Any]:
            changed = builder.xor(builder.lshr(low, splat(width)), high)
            changed = builder.and_(changed, splat(_MASKS[width]))
            return builder.xor(low, builder.shl(changed, splat(width))), builder.xor(high, changed)

        def pick(a: Any, b: Any, places: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(index, _VECTOR), places))

        base = builder.inttoptr(source, vector.as_pointer())
        x = []
        for i in range(ROWS // _VECTOR):
            x.append(builder.load(builder.gep(base, [ir.Constant(word, i)])))
            x[-1].align = 8
        for width in (32, 16, 8, 4):  # words this far apart stand in different vectors
            distance = width // _VECTOR
            for i in range(len(x)):
                if not i & distance:
                    x[i], x[i + distance] = swap(x[i], x[i + distance], width)
        for i in range(0, len(x), 2):
            a, b = x[i], x[i + 1]
            a, b = swap(pick(a, b, [0, 1, 4, 5]), pick(a, b, [2, 3, 6, 7]), 2)
            a, b = pick(a, b, [0, 1, 4, 5]), pick(a, b, [2, 3, 6, 7])
            a, b = swap(pick(a, b, [0, 4, 2, 6]), pick(a, b, [1, 5, 3, 7]), 1)
            x[i], x[i + 1] = pick(a, b, [0, 4, 2, 6]), pick(a, b, [1, 5, 3, 7])
        for a in range(ROWS):
            value = builder.extract_element(x[a // _VECTOR], ir.Constant(index, a % _VECTOR))
            place = builder.add(target, builder.mul(stride, ir.Constant(word, a)))
            builder.store(value, builder.inttoptr(place, word.as_pointer()))
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, _ADDRESS), codegen


@part_of_kernels
def transpose_one_by_one(words: np.ndarray, first: int, out: np.ndarray) -> None:
    """Word 64 (first + c) + j to bit j of out[a, c]; zeros where the words end. out: (64, columns)."""
    columns = out.shape[1]
    target, stride = _ADDRESS(out.ctypes.data), _ADDRESS(8 * columns)
    whole = max(0, min(columns, words.size // 64 - first))
    source = _ADDRESS(words.ctypes.data) + _ADDRESS(512 * first)
    for c in range(whole):
        _transpose_to(source + _ADDRESS(512 * c), target + _ADDRESS(8 * c), stride)
    rest = np.empty(64, np.uint64)
    for c in range(whole, columns):
        rest[:] = np.uint64(0)
        start = 64 * (first + c)
        for j in range(min(64, words.size - start)):
            rest[j] = words[start + j]
        _transpose_to(_ADDRESS(rest.ctypes.data), target + _ADDRESS(8 * c), stride)


class _Bytes:
    """Eight vectors of 64 bytes. Places: the names of the bits of a byte's place in its vector, from the lowest one."""

    def __init__(self, builder: Any, vectors: list[Any], places: str) -> None:
        self._builder, self._places, self.vectors = builder, places.split(), vectors

    def exchange(self, bit: int, name: str, for_name: str, places: str, reverse: int = 0) -> None:
        """The bit of a vector's number, `name`, becomes one of the places, in their new order, and `for_name` one of
        the number. reverse: is added to the new places."""
        to, distance = places.split(), 1 << bit
        for i in range(TOGETHER):
            if i & distance:
                continue
            masks: list[list[int]] = []
            for value in range(2):
                named = [{for_name: value} | {n: (p ^ reverse) >> k & 1 for k, n in enumerate(to)} for p in range(64)]
                masks.append([64 * e[name] + sum(e[n] << k for k, n in enumerate(self._places)) for e in named])
            pair = self.vectors[i], self.vectors[i + distance]
            self.vectors[i], self.vectors[i + distance] = (self._shuffled(*pair, mask) for mask in masks)
        self._places = to

    def _shuffled(self, a: Any, b: Any, mask: list[int]) -> Any:
        return self._builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), 64), mask))

    def transpose_bits(self, places: str) -> None:
        """8 x 8 of each word. The instruction numbers a matrix's rows, bytes, from the last one."""
        self._places = places.split()
        kind = ir.FunctionType(_BYTES, [_BYTES, _BYTES, ir.IntType(8)])
        multiply = cgutils.get_or_insert_function(self._builder.module, kind, "llvm.x86.vgf2p8affineqb.512")
        one = ir.Constant(_BYTES, [1 << i % 8 for i in range(64)])
        zero = ir.Constant(ir.IntType(8), 0)
        self.vectors = [self._builder.call(multiply, [one, matrices, zero]) for matrices in self.vectors]


@in_llvm
def _transpose_eight_to(typing_context: Any, source: Any, target: Any, stride: Any, ahead: Any) -> Any:
    """The same of eight blocks, word a of each to the eight words at target + a * stride. ahead: how far behind the
    source the next call's source will be, whose lines are fetched meanwhile.

    Word 8 r + j of block c has bit 8 b + i at bit i of byte b. Vectors are first those r of a block c, then those b;
    and next, of all blocks with b, first c and then i.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        source, target, stride, ahead = arguments
        lines = cgutils.alloca_once(builder, _BYTES, size=ROWS)
        lines.align = 64
        between = builder.ptrtoint(lines, word)

        def number(constant: int) -> Any:
            return ir.Constant(word, constant)

        def at(start: Any, distance: Any) -> list[Any]:
            """Vectors so many bytes apart."""
            places = [builder.add(start, builder.mul(distance, number(i))) for i in range(TOGETHER)]
            return [builder.inttoptr(each, _BYTES.as_pointer()) for each in places]

        def load(address: Any, index: Any) -> list[Any]:
            start = builder.add(address, builder.mul(index, number(512)))
            found = [builder.load(each) for each in at(start, number(64))]
            for each in found:
                each.align = 8
            return found

        def store(x: _Bytes, start: Any, distance: Any) -> None:
            for vector, to in zip(x.vectors, at(start, distance), strict=True):
                builder.store(vector, to).align = 8

        with cgutils.for_range(builder, number(TOGETHER)) as blocks:
            next_block = builder.add(builder.add(source, ahead), builder.mul(blocks.index, number(512)))
            for i in range(TOGETHER):
                fetch_line(builder, builder.add(next_block, number(64 * i)))
            x = _Bytes(builder, load(source, blocks.index), "b0 b1 b2 j0 j1 j2")
            x.exchange(0, "r0", "b0", "j0 j1 j2 r0 b1 b2", reverse=7)
            x.transpose_bits("i0 i1 i2 r0 b1 b2")
            x.exchange(1, "r1", "b1", "i0 i1 i2 r0 r1 b2")
            x.exchange(2, "r2", "b2", "i0 i1 i2 r0 r1 r2")
            store(x, builder.add(between, builder.mul(blocks.index, number(64))), number(512))
        with cgutils.for_range(builder, number(TOGETHER)) as loop:
            x = _Bytes(builder, load(between, loop.index), "i0 i1 i2 r0 r1 r2")
            x.exchange(0, "c0", "i0", "r0 r1 r2 c0 i1 i2")
            x.exchange(1, "c1", "i1", "r0 r1 r2 c0 c1 i2")
            x.exchange(2, "c2", "i2", "r0 r1 r2 c0 c1 c2")
            store(x, builder.add(target, builder.mul(stride, builder.mul(loop.index, number(8)))), stride)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 4), codegen


@part_of_kernels
def transpose_together(words: np.ndarray, first: int, out: np.ndarray) -> None:
    """The same where there is the instruction."""
    columns = out.shape[1]
    target, stride = _ADDRESS(out.ctypes.data), _ADDRESS(8 * columns)
    whole = max(0, min(columns, words.size // 64 - first)) // TOGETHER * TOGETHER
    source = _ADDRESS(words.ctypes.data) + _ADDRESS(512 * first)
    for c in range(0, whole, TOGETHER):
        _transpose_eight_to(source + _ADDRESS(512 * c), target + _ADDRESS(8 * c), stride, _ADDRESS(512 * columns))
    if whole < columns:
        rest, found = np.empty(64 * TOGETHER, np.uint64), np.empty((ROWS, TOGETHER), np.uint64)
        for c in range(whole, columns, TOGETHER):
            start, count = 64 * (first + c), min(TOGETHER, columns - c)
            size = max(0, min(64 * count, words.size - start))
            rest[:size] = words[start : start + size]
            rest[size:] = np.uint64(0)
            _transpose_eight_to(
                _ADDRESS(rest.ctypes.data), _ADDRESS(found.ctypes.data), _ADDRESS(8 * TOGETHER), _ADDRESS(0)
            )
            out[:, c : c + count] = found[:, :count]


transpose_blocks = transpose_together if has_instruction() else transpose_one_by_one
