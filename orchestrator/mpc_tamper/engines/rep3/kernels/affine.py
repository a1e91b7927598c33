"""A linear map of 64 bits, applied to many words by the instruction GF2P8AFFINEQB, which multiplies bytes by bits.

Of eight words, the bytes of equal place are brought together in a word each, which is multiplied by the matrices of one
output byte each; the products are brought to that byte's place, and added. Callers have tables of sums where the
processor lacks the instruction.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.features import may_use
from mpc_tamper.engines.rep3.kernels.wide_clmul import add_all

LANES = 8
_WORD, _BYTE, _INDEX = ir.IntType(64), ir.IntType(8), ir.IntType(32)
_WORDS, _BYTES = ir.VectorType(_WORD, LANES), ir.VectorType(_BYTE, 8 * LANES)


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use GF2P8AFFINEQB on 512 bits."""
    return may_use("gfni", "avx512f", "avx512bw", "avx512vbmi")


def _shuffled(builder: Any, vector: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(vector, vector, ir.Constant(ir.VectorType(_INDEX, len(places)), places))


@in_llvm
def map_words(typing_context: Any, matrices: Any, words: Any, out: Any, vectors: Any) -> Any:
    """`vectors` times LANES words, mapped. Addresses.

    matrices: 64 words, the j-th of the d-th eight that of input byte j and output byte (j + d) mod 8; of output bit i
    of a byte, bits 8 (7 - i) .. say which input bits are added.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, source, target = (builder.inttoptr(each, _WORDS.as_pointer()) for each in arguments[:3])
        kind = ir.FunctionType(_BYTES, [_BYTES, _BYTES, _BYTE])
        multiply = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.vgf2p8affineqb.512")
        turned = [8 * (i % 8) + i // 8 for i in range(8 * LANES)]

        def load(pointer: Any, index: Any) -> Any:
            found = builder.load(builder.gep(pointer, [index]))
            found.align = 8
            return builder.bitcast(found, _BYTES)

        def moved(vector: Any, distance: int) -> Any:
            """Words so many places on."""
            words = builder.bitcast(vector, _WORDS)
            return builder.bitcast(_shuffled(builder, words, [(i - distance) % 8 for i in range(LANES)]), _BYTES)

        # A product moves by a multiple of 4 after it is made, with its equals, and by the rest before, with the bytes.
        by_distance = [moved(load(base, ir.Constant(_WORD, d)), d % 4) for d in range(8)]
        with cgutils.for_range(builder, arguments[3]) as loop:
            bytes_of_place = _shuffled(builder, load(source, loop.index), turned)
            before = [moved(bytes_of_place, d) for d in range(4)]
            near, far = (
                add_all(
                    builder,
                    [
                        builder.call(multiply, [each, by_distance[d + first], ir.Constant(_BYTE, 0)])
                        for d, each in enumerate(before)
                    ],
                )
                for first in (0, 4)
            )
            total = builder.xor(near, moved(far, 4))
            mapped = builder.bitcast(_shuffled(builder, total, turned), _WORDS)
            builder.store(mapped, builder.gep(target, [loop.index])).align = 8
        return context.get_dummy_value()

    return types.void(*[types.uintp] * 4), codegen
