"""Bits to integers: from b = b_0 ^ b_1 ^ b_2 to a sharing of 0 or 1 modulo 2^64, in 2 rounds and 3 messages.

Roles 0, 1, 2 go around like the parties; components and keys are those of the roles. Role 1 knows b_0 and b_1 and
sends beta_1 = (b_0 ^ b_1) - F(kappa_0) to role 2, where beta_0 = F(kappa_0) and beta_2 = 0. Role 0 sends
z_0 = beta_0 b_2 - F(kappa_2) to role 1, role 2 sends z_2 = beta_1 b_2 + F(kappa_2) - F(kappa_1) to role 0, and
z_1 = F(kappa_1). The bit is beta + b_2 - 2 z. The bits are cut in three parts, and the roles rotated from part to
part, so that the parties send equally much.

What the active protocol proves of the messages, one product each, prover's side on the left:

    role 0:  z_0 + F(kappa_2) = beta_0 b_2;   role 1:  beta_1 - b_1 - b_0 + F(kappa_0) = -2 b_1 b_0;
    role 2:  z_2 - F(kappa_2) + F(kappa_1) = b_2 beta_1
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.prss import Purpose
from mpc_tamper.engines.rep3.protocol.recorder import Conversions
from mpc_tamper.engines.rep3.protocol.rounds import Rounds, Send
from mpc_tamper.engines.rep3.protocol.share import RepShare


def message_bytes(party_id: int, bits: int) -> list[int]:
    """What a party sends in each of the two rounds; in all, a ring element a bit."""
    as_role_0, as_role_1, as_role_2 = (_length(_part(bits, party_id - role)) for role in range(3))
    return [WORD_BYTES * as_role_1, WORD_BYTES * (as_role_0 + as_role_2)]


def bits_to_integers(party: Party, planes: RepShare, lanes: int) -> Rounds[RepShare]:
    """planes (p, words), `lanes` bits in use in each: integers (p * lanes,), plane by plane."""
    own, previous = (bit_ops.from_planes(part, lanes) for part in (planes.own, planes.previous))
    count = own.size
    pad_own = party.prss.own[Purpose.B2A].draw(count)
    pad_previous = party.prss.previous[Purpose.B2A].draw(count)
    as_role_0, as_role_1, as_role_2 = (_part(count, party.party_id - role) for role in range(3))

    beta_1 = (own[as_role_1] ^ previous[as_role_1]) - pad_previous[as_role_1]
    party.add_errors_at([(as_role_1, beta_1)], count, "b2a.beta")
    beta_1_here = yield Send("b2a.beta", beta_1, _length(as_role_2))

    z = np.empty(_length(as_role_0) + _length(as_role_2), np.uint64)
    ends = as_role_0.start, as_role_0.stop, as_role_2.start, as_role_2.stop
    bit_ops.conversion_messages(pad_own, pad_previous, own, previous, beta_1_here, *ends, z)
    z_0, z_2 = z[: _length(as_role_0)], z[_length(as_role_0) :]
    party.add_errors_at([(as_role_0, z_0), (as_role_2, z_2)], count, "b2a.z")
    received = yield Send("b2a.z", z, _length(as_role_1) + _length(as_role_0))
    z_0_here, z_2_here = received[: _length(as_role_1)], received[_length(as_role_1) :]

    begins = as_role_0.start, as_role_1.start, as_role_2.start
    known = Conversions(pad_own, pad_previous, own, previous, beta_1, beta_1_here, z_0_here, z_2_here, *begins)
    party.recorder.conversions(known)
    bits = RepShare(np.empty(count, np.uint64), np.empty(count, np.uint64))
    bit_ops.converted(*known, z_0, z_2, bits.own, bits.previous)
    return bits


def _part(count: int, number: int) -> slice:
    """The part in which the roles are rotated by `number`: role j is played by party j + number."""
    number %= 3
    return slice(count * number // 3, count * (number + 1) // 3)


def _length(part: slice) -> int:
    return part.stop - part.start
