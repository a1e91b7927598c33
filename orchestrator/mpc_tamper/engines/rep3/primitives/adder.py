"""Carries of a sum of three numbers, from boolean gates.

The components x_0, x_1, x_2 of an arithmetic sharing are each known to two parties, so each is a trivial boolean
sharing. A carry-save adder turns them into s + 2 c with s = x_0 ^ x_1 ^ x_2 (no communication) and c their majority
(one round). A tree (carry_tree.py) then computes only the carries that are wanted: ceil(log2(leaves + 1)) rounds for as
many bits as leaves.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.primitives.carry_tree import Leaves, plan
from mpc_tamper.engines.rep3.primitives.gate_plan import Plan
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.passive import and_planes, majority_planes
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare


def gates(carries: int, positions: Sequence[int]) -> dict[str, int]:
    """The gates of carry_save and carries_into by name, a round each, and how many planes each has."""
    return planned_gates(carries, _tree(positions))


def planned_gates(carries: int, tree: Plan | None) -> dict[str, int]:
    """The same of carry_save and planned_carries."""
    rounds = tree.rounds if tree is not None else ()
    planes = {"csa": carries, **{_name(number): len(each.left) for number, each in enumerate(rounds)}}
    return {gate: count for gate, count in planes.items() if count}


def message_bytes(carries: int, positions: Sequence[int], lanes: int) -> list[int]:
    """What a party sends in each round of carry_save and carries_into."""
    return gate_bytes(gates(carries, positions), lanes)


def gate_bytes(planes: dict[str, int], lanes: int) -> list[int]:
    """What a party sends in each round of so many planes."""
    return [WORD_BYTES * bit_ops.words_for(lanes) * count for count in planes.values()]


def carry_save(party: Party, x: RepShare, k: int, carries: int) -> Rounds[tuple[RepShare, RepShare]]:
    """Bit planes (k, words) of s, and (carries, words) of the majorities c, so that x_0 + x_1 + x_2 = s + 2 c.

    x: (m,). The low `carries` <= k bits of c are computed.
    """
    own, previous = (bit_ops.to_planes(np.ascontiguousarray(part), k) for part in (x.own, x.previous))
    planes = RepShare(own, previous)
    return planes, (yield from majority_planes(party, planes[:carries], x.shape[0], "csa"))


def carries_into(
    party: Party, s: RepShare, c: RepShare, positions: Sequence[int], lanes: int
) -> Rounds[list[RepShare]]:
    """For each position p >= 2, the carry into bit p of s + 2 c, a plane (1, words).

    s needs planes 1 .. p - 1, c planes 0 .. p - 2. Bit 0 of 2 c is zero: nothing is carried out of it.
    """
    return (yield from planned_carries(party, s, c, *_bits(_leaves(positions)), _tree(positions), lanes))


def planned_carries(
    party: Party, s: RepShare, c: RepShare, a: np.ndarray, b: np.ndarray, tree: Plan, lanes: int
) -> Rounds[list[RepShare]]:
    """The carries of the plan, planes (1, words). Its leaves add the planes of s at `a` and those of c at `b`."""
    shape = tree.planes, s.shape[1]
    planes = RepShare(np.empty(shape, np.uint64), np.empty(shape, np.uint64))
    bit_ops.enter_leaves(s.own, c.own, a, b, tree.sums, planes.own)
    bit_ops.enter_leaves(s.previous, c.previous, a, b, tree.sums, planes.previous)
    for number, each in enumerate(tree.rounds):
        product = yield from and_planes(party, planes, each.left, each.right, lanes, _name(number))
        bit_ops.add_products(product.own, each.new, each.onto, each.again, planes.own)
        bit_ops.add_products(product.previous, each.new, each.onto, each.again, planes.previous)
    return [planes[i : i + 1] for i in tree.carries]


@functools.lru_cache(maxsize=64)
def _bits(leaves: int) -> tuple[np.ndarray, np.ndarray]:
    """Leaf j adds bit j + 1 of s and bit j of c."""
    b = np.arange(leaves, dtype=np.intp)
    return b + 1, b


def _leaves(positions: Sequence[int]) -> int:
    """They are bits 1 .. top - 1, at tree indices from 0."""
    return max(positions) - 1


def _tree(positions: Sequence[int]) -> Plan:
    """The carry into p comes out of bit p - 1."""
    count = _leaves(positions)
    return plan(Leaves(count, count, 1), *(p - 2 for p in positions))


def _name(number: int) -> str:
    return f"prefix.{number - 1}" if number else "generate"
