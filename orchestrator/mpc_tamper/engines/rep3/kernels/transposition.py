"""64 x 64 bits, transposed: bit a of 64 words becomes word a."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from mpc_tamper.engines.kernels.compilation import in_llvm, part_of_kernels

ROWS = 64
_ADDRESS = types.uintp
_OUT2 = types.uint64[:, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_VECTOR = 4  # words to a vector of the transposition
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
def transpose_blocks(words: np.ndarray, first: int, out: np.ndarray) -> None:
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
