"""Weighted sums of products of rows of bits, 64 bits to a word, by the wide carry-less multiplication: of all pairs of
rows, and of each row with itself.

Callers give addresses and distances in bytes, as in wide_clmul.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.rep3.kernels.wide_clmul import WIDE, Load, add_all, sums_of_products

# Pairs of rows that are multiplied together: rows a and rows b, as many as there are registers for.
TILE_A, TILE_B = (4, 2) if WIDE == 8 else (2, 1)
RECTANGLE = [(i, j) for i in range(TILE_A) for j in range(TILE_B)]
TRIANGLE = [(i, j) for i in range(TILE_A) for j in range(i, TILE_A)]  # of rows that are both
_ADDRESS = types.uintp
_WORD = ir.IntType(64)
_HALF = ir.VectorType(_WORD, 2)


def _columns(builder: Any, load: Load, rows: Any, number: int, stride: Any, matrix: Any, products: int) -> list[Any]:
    """Of one row: u and v of each product."""
    start = builder.add(rows, builder.mul(stride, ir.Constant(_WORD, number)))
    return [load(builder.add(start, builder.mul(matrix, ir.Constant(_WORD, i)))) for i in range(2 * products)]


def _pairs_of_lanes(products: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, others, weights, stride, matrix, vectors, to, to_stride = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            def columns(start: Any, number: int) -> list[Any]:
                return _columns(builder, load, start, number, stride, matrix, products)

            fixed, weight = [columns(others, j) for j in range(TILE_B)], load(weights)
            pairs = []
            for i in range(TILE_A):
                own = columns(rows, i)
                for other in fixed:
                    # u_a v_b and v_a u_b of each product: columns 2 p and 2 p + 1 cross over.
                    crossed = [builder.and_(own[c], other[c ^ 1]) for c in range(2 * products)]
                    pairs.append((add_all(builder, crossed), weight))
            return pairs

        add_sums(builder, RECTANGLE, vectors, terms, to, to_stride)
        return context.get_dummy_value()

    return codegen


def add_sums(
    builder: Any,
    places: list[tuple[int, int]],
    vectors: Any,
    terms: Callable[[Load], list[tuple[Any, Any]]],
    to: Any,
    to_stride: Any,
) -> None:
    """Adds the sum of the products of each term to the (low, high) at its place, a line and a column from `to`."""
    for (i, j), total in zip(places, sums_of_products(builder, len(places), vectors, terms), strict=True):
        line = builder.inttoptr(builder.add(to, builder.mul(to_stride, ir.Constant(_WORD, i))), _HALF.as_pointer())
        at = builder.gep(line, [ir.Constant(_WORD, j)])
        before = builder.load(at)
        before.align = 8
        builder.store(builder.xor(before, total), at).align = 8


@in_llvm
def pairs_of_one_product(
    typing_context: Any,
    rows: Any,
    others: Any,
    weights: Any,
    stride: Any,
    matrix: Any,
    vectors: Any,
    to: Any,
    to_stride: Any,
) -> Any:
    """Adds sum_c w_c (u_a v_b + v_a u_b)_c, for TILE_A rows a and TILE_B rows b, to the (low, high) at `to`.

    Words. u_a stands at `rows`, u_b at `others`, v `matrix` bytes behind u; rows are `stride` bytes apart. Sums of one
    a stand side by side, those of the next one to_stride bytes behind.
    """
    return types.void(*[_ADDRESS] * 8), _pairs_of_lanes(1)


@in_llvm
def pairs_of_two_products(
    typing_context: Any,
    rows: Any,
    others: Any,
    weights: Any,
    stride: Any,
    matrix: Any,
    vectors: Any,
    to: Any,
    to_stride: Any,
) -> Any:
    """The same, of u_1, v_1, u_2, v_2: the products of two ANDs share a weight, and are added before it."""
    return types.void(*[_ADDRESS] * 8), _pairs_of_lanes(2)


def _triangle_of_lanes(products: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, weights, stride, matrix, vectors, to, to_stride = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            own, weight = (
                [_columns(builder, load, rows, i, stride, matrix, products) for i in range(TILE_A)],
                load(weights),
            )
            pairs = []
            for i, j in TRIANGLE:
                # Of a row with itself, both halves would be the same.
                halves = range(0, 2 * products, 1 if i < j else 2)
                pairs.append((add_all(builder, [builder.and_(own[i][c], own[j][c ^ 1]) for c in halves]), weight))
            return pairs

        add_sums(builder, TRIANGLE, vectors, terms, to, to_stride)
        return context.get_dummy_value()

    return codegen


@in_llvm
def triangle_of_one_product(
    typing_context: Any, rows: Any, weights: Any, stride: Any, matrix: Any, vectors: Any, to: Any, to_stride: Any
) -> Any:
    """The same for the pairs a < b of TILE_A rows, and sum_c w_c (u_a v_a)_c for each row a."""
    return types.void(*[_ADDRESS] * 7), _triangle_of_lanes(1)


@in_llvm
def triangle_of_two_products(
    typing_context: Any, rows: Any, weights: Any, stride: Any, matrix: Any, vectors: Any, to: Any, to_stride: Any
) -> Any:
    """The same of u_1, v_1, u_2, v_2, added before the weight."""
    return types.void(*[_ADDRESS] * 7), _triangle_of_lanes(2)
