"""Integers modulo 2^128 as (low, high) words: the processor's long multiplication and its carries."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from mpc_tamper.engines.kernels.compilation import in_llvm

_U = types.uint64
_PAIR = types.UniTuple(types.uint64, 2)
_WORD, _WIDE = ir.IntType(64), ir.IntType(128)


def _wide(builder: Any, low: Any, high: Any) -> Any:
    upper = builder.shl(builder.zext(high, _WIDE), ir.Constant(_WIDE, 64))
    return builder.or_(builder.zext(low, _WIDE), upper)


def _words(context: Any, builder: Any, signature: Any, value: Any) -> Any:
    halves = [builder.trunc(part, _WORD) for part in (value, builder.lshr(value, ir.Constant(_WIDE, 64)))]
    return context.make_tuple(builder, signature.return_type, halves)


@in_llvm
def add(typing_context: Any, low: Any, high: Any, other_low: Any, other_high: Any) -> Any:
    """a + b."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = builder.add(_wide(builder, *arguments[:2]), _wide(builder, *arguments[2:]))
        return _words(context, builder, signature, total)

    return _PAIR(_U, _U, _U, _U), codegen


@in_llvm
def subtract(typing_context: Any, low: Any, high: Any, other_low: Any, other_high: Any) -> Any:
    """a - b."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total = builder.sub(_wide(builder, *arguments[:2]), _wide(builder, *arguments[2:]))
        return _words(context, builder, signature, total)

    return _PAIR(_U, _U, _U, _U), codegen


@in_llvm
def add_product_of_words(typing_context: Any, low: Any, high: Any, u: Any, v: Any) -> Any:
    """a + u v, u and v words."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low, high, u, v = arguments
        product = builder.mul(builder.zext(u, _WIDE), builder.zext(v, _WIDE))
        return _words(context, builder, signature, builder.add(_wide(builder, low, high), product))

    return _PAIR(_U, _U, _U, _U), codegen


@in_llvm
def add_product_by_word(typing_context: Any, low: Any, high: Any, u: Any, b_low: Any, b_high: Any) -> Any:
    """a + u b, u a word."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low, high, u, *b = arguments
        product = builder.mul(builder.zext(u, _WIDE), _wide(builder, *b))
        return _words(context, builder, signature, builder.add(_wide(builder, low, high), product))

    return _PAIR(_U, _U, _U, _U, _U), codegen


@in_llvm
def add_product(typing_context: Any, low: Any, high: Any, b_low: Any, b_high: Any, c_low: Any, c_high: Any) -> Any:
    """a + b c."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        product = builder.mul(_wide(builder, *arguments[2:4]), _wide(builder, *arguments[4:]))
        return _words(context, builder, signature, builder.add(_wide(builder, *arguments[:2]), product))

    return _PAIR(_U, _U, _U, _U, _U, _U), codegen
