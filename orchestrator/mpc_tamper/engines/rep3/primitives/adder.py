"""Carries of a sum of three numbers, from boolean gates.

The components x_0, x_1, x_2 of an arithmetic sharing are each known to two parties, so each is a trivial boolean
sharing. A carry-save adder turns them into s + 2 c with s = x_0 ^ x_1 ^ x_2 (no communication) and c their majority
(one round). A Sklansky prefix tree over generate and propagate bits then computes only the carries that are wanted,
in 1 + ceil(log2(bits - 1)) rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.passive import and_planes, majority_planes
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare, concatenate


def gates(carries: int, positions: Sequence[int]) -> dict[str, int]:
    """The gates of carry_save and carries_into by name, a round each, and how many planes each has."""
    top = max(positions, default=1) - 1
    planes = {"csa": carries, "generate": top}
    for level, targets in enumerate(_sklansky(top, [p - 2 for p in positions])):
        planes[f"prefix.{level}"] = len(targets) + sum(q >> (level + 1) != 0 for q in targets)
    return {gate: count for gate, count in planes.items() if count}


def message_bytes(carries: int, positions: Sequence[int], lanes: int) -> list[int]:
    """What a party sends in each round of carry_save and carries_into."""
    return [WORD_BYTES * bit_ops.words_for(lanes) * planes for planes in gates(carries, positions).values()]


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
    top = max(positions) - 1  # leaves are bits 1 .. top, at tree indices 0 .. top - 1
    a, b = s[1 : top + 1], c[:top]
    generate, propagate = (yield from and_planes(party, a, b, lanes, "generate")), a ^ b
    for level, targets in enumerate(_sklansky(top, [p - 2 for p in positions])):
        if not targets:
            continue
        upper = np.array(targets)
        lower = (upper >> level << level) - 1  # the last leaf of the block below
        carrying = upper >> (level + 1) != 0  # blocks that do not reach down to leaf 0 need their propagate bit
        left = concatenate([propagate[upper], propagate[upper[carrying]]])
        right = concatenate([generate[lower], propagate[lower[carrying]]])
        product = yield from and_planes(party, left, right, lanes, f"prefix.{level}")
        generate[upper] = generate[upper] ^ product[: len(upper)]
        propagate[upper[carrying]] = product[len(upper) :]
    return [generate[p - 2 : p - 1] for p in positions]


def _sklansky(leaves: int, outputs: Sequence[int]) -> list[list[int]]:
    """The tree's nodes that the outputs need: per level, the leaves whose group is extended downward.

    After level l, leaf q spans the leaves from the start of its block of 2^(l+1) up to q.
    """
    depth = max(0, (leaves - 1).bit_length())
    needed = set(outputs)
    levels: list[list[int]] = []
    for level in reversed(range(depth)):
        targets = sorted(q for q in needed if q >> level & 1)
        levels.append(targets)
        needed |= {(q >> level << level) - 1 for q in targets}
    return levels[::-1]
