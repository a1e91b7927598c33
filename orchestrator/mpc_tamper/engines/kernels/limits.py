"""What this processor can do at most, measured: multiplications and additions of words, and reading memory.

The products of kernels/matmul.py are held against it. The multiplications stay in registers: the same instructions as
in a tile, on numbers that never leave them, in so many independent sums that none waits for another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.words import INDEX, LANES, SUMS, VECTOR, Sum, splat

AT_ONCE = SUMS * LANES


@in_llvm
def _sums_of_products(typing_context: Any, steps: Any, factor: Any) -> Any:
    """To SUMS sums of vectors, each time the product of a number of their own and of the step's, which are vectors in
    registers; something that depends on all of them."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        steps, factor = arguments
        sums = [Sum(builder) for _ in range(SUMS)]
        first = splat(builder, factor)
        factors = [builder.add(first, ir.Constant(VECTOR, [i] * LANES)) for i in range(SUMS)]
        number = cgutils.alloca_once_value(builder, first)
        with cgutils.for_range(builder, steps):
            step = builder.load(number)
            for own, each in zip(factors, sums, strict=True):
                each.add(own, step)
            builder.store(builder.add(step, first), number)
        total = sums[0].vector()
        for each in sums[1:]:
            total = builder.xor(total, each.vector())
        result = builder.extract_element(total, ir.Constant(INDEX, 0))
        for i in range(1, LANES):
            result = builder.add(result, builder.extract_element(total, ir.Constant(INDEX, i)))
        return result

    return types.uint64(types.int64, types.uint64), codegen


@part_of_kernels
def _multiply_and_add_some(who: int, first: int, last: int, factor: int, totals: np.ndarray) -> None:
    totals[who] += _sums_of_products(last - first, factor)


@kernel(types.uint64(NOTE, types.int64, types.uint64))
def multiply_and_add(note: int, steps: int, factor: int) -> np.uint64:
    """steps * AT_ONCE multiplications and additions. Returns what depends on all of them."""
    totals = np.zeros(threads_of(note), np.uint64)
    in_parts(_multiply_and_add_some, note, steps, 1, (np.uint64(factor), totals))
    total = np.uint64(0)
    for found in totals:
        total += found
    return total


@part_of_kernels
def _read_some(who: int, first: int, last: int, x: np.ndarray, totals: np.ndarray) -> None:
    total = np.uint64(0)
    for word in x[first:last]:
        total += word
    totals[who] += total


@kernel(types.uint64(NOTE, types.Array(types.uint64, 1, "C", readonly=True)))
def read(note: int, x: np.ndarray) -> np.uint64:
    """The sum of all words: from one end of the memory to the other."""
    totals = np.zeros(threads_of(note), np.uint64)
    in_parts(_read_some, note, x.size, AT_ONCE, (x, totals))
    total = np.uint64(0)
    for found in totals:
        total += found
    return total
