"""The members of 64 gates, whose bit k says whether a gate is in subset k, transposed: a word for each subset.

GF2P8AFFINEQB transposes 8 x 8 bits: bytes are brought together for it, and its results to where they belong.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.affine import LANES

ROWS = 64
_SIDE = 8
_USED = SUBSETS // _SIDE  # bytes of a member
_WORD, _BYTE, _INDEX = ir.IntType(64), ir.IntType(8), ir.IntType(32)
_WORDS, _BYTES = ir.VectorType(_WORD, LANES), ir.VectorType(_BYTE, ROWS)


@in_llvm
def transpose(typing_context: Any, source: Any, target: Any) -> Any:
    """Bit k of the 64 words at source, to word k of the 48 at target. Addresses."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, to = (builder.inttoptr(each, _BYTES.as_pointer()) for each in arguments)
        kind = ir.FunctionType(_BYTES, [_BYTES, _BYTES, _BYTE])
        multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.vgf2p8affineqb.512")
        one = ir.Constant(_BYTES, [1 << i % _SIDE for i in range(ROWS)])
        place_of_byte = [_SIDE * (i % _SIDE) + i // _SIDE for i in range(ROWS)]

        def shuffled(a: Any, b: Any, places: list[int]) -> Any:
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, len(places)), places))

        x = []
        for r in range(_SIDE):
            words = builder.load(builder.gep(base, [ir.Constant(_WORD, r)]))
            words.align = _SIDE
            # Byte b of the eight words to word b; the instruction numbers the rows of a matrix from its last byte.
            turned = shuffled(words, words, [place_of_byte[i ^ _SIDE - 1] for i in range(ROWS)])
            x.append(builder.bitcast(builder.call(multiply, [one, turned, ir.Constant(_BYTE, 0)]), _WORDS))
        for distance in (4, 2, 1):  # word b of vector r becomes word r of vector b
            for r in range(_SIDE):
                if not r & distance:
                    a, b = x[r], x[r + distance]
                    low = [i if not i & distance else LANES + i - distance for i in range(LANES)]
                    high = [i + distance if not i & distance else LANES + i for i in range(LANES)]
                    x[r], x[r + distance] = shuffled(a, b, low), shuffled(a, b, high)
        for b in range(_USED):
            found = builder.bitcast(x[b], _BYTES)
            place = builder.gep(to, [ir.Constant(_WORD, b)])
            builder.store(shuffled(found, found, place_of_byte), place).align = _SIDE
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp), codegen
