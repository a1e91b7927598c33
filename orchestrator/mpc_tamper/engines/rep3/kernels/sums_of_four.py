"""The sums of all subsets of four numbers, in two vectors, in which VPERMI2Q finds eight of them at once."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

LANES = 8
_WORD, _INDEX, _BIT = ir.IntType(64), ir.IntType(32), ir.IntType(1)
_VECTOR = ir.VectorType(_WORD, LANES)


def splat(builder: Any, word: Any) -> Any:
    """The word in all lanes."""
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_INDEX, 0))
    places = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)


def sums_of_four(builder: Any, numbers: list[Any]) -> tuple[Any, Any]:
    """The sums of the numbers whose bits are in 0 .. 7 and in 8 .. 15."""
    total = ir.Constant(_VECTOR, [0] * LANES)
    for bit, number in enumerate(numbers[:-1]):
        where = ir.Constant(ir.VectorType(_BIT, LANES), [lane >> bit & 1 for lane in range(LANES)])
        total = builder.select(where, builder.add(total, splat(builder, number)), total)
    return total, builder.add(total, splat(builder, numbers[-1]))
