"""Sums of carry-less products by the wide instruction, on 512 bits where the processor can, else on 256: what provers
spend their time on.

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

_ADDRESS = types.uintp
_WORD, _INDEX = ir.IntType(64), ir.IntType(32)


def has_wide_instruction() -> bool:
    """Whether the code that Numba makes here may use VPCLMULQDQ on 256 bits."""
    return may_use("vpclmulqdq", "avx2")


WIDE = 8 if may_use("vpclmulqdq", "avx512f") else 4  # words to a vector
_VECTOR = ir.VectorType(_WORD, WIDE)
_PAIR = types.UniTuple(types.uint64, 2)

Load = Callable[[Any], Any]  # the vector at this address, at the loop's place


def _multiply(builder: Any) -> Callable[[Any, Any], list[Any]]:
    """(low, high) of the products at even places, and of those at odd ones."""
    signature = ir.FunctionType(_VECTOR, [_VECTOR, _VECTOR, ir.IntType(8)])
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.x86.pclmulqdq.{64 * WIDE}")
    return lambda a, b: [builder.call(function, [a, b, ir.Constant(ir.IntType(8), half)]) for half in (0x00, 0x11)]


def sums_of_products(
    builder: Any, count: int, vectors: Any, terms: Callable[[Load], list[tuple[Any, Any]]]
) -> list[Any]:
    """(low, high) of `count` sums, over `vectors` steps, of carry-less products of the pairs that `terms` gives."""
    multiply = _multiply(builder)
    totals = [cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0] * WIDE)) for _ in range(count)]
    with cgutils.for_range(builder, vectors) as loop:

        def load(address: Any) -> Any:
            base = builder.inttoptr(address, _VECTOR.as_pointer())
            loaded = builder.load(builder.gep(base, [loop.index]))
            loaded.align = 8
            return loaded

        for total, (a, b) in zip(totals, terms(load), strict=True):
            builder.store(add_all(builder, [builder.load(total), *multiply(a, b)]), total)
    return [_added_up(builder, builder.load(total)) for total in totals]


def _added_up(builder: Any, products: Any) -> Any:
    """The sum of the (low, high) of a vector."""
    size = WIDE
    while size > 2:
        size //= 2
        halves = (list(range(first, first + size)) for first in (0, size))
        parts = [
            builder.shuffle_vector(products, products, ir.Constant(ir.VectorType(_INDEX, size), places))
            for places in halves
        ]
        products = add_all(builder, parts)
    return products


def add_all(builder: Any, parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = builder.xor(total, part)
    return total


@in_llvm
def product_of_sums(typing_context: Any, u: Any, v: Any, other_u: Any, other_v: Any, vectors: Any) -> Any:
    """(low, high) of sum_c (u_a + u_b)_c (v_a + v_b)_c, elements at four addresses."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *addresses, vectors = arguments

        def terms(load: Load) -> list[tuple[Any, Any]]:
            u_a, v_a, u_b, v_b = (load(address) for address in addresses)
            return [(builder.xor(u_a, u_b), builder.xor(v_a, v_b))]

        total = sums_of_products(builder, 1, vectors, terms)[0]
        words = [builder.extract_element(total, ir.Constant(_INDEX, i)) for i in range(2)]
        return context.make_tuple(builder, signature.return_type, words)

    return _PAIR(*[_ADDRESS] * 5), codegen


def _shifted(builder: Any, x: Any, bits: int) -> Any:
    return builder.shl(x, ir.Constant(_VECTOR, [bits] * WIDE))


def _times_rest(builder: Any, x: Any) -> Any:
    """What X^64 x is, but for what goes beyond the word: X^4 + X^3 + X + 1 = (X + 1) (X^3 + 1), so two shifts do."""
    x = builder.xor(x, _shifted(builder, x, 1))
    return builder.xor(x, _shifted(builder, x, 3))


def _times_power(builder: Any, x: Any, power: int) -> Any:
    """X^power x, elementwise; power at most 8."""
    top = builder.lshr(x, ir.Constant(_VECTOR, [64 - power] * WIDE))
    return builder.xor(_shifted(builder, x, power), _times_rest(builder, top))


def _reduced(builder: Any, even: Any, odd: Any) -> Any:
    """Elements from products (low, high) of those at even and at odd places."""

    def places(indices: list[int]) -> Any:
        return builder.shuffle_vector(even, odd, ir.Constant(ir.VectorType(_INDEX, WIDE), indices))

    low, high = ([i // 2 * 2 + (i % 2) * WIDE + half for i in range(WIDE)] for half in range(2))
    low, high = places(low), places(high)
    high = add_all(builder, [high, *(builder.lshr(high, ir.Constant(_VECTOR, [i] * WIDE)) for i in (63, 61, 60))])
    return builder.xor(low, _times_rest(builder, high))


class _Elements:
    """Vectors at an address, and products of vectors."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self.products = _multiply(builder)

    def at(self, address: Any, index: Any) -> Any:
        return self._builder.gep(self._builder.inttoptr(address, _VECTOR.as_pointer()), [index])

    def load(self, address: Any, index: Any) -> Any:
        loaded = self._builder.load(self.at(address, index))
        loaded.align = 8
        return loaded

    def store(self, vector: Any, address: Any, index: Any) -> None:
        self._builder.store(vector, self.at(address, index)).align = 8


def _first_powers(builder: Any, word: Any) -> Any:
    """X^j w at place j."""
    w, places = _splat(builder, word), list(range(WIDE))
    one, rest = ([1] * WIDE, [63 - j for j in places])  # 64 - j in two shifts: none of LLVM's may be by 64
    top = builder.lshr(builder.lshr(w, ir.Constant(_VECTOR, one)), ir.Constant(_VECTOR, rest))
    return builder.xor(builder.shl(w, ir.Constant(_VECTOR, places)), _times_rest(builder, top))


@in_llvm
def weigh_powers(typing_context: Any, weights: Any, blocks: Any, size: Any, x: Any) -> Any:
    """X^j w_c x_(size c + j) in place of x_(size c + j), j below size, of so many blocks c. size: n WIDE."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weights, blocks, size, x = arguments
        elements = _Elements(builder)
        weight = cgutils.alloca_once(builder, _VECTOR)
        words = builder.inttoptr(weights, _WORD.as_pointer())
        vectors = builder.udiv(size, ir.Constant(_WORD, WIDE))
        with cgutils.for_range(builder, blocks) as each:
            builder.store(_first_powers(builder, builder.load(builder.gep(words, [each.index]))), weight)
            first = builder.mul(each.index, vectors)
            with cgutils.for_range(builder, vectors) as loop:
                now, place = builder.load(weight), builder.add(first, loop.index)
                elements.store(_reduced(builder, *elements.products(elements.load(x, place), now)), x, place)
                builder.store(_times_power(builder, now, WIDE), weight)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 4), codegen


def _splat(builder: Any, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), word, ir.Constant(_INDEX, 0))
    places = ir.Constant(ir.VectorType(_INDEX, WIDE), [0] * WIDE)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), places)


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
                row = elements.load(builder.add(rows, builder.mul(stride, loop.index)), across.index)
                for each, product in zip(sums, elements.products(row, _splat(builder, factor)), strict=True):
                    builder.store(builder.xor(builder.load(each), product), each)
            elements.store(_reduced(builder, *(builder.load(each) for each in sums)), out, across.index)
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 6), codegen
