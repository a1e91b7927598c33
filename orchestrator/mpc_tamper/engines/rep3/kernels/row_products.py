"""Sums of products over GF(2^64) of all pairs of rows of elements, by the wide carry-less multiplication.

By Karatsuba: of rows a < b, u_a v_b + v_a u_b is (u_a + u_b) (v_a + v_b), but for u_a v_a and u_b v_b. Callers give
addresses and distances in bytes, as in wide_clmul.py.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.rep3.kernels.lane_products import RECTANGLE, TILE_A, TILE_B, TRIANGLE, add_sums
from mpc_tamper.engines.rep3.kernels.wide_clmul import Load

_ADDRESS = types.uintp
_WORD = ir.IntType(64)


def _pairs(places: list[tuple[int, int]], *, triangle: bool) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, others, stride, behind, vectors, to, to_stride = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            def row(start: Any, number: int) -> tuple[Any, Any]:
                place = builder.add(start, builder.mul(stride, ir.Constant(_WORD, number)))
                return load(place), load(builder.add(place, behind))

            own = [row(rows, i) for i in range(TILE_A)]
            other = own if triangle else [row(others, j) for j in range(TILE_B)]
            return [
                own[i]
                if triangle and i == j
                else (builder.xor(own[i][0], other[j][0]), builder.xor(own[i][1], other[j][1]))
                for i, j in places
            ]

        add_sums(builder, places, vectors, terms, to, to_stride)
        return context.get_dummy_value()

    return codegen


@in_llvm
def rectangle_of_rows(
    typing_context: Any, rows: Any, others: Any, stride: Any, behind: Any, vectors: Any, to: Any, to_stride: Any
) -> Any:
    """Adds sum_c (u_a + u_b)_c (v_a + v_b)_c, for TILE_A rows a and TILE_B rows b, to the (low, high) at `to`.

    u_a stands at `rows`, u_b at `others`, v `behind` bytes behind u; rows are `stride` bytes apart. Sums of one a stand
    side by side, those of the next one to_stride bytes behind.
    """
    return types.void(*[_ADDRESS] * 7), _pairs(RECTANGLE, triangle=False)


@in_llvm
def triangle_of_rows(
    typing_context: Any, rows: Any, others: Any, stride: Any, behind: Any, vectors: Any, to: Any, to_stride: Any
) -> Any:
    """The same for the pairs a < b of TILE_A rows, which are both, and sum_c (u_a v_a)_c for each row a."""
    return types.void(*[_ADDRESS] * 7), _pairs(TRIANGLE, triangle=True)
