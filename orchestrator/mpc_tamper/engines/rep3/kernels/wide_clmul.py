"""Sums of carry-less products by the 256-bit instruction, two products at a time: what provers spend their time on.

Numba has no vectors, so each whole loop is written in LLVM's language. Callers give addresses and distances in bytes,
and have a loop over `clmul` where the processor lacks the instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm
from mpc_tamper.engines.kernels.features import may_use

WIDE = 4  # words to a vector
_ADDRESS = types.uintp
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_WORD, WIDE)
_PAIR = types.UniTuple(types.uint64, 2)
_TWO_PAIRS = types.UniTuple(types.uint64, 4)

Load = Callable[[Any], Any]  # the vector at this address, at the loop's place


def has_wide_instruction() -> bool:
    """Whether the code that Numba makes here may use VPCLMULQDQ on 256 bits."""
    return may_use("vpclmulqdq", "avx2")


def _sums(builder: Any, count: int, vectors: Any, terms: Callable[[Load], list[tuple[Any, Any]]]) -> list[Any]:
    """(low, high) of `count` sums, over `vectors` steps, of carry-less products of the pairs that `terms` gives."""
    signature = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, ir.IntType(8)])
    multiply = cgutils.get_or_insert_function(builder.module, signature, "llvm.x86.pclmulqdq.256")
    totals = [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0] * WIDE)) for _ in range(count)]
    with cgutils.for_range(builder, vectors) as loop:

        def load(address: Any) -> Any:
            base = builder.inttoptr(address, _VECTOR.as_pointer())
            loaded = builder.load(builder.gep(base, [loop.index]))
            loaded.align = 8
            return loaded

        for total, (a, b) in zip(totals, terms(load), strict=True):
            halves = [builder.call(multiply, [a, b, ir.Constant(ir.IntType(8), half)]) for half in (0x00, 0x11)]
            builder.store(builder.xor(builder.load(total), builder.xor(*halves)), total)
    sums = []
    for total in totals:
        words = [builder.extract_element(builder.load(total), ir.Constant(_INDEX, i)) for i in range(WIDE)]
        sums += [builder.xor(words[0], words[2]), builder.xor(words[1], words[3])]
    return sums


def _xor(builder: Any, parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = builder.xor(total, part)
    return total


def _pairs_of_lanes(products: int) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, other, weights, stride, matrix, vectors = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            def columns(start: Any) -> list[Any]:
                return [
                    load(builder.add(start, builder.mul(matrix, ir.Constant(_WORD, i)))) for i in range(2 * products)
                ]

            fixed, weight = columns(other), load(weights)
            pairs = []
            for start in (row, builder.add(row, stride)):
                own = columns(start)
                # u_a v_b and v_a u_b of each product: columns 2 p and 2 p + 1 cross over.
                crossed = [builder.and_(own[i], fixed[i ^ 1]) for i in range(2 * products)]
                pairs.append((_xor(builder, crossed), weight))
            return pairs

        return context.make_tuple(builder, signature.return_type, _sums(builder, 2, vectors, terms))

    return codegen


@in_llvm
def pairs_of_one_product(
    typing_context: Any, row: Any, other: Any, weights: Any, stride: Any, matrix: Any, vectors: Any
) -> Any:
    """(low, high) of sum_c w_c (u_a v_b + v_a u_b)_c for row a at `row`, b at `other`, and for row a + 1 with b.

    Words. u stands at these addresses, v `matrix` bytes behind it; rows are `stride` bytes apart.
    """
    return _TWO_PAIRS(*[_ADDRESS] * 6), _pairs_of_lanes(1)


@in_llvm
def pairs_of_two_products(
    typing_context: Any, row: Any, other: Any, weights: Any, stride: Any, matrix: Any, vectors: Any
) -> Any:
    """The same, of u_1, v_1, u_2, v_2: the products of two ANDs share a weight, and are added before it."""
    return _TWO_PAIRS(*[_ADDRESS] * 6), _pairs_of_lanes(2)


@in_llvm
def product_of_sums(typing_context: Any, u: Any, v: Any, other_u: Any, other_v: Any, vectors: Any) -> Any:
    """(low, high) of sum_c (u_a + u_b)_c (v_a + v_b)_c, elements at four addresses."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *addresses, vectors = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            u_a, v_a, u_b, v_b = (load(address) for address in addresses)
            return [(builder.xor(u_a, u_b), builder.xor(v_a, v_b))]

        return context.make_tuple(builder, signature.return_type, _sums(builder, 1, vectors, terms))

    return _PAIR(*[_ADDRESS] * 5), codegen


def _times_power(builder: Any, x: Any, power: int) -> Any:
    """X^power x, elementwise; power below 8."""
    top = builder.lshr(x, ir.Constant(_VECTOR, [64 - power] * WIDE))
    shifted = [builder.shl(x, ir.Constant(_VECTOR, [power] * WIDE)), top]
    return _xor(builder, shifted + [builder.shl(top, ir.Constant(_VECTOR, [i] * WIDE)) for i in (1, 3, 4)])


def _reduced(builder: Any, even: Any, odd: Any) -> Any:
    """Elements from products (low, high) of those at even and at odd places."""

    def places(indices: list[int]) -> Any:
        return builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(_INDEX, WIDE), indices))

    low, high = places([0, 4, 2, 6]), places([1, 5, 3, 7])
    high = _xor(builder, [high, *(builder.lshr(high, ir.Constant(_VECTOR, [i] * WIDE)) for i in (63, 61, 60))])
    return _xor(builder, [low, high, *(builder.shl(high, ir.Constant(_VECTOR, [i] * WIDE)) for i in (1, 3, 4))])


class _Elements:
    """Vectors at an address, and products of vectors."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        signature = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, ir.IntType(8)])
        self._multiply = cgutils.get_or_insert_function(builder.module, signature, "llvm.x86.pclmulqdq.256")

    def at(self, address: Any, index: Any) -> Any:
        return self._builder.gep(self._builder.inttoptr(address, _VECTOR.as_pointer()), [index])

    def load(self, address: Any, index: Any) -> Any:
        loaded = self._builder.load(self.at(address, index))
        loaded.align = 8
        return loaded

    def store(self, vector: Any, address: Any, index: Any) -> None:
        self._builder.store(vector, self.at(address, index)).align = 8

    def products(self, a: Any, b: Any) -> list[Any]:
        """(low, high) of those at even places, and of those at odd ones."""
        halves = (0x00, 0x11)
        return [self._builder.call(self._multiply, [a, b, ir.Constant(ir.IntType(8), half)]) for half in halves]


@in_llvm
def weigh_powers(typing_context: Any, weights: Any, x: Any, vectors: Any) -> Any:
    """X^(4 i) w_j x_(4 i + j) in place of x_(4 i + j). weights: the address of w_0 .. w_3."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, x, vectors = arguments
        elements = _Elements(builder)
        weight = cgutils.alloca_once_value(builder, elements.load(weights, ir.Constant(_WORD, 0)))
        with cgutils.for_range(builder, vectors) as loop:
            now = builder.load(weight)
            product = elements.products(elements.load(x, loop.index), now)
            elements.store(_reduced(builder, *product), x, loop.index)
            builder.store(_times_power(builder, now, WIDE), weight)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 3), codegen


@in_llvm
def combination(
    typing_context: Any, coefficients: Any, rows: Any, stride: Any, count: Any, vectors: Any, out: Any
) -> Any:
    """sum_a coefficient_a u_a, `vectors` times WIDE elements, to out. Row u_a begins at rows + a stride."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        coefficients, rows, stride, count, vectors, out = arguments
        elements = _Elements(builder)
        factors = builder.inttoptr(coefficients, _WORD.as_pointer())
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(2)]
        with cgutils.for_range(builder, vectors) as across:
            for each in sums:
                builder.store(ir.Constant(_VECTOR, [0] * WIDE), each)
            with cgutils.for_range(builder, count) as loop:
                factor = builder.load(builder.gep(factors, [loop.index]))
                first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), factor, ir.Constant(_INDEX, 0))
                places = ir.Constant(ir.VectorType(_INDEX, WIDE), [0] * WIDE)
                splat = builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)
                row = elements.load(builder.add(rows, builder.mul(stride, loop.index)), across.index)
                for each, product in zip(sums, elements.products(row, splat), strict=True):
                    builder.store(builder.xor(builder.load(each), product), each)
            elements.store(_reduced(builder, *(builder.load(each) for each in sums)), out, across.index)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 6), codegen
