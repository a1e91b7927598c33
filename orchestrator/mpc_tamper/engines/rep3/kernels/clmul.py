"""Carry-less multiplication of 64-bit words, and arithmetic in GF(2^64) = GF(2)[X] / (X^64 + X^4 + X^3 + X + 1).

Bit i of a word is the coefficient of X^i. The processor's instruction where there is one, integer multiplication with
gaps between the bits where there is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from mpc_tamper.engines.kernels.compilation import kernel_unless, part_of_kernels
from mpc_tamper.engines.kernels.features import may_use

_U64 = types.uint64
_PAIR = types.UniTuple(types.uint64, 2)


@intrinsic
def _instruction(typing_context: Any, a: Any, b: Any) -> Any:
    """PCLMULQDQ: (low, high) words of the product."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, index = ir.IntType(64), ir.IntType(32)
        vector = ir.VectorType(word, 2)
        function_type = ir.FunctionType(vector, [vector, vector, ir.IntType(8)])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.x86.pclmulqdq")
        zero = ir.Constant(vector, [0, 0])
        left, right = (builder.insert_element(zero, word, ir.Constant(index, 0)) for word in arguments)
        product = builder.call(function, [left, right, ir.Constant(ir.IntType(8), 0)])
        halves = [builder.extract_element(product, ir.Constant(index, i)) for i in range(2)]
        return context.make_tuple(builder, signature.return_type, halves)

    return _PAIR(_U64, _U64), codegen


def has_instruction() -> bool:
    """Whether the code that Numba makes here may use PCLMULQDQ."""
    return may_use("pclmul")


@part_of_kernels
def _low(x: np.uint64, y: np.uint64) -> np.uint64:
    """The low word of the product: bits four apart, so that the carries of a product die in the gaps."""
    every_fourth = np.uint64(0x1111111111111111)
    result = np.uint64(0)
    for shift in range(4):
        part = np.uint64(0)
        for i in range(4):
            j = (shift - i) & 3
            part ^= (x & (every_fourth << np.uint64(i))) * (y & (every_fourth << np.uint64(j)))
        result |= part & (every_fourth << np.uint64(shift))
    return result


@part_of_kernels
def _reverse(x: np.uint64) -> np.uint64:
    """The bits in reverse order."""
    mask, width = np.uint64(0xFFFFFFFF), 32
    while width:
        shift = np.uint64(width)
        x = ((x >> shift) & mask) | ((x & mask) << shift)
        width >>= 1
        mask ^= mask << np.uint64(width)
    return x


@kernel_unless(has_instruction(), _PAIR(_U64, _U64))
def clmul_portable(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """(low, high) words of the product, without the instruction."""
    return _low(a, b), _reverse(_low(_reverse(a), _reverse(b))) >> np.uint64(1)


def _clmul_instruction(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    return _instruction(a, b)  # type: ignore[call-arg]


# Compiled only where the instruction is: elsewhere the compiler would give up with the process.
clmul: Any = njit(_PAIR(_U64, _U64), inline="always")(_clmul_instruction) if has_instruction() else clmul_portable


@part_of_kernels
def reduce(low: np.uint64, high: np.uint64) -> np.uint64:
    """The remainder of low + high X^64 modulo the field's polynomial."""
    high ^= (high >> np.uint64(63)) ^ (high >> np.uint64(61)) ^ (high >> np.uint64(60))
    return low ^ high ^ (high << np.uint64(1)) ^ (high << np.uint64(3)) ^ (high << np.uint64(4))


@part_of_kernels
def multiply(a: np.uint64, b: np.uint64) -> np.uint64:
    """a b in GF(2^64)."""
    low, high = clmul(a, b)
    return reduce(low, high)


@part_of_kernels
def inverse(a: np.uint64) -> np.uint64:
    """1 / a in GF(2^64) as a^(2^64 - 2); 0 for 0."""
    power, result = a, np.uint64(1)
    for _ in range(63):
        power = multiply(power, power)
        result = multiply(result, power)
    return result
