"""Exact floor shift of a 64-bit value, without opening anything and without probabilistic truncation.

Let X = x + 2^63 as an unsigned number, with components x_0 + x_1 + x_2 = X + 2^64 v. Then

    floor(X / 2^t) = sum (x_i >> t) + carry - 2^(64-t) v

where carry is how often the low t bits of the components overflow, and carry and v are in {0, 1, 2}: each the sum of
a bit of the carry-save adder and a carry of the adder that follows. At the end 2^(63-t) is taken off again.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.engines.rep3.primitives import adder, conversion
from mpc_tamper.engines.rep3.primitives.adder import carries_into, carry_save
from mpc_tamper.engines.rep3.primitives.conversion import bits_to_integers
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import messages
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare, concatenate, public
from mpc_tamper.runs.result import Cost

_BITS = 64


def cost(party_id: int, t: int, values: int) -> Cost:
    if t == 0:
        return Cost()
    positions = _positions(t)
    gates = adder.message_bytes(_BITS, positions, values)
    return messages(*gates, *conversion.message_bytes(party_id, values * (len(positions) + 2)))


def right_shift(party: Party, x: RepShare, t: int) -> Rounds[RepShare]:
    """floor(x / 2^t) of the signed value, for every x; 0 <= t <= 63. x: (m,). 9 rounds."""
    if t == 0:
        return x
    lanes = x.shape[0]
    offset = x + public(np.full(lanes, 1 << 63, np.uint64), party.party_id)
    s, c = yield from carry_save(party, offset, _BITS, _BITS)
    positions = _positions(t)
    carries = yield from carries_into(party, s, c, positions, lanes)
    planes = concatenate([c[t - 1 : t], *carries[:-1], c[_BITS - 1 :], carries[-1]])
    counts = (yield from bits_to_integers(party, planes, lanes)).reshape(planes.shape[0], lanes)
    low = counts[0] if t == 1 else counts[0] + counts[1]
    overflow = counts[-2] + counts[-1]
    shift = np.uint64(t)
    shifted = RepShare(offset.own >> shift, offset.previous >> shift)
    unsigned = shifted + low - overflow.scale(np.uint64(1 << (_BITS - t)))
    return unsigned - public(np.full(lanes, 1 << (63 - t), np.uint64), party.party_id)


def _positions(t: int) -> list[int]:
    """Whose carries are wanted. Nothing is carried into bit 1, as bit 0 of twice the majorities is zero."""
    return [_BITS] if t == 1 else [t, _BITS]
