"""Passive multiplication over Z_2^64 and GF(2).

Party i's additive share of x y is z_i = x_i y_i + x_i y_{i-1} + x_{i-1} y_i + alpha_i; it sends z_i to party i+1. One
ring element per output and party and one round, whatever the length of a dot product. Two products suffice:
x_i (y_i + y_{i-1}) + x_{i-1} y_i. (Araki et al., CCS'16, https://eprint.iacr.org/2016/768)

If x is a private input of party o, then x_{o+1} = 0 and x y = x (y_o + y_{o-1}) + (x_o + x_{o-1}) y_{o+1}: the owner
multiplies what it knows by the two components that it holds, and the other two each multiply the component of x that
they hold by the one that the owner lacks. The same terms in other hands: x_{o-1} y_{o-1} is computed by party o, not
o - 1. Three products in all instead of six, and the owner's reads a quarter of the memory.

Where x has rows of several owners, a message is what it always is, and a party leaves out rows of which a component is
zero. Its own rows it knows: x y_i + x_i y_{i-1}.

Everything sent is masked by a pad that its receiver lacks: the protocol stays private against a corrupt party until
something is opened, and what that party can do is to add an error to z_i.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mpc_tamper.engines.mapped import row_blocks
from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.kernels import matmul as kernel
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES, messages
from mpc_tamper.engines.rep3.protocol.prss import Purpose
from mpc_tamper.engines.rep3.protocol.recorder import Pads
from mpc_tamper.engines.rep3.protocol.rounds import Rounds, Send
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost

# Of rows of the first argument by the second, to the third.
_AddProduct = Callable[[np.ndarray, np.ndarray, np.ndarray, slice], None]
_Term = tuple[np.ndarray, np.ndarray, list[slice]]  # left, right, and which rows of left
_ALL = slice(None)
_WORTH = 1 << 13  # words of rows that are multiplied apart, or left out, for it to pay


def cost(outputs: int) -> Cost:
    """Of a product, dot product or matrix product with so many outputs."""
    return messages(WORD_BYTES * outputs)


def mul(party: Party, x: RepShare, y: RepShare) -> RepShare:
    """x * y, elementwise; equal shapes."""
    z, pads = _multiply(party, x, y, _add_products, x.shape, "mul")
    party.recorder.products(x, y, z, pads)
    return z


def dot(party: Party, x: RepShare, y: RepShare) -> RepShare:
    """Row-wise dot products: (a, b), (a, b) -> (a,)."""
    z, pads = _multiply(party, x, y, _add_row_products, x.shape[:1], "dot")
    party.recorder.products(x, y, z, pads)
    return z


def matmul(party: Party, x: RepShare, y: RepShare) -> RepShare:
    """(a, b) times (b, c): (a, c)."""
    z, pads = _multiply(party, x, y, _add_matrix_product, (x.shape[0], y.shape[1]), "matmul")
    party.recorder.matrix(x, y, z, pads, transposed=False)
    return z


def trans_matmul(party: Party, x: RepShare, y: RepShare) -> RepShare:
    """The transpose of (b, a) times (b, c): (a, c)."""
    z, pads = _multiply(party, x, y, _add_transposed_product, (x.shape[1], y.shape[1]), "trans_matmul")
    party.recorder.matrix(x, y, z, pads, transposed=True)
    return z


def _add_matrix_product(x: np.ndarray, y: np.ndarray, z: np.ndarray, rows: slice) -> None:
    """x may be mapped."""
    left, out = x[rows], z[rows]
    for block in row_blocks(left):
        kernel.add_matmul(left[block], y, out[block])


def _add_transposed_product(x: np.ndarray, y: np.ndarray, z: np.ndarray, rows: slice) -> None:
    left, right = x[rows], y[rows]
    for block in row_blocks(left):
        kernel.add_trans_matmul(left[block], right[block], z)


def _products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Elementwise; x may be int16 (RepShare.plain)."""
    return x.astype(np.uint64, copy=False) * y


def _add_products(x: np.ndarray, y: np.ndarray, z: np.ndarray, rows: slice) -> None:
    z[rows] += _products(x[rows], y[rows])


def _add_row_products(x: np.ndarray, y: np.ndarray, z: np.ndarray, rows: slice) -> None:
    z[rows] += _products(x[rows], y[rows]).sum(axis=1, dtype=np.uint64)


def _multiply(
    party: Party, x: RepShare, y: RepShare, add: _AddProduct, shape: tuple[int, ...], tag: str
) -> tuple[RepShare, Pads]:
    """The product, and the pads of its message: F(kappa_i), F(kappa_{i-1})."""
    pads = party.prss.pads(Purpose.ZERO, shape)
    z = pads[0] - pads[1]
    for left, right, runs in _local_terms(party.party_id, x, y):
        for rows in runs:
            add(left, right, z, rows)
    party.add_errors(z)
    return reshare(party, z, tag), pads


def _local_terms(party_id: int, x: RepShare, y: RepShare) -> list[_Term]:
    """The products whose sum is this party's additive share of x y, before the pad."""
    if x.owner is None:
        return _terms_of_rows(party_id, x, y)
    role = (party_id - x.owner) % 3
    if role == 1:
        return [(x.previous, y.own, [_ALL])]
    if role == 2:
        return [(x.own, y.previous, [_ALL])]
    both = y.own + y.previous
    if x.plain is not None:
        return [(x.plain, both, [_ALL])]
    return [(x.own, both, [_ALL]), (x.previous, both, [_ALL])]


def _terms_of_rows(party_id: int, x: RepShare, y: RepShare) -> list[_Term]:
    both, count = y.own + y.previous, x.shape[0]
    if not x.inputs:
        return [(x.own, both, [_ALL]), (x.previous, y.own, [_ALL])]
    known = _whole_rows(x, x.words_of(party_id, plain=True))
    zero_own, zero_previous = (_whole_rows(x, x.words_of(party_id + by)) for by in (-1, 1))
    terms = [
        (x.own, both, _others(count, known + zero_own)),
        (x.previous, y.own, _others(count, known + zero_previous)),
    ]
    return terms if x.plain is None else [*terms, (x.plain, y.own, known), (x.own, y.previous, known)]


def _whole_rows(x: RepShare, words: list[slice]) -> list[slice]:
    """Rows that these are all of, where they are many together."""
    width = math.prod(x.shape[1:])
    rows = [slice(-(-each.start // width), each.stop // width) for each in words]
    return [each for each in rows if (each.stop - each.start) * width >= _WORTH]


def _others(count: int, rows: list[slice]) -> list[slice]:
    """Of so many rows."""
    others, begin = [], 0
    for each in [*sorted(rows, key=lambda each: each.start), slice(count, count)]:
        if begin < each.start:
            others.append(slice(begin, each.start))
        begin = each.stop
    return others


def and_planes(
    party: Party, planes: RepShare, left: np.ndarray, right: np.ndarray, lanes: int, gate: str
) -> Rounds[RepShare]:
    """The planes at the indices `left` & those at `right`, of bit planes (p, words) with `lanes` bits in use per plane.

    A bit per gate, one round, during which the planes stay as they are.
    """
    pads = party.prss.pads(Purpose.ZERO_BITS, (left.size, planes.shape[1]))
    z = bit_ops.and_shares(pads, planes.own, planes.previous, left, right)
    party.flip_errors(z, lanes, gate)
    product = RepShare(z, (yield Send(gate, z)))
    party.recorder.and_gates(planes, left, right, product, pads)
    return product


def majority_planes(party: Party, x: RepShare, lanes: int, gate: str) -> Rounds[RepShare]:
    """The majority of the three components of x, bit by bit: the carries of a carry-save adder.

    It is the xor over i of x_i & x_{i-1}, so party i multiplies just what it holds.
    """
    pads = party.prss.pads(Purpose.ZERO_BITS, x.shape)
    z = bit_ops.majority_shares(pads, x.own, x.previous)
    party.flip_errors(z, lanes, gate)
    majorities = RepShare(z, (yield Send(gate, z)))
    party.recorder.majorities(x, majorities, pads)
    return majorities


def reshare(party: Party, z: np.ndarray, tag: str) -> RepShare:
    """An additive (or xor) share z_i, sent to party i+1, becomes a replicated one."""
    return RepShare(z, party.shift(tag, z))
