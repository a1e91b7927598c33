"""The sign of a sharing, without opening anything.

MP-SPDZ compiles x > y at bit length b to bit b of (y - x) mod 2^(b+1), whether or not the difference is in range;
so does this.
"""

from __future__ import annotations

from mpc_tamper.engines.rep3.primitives import adder, conversion
from mpc_tamper.engines.rep3.primitives.adder import carries_into, carry_save
from mpc_tamper.engines.rep3.primitives.conversion import bits_to_integers
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import messages
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost


def gates(k: int) -> dict[str, int]:
    """The AND gates of a comparison by name, and how many planes each has; index = plane * values + value."""
    return adder.gates(k - 1, _positions(k))


def cost(party_id: int, k: int, values: int) -> Cost:
    sent = adder.message_bytes(k - 1, _positions(k), values)
    return messages(*sent, *conversion.message_bytes(party_id, values))


def less_than_zero(party: Party, x: RepShare, k: int) -> Rounds[RepShare]:
    """Bit k - 1 of x mod 2^k as an integer 0 or 1; 2 <= k <= 64. x: (m,). 3 + ceil(log2(k - 1)) rounds for k > 2."""
    lanes = x.shape[0]
    s, c = yield from carry_save(party, x, k, k - 1)
    sign = s[k - 1 : k] ^ c[k - 2 : k - 1]
    if k > 2:
        sign = sign ^ (yield from carries_into(party, s, c, [k - 1], lanes))[0]
    return (yield from bits_to_integers(party, sign, lanes))


def _positions(k: int) -> list[int]:
    """Whose carries are wanted: of the sign, if a carry can reach it."""
    return [k - 1] if k > 2 else []
