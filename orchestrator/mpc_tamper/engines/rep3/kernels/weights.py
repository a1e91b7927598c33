"""Weights of gates in the proof of products: W_g, the sum of rho_k over the subsets k that gate g is in, modulo 2^128.

Bits of members are looked up four at a time: of 16 sums in limbs of 52 bits, which two vectors hold, VPERMI2Q finds
those of eight gates at once. Where the processor lacks it, eight bits are looked up at a time, gate after gate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, kernel_unless, kernel_where
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.kernels.int128 import add, add_product_by_word
from mpc_tamper.engines.rep3.kernels.limbs import LANES, LIMBS, has_instruction, store_elements, sums_of_rows

_OUT2 = types.uint64[:, ::1]
_OUT3 = types.uint64[:, :, ::1]
_V = types.Array(types.uint64, 1, "C", readonly=True)
_M = types.Array(types.uint64, 2, "C", readonly=True)
_T = types.Array(types.uint64, 3, "C", readonly=True)
_ADDRESS = types.uintp
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, LANES)
_BITS, _SUMS = 4, 16  # of a member that are looked up at once, and their sums
_GROUPS, _BYTES = SUBSETS // _BITS, SUBSETS // 8
_TOGETHER = 4  # vectors of members, for which a table is loaded once
_STEP = _TOGETHER * LANES
_BYTE, _8, _52, _12, _40 = (np.uint64(each) for each in (255, 8, 52, 12, 40))


@kernel_unless(has_instruction(), _OUT3(_M))
def _sums_by_byte(rho: np.ndarray) -> np.ndarray:
    """The sums of rho_k over the bits k of each byte of a member: (6, 256, 2)."""
    t = np.zeros((_BYTES, 256, 2), np.uint64)
    for k in range(SUBSETS):
        group, bit = k >> 3, 1 << (k & 7)
        for i in range(bit):
            low, high = add(t[group, i, 0], t[group, i, 1], rho[k, 0], rho[k, 1])
            t[group, bit + i, 0], t[group, bit + i, 1] = low, high
    return t


@kernel(_OUT3(_M))
def _limbs_by_four_bits(rho: np.ndarray) -> np.ndarray:
    """The same over four bits, each sum in limbs: (12, 3, 16)."""
    by_byte = _sums_by_byte(rho)
    t = np.empty((_GROUPS, LIMBS, _SUMS), np.uint64)
    for group in range(_GROUPS):
        for i in range(_SUMS):
            low, high = by_byte[group >> 1, i << (group & 1) * _BITS]
            t[group, 0, i] = low & (np.uint64(1) << _52) - np.uint64(1)
            t[group, 1, i] = (low >> _52 | high << _12) & (np.uint64(1) << _52) - np.uint64(1)
            t[group, 2, i] = high >> _40
    return t


def tables_of(rho: np.ndarray) -> np.ndarray:
    """What weights are looked up in. rho: (48, 2)."""
    return _limbs_by_four_bits(rho) if has_instruction() else _sums_by_byte(rho)


@in_llvm
def _look_up(typing_context: Any, tables: Any, members: Any, steps: Any, out: Any) -> Any:
    """The weights of `steps` times 32 members, elements, to out. Addresses."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tables, members, steps, out = arguments
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        look_up = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.q.512")

        def number(constant: int) -> Any:
            return ir.Constant(_WORD, constant)

        def load(address: Any, index: Any) -> Any:
            found = builder.load(builder.gep(builder.inttoptr(address, _VECTOR.as_pointer()), [index]))
            found.align = 8
            return found

        bits = [cgutils.alloca_once(builder, _VECTOR) for _ in range(_TOGETHER)]
        sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(LIMBS)] for _ in range(_TOGETHER)]
        with cgutils.for_range(builder, steps) as loop:
            first = builder.mul(loop.index, number(_TOGETHER))
            for v in range(_TOGETHER):
                builder.store(load(members, builder.add(first, number(v))), bits[v])
                for each in sums[v]:
                    builder.store(ir.Constant(_VECTOR, [0] * LANES), each)
            with cgutils.for_range(builder, number(_GROUPS)) as groups:
                indices = [builder.load(each) for each in bits]  # of which the instruction takes the low four bits
                for limb in range(LIMBS):
                    place = builder.add(builder.mul(groups.index, number(2 * LIMBS)), number(2 * limb))
                    table = [load(tables, builder.add(place, number(half))) for half in range(2)]
                    for index, to in zip(indices, sums, strict=True):
                        found = builder.call(look_up, [table[0], index, table[1]])
                        builder.store(builder.add(builder.load(to[limb]), found), to[limb])
                for index, each in zip(indices, bits, strict=True):
                    builder.store(builder.lshr(index, ir.Constant(_VECTOR, [_BITS] * LANES)), each)
            for v, limbs in enumerate(sums):
                store_elements(builder, [builder.load(each) for each in limbs], out, builder.add(first, number(v)))
        return context.get_dummy_value()

    return types.void(*[_ADDRESS] * 4), codegen


@kernel_unless(has_instruction(), types.void(_T, _V, _OUT2))
def weights_one_by_one(tables: np.ndarray, members: np.ndarray, out: np.ndarray) -> None:
    for c in range(members.size):
        x = members[c]
        low = high = np.uint64(0)
        for group in range(_BYTES):
            i = x & _BYTE
            low, high = add(low, high, tables[group, i, 0], tables[group, i, 1])
            x >>= _8
        out[c, 0], out[c, 1] = low, high


@kernel_where(has_instruction(), weights_one_by_one, types.void(_T, _V, _OUT2))
def weights_at_once(tables: np.ndarray, members: np.ndarray, out: np.ndarray) -> None:
    """W_c into out (n, 2). members: (n,)."""
    steps = members.size // _STEP
    whole, table = steps * _STEP, _ADDRESS(tables.ctypes.data)
    _look_up(table, _ADDRESS(members.ctypes.data), _ADDRESS(steps), _ADDRESS(out.ctypes.data))
    if whole < members.size:
        rest, found = np.zeros(_STEP, np.uint64), np.empty((_STEP, 2), np.uint64)
        for c in range(members.size - whole):
            rest[c] = members[whole + c]
        _look_up(table, _ADDRESS(rest.ctypes.data), _ADDRESS(1), _ADDRESS(found.ctypes.data))
        for c in range(members.size - whole):
            out[whole + c, 0], out[whole + c, 1] = found[c, 0], found[c, 1]
        rest[0] = found[0, 0]  # neither is gone before


@kernel_unless(has_instruction(), types.void(_M, _V, _OUT2))
def times_one_by_one(factors: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    for c in range(v.size):
        zero = np.uint64(0)
        out[c, 0], out[c, 1] = add_product_by_word(zero, zero, v[c], factors[c, 0], factors[c, 1])


@kernel_where(has_instruction(), times_one_by_one, types.void(_M, _V, _OUT2))
def times_at_once(factors: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """W_c v_c into out (n, 2). factors: W, (n, 2); v: (n,) words."""
    whole = v.size // LANES * LANES
    row, to = _ADDRESS(v.ctypes.data), _ADDRESS(out.ctypes.data)
    vectors = _ADDRESS(whole // LANES)
    sums_of_rows(_ADDRESS(factors.ctypes.data), _ADDRESS(0), row, _ADDRESS(0), _ADDRESS(1), vectors, to)
    times_one_by_one(factors[whole:], v[whole:], out[whole:])
