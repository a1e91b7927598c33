"""The sign of a sharing, without opening anything.

MP-SPDZ compiles x > y at bit length b to bit b of (y - x) mod 2^(b+1), whether or not the difference is in range;
so does this. The bit is one of s + 2 c (adder.py): a bit of s, one of the majorities c, and a carry.

A capped ReLU asks for the signs of x and of x - cap. Where a vector holds x + c for several public c (Shifts in
protocol/share.py), what these have in common is computed once (variants.py).
"""

from __future__ import annotations

import functools

from mpc_tamper.engines.rep3.primitives import adder, conversion
from mpc_tamper.engines.rep3.primitives.conversion import bits_to_integers
from mpc_tamper.engines.rep3.primitives.variants import Variants, signs_of_variants
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import messages
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost

_MOST_VARIANTS = 64  # with very many, a plan would take longer than it saves


def gates(k: int) -> dict[str, int]:
    """The AND gates of a comparison by name, and how many planes each has; index = plane * values + value.

    Variants.gates has those of a comparison of several variants.
    """
    return Variants.of(k).gates()


def cost(party_id: int, k: int, values: int, offsets: tuple[int, ...] = ()) -> Cost:
    """offsets: of the shifts of these values, if they are shifts of fewer."""
    variants = _variants(k, values, offsets)
    sent = adder.gate_bytes(variants.gates(), values // variants.count)
    return messages(*sent, *conversion.message_bytes(party_id, values))


def less_than_zero(party: Party, x: RepShare, k: int) -> Rounds[RepShare]:
    """Bit k - 1 of x mod 2^k as an integer 0 or 1; 2 <= k <= 64. x: (m,). 3 + ceil(log2(k - 1)) rounds for k > 2."""
    variants = _variants(k, x.shape[0], () if x.shifts is None else x.shifts.offsets)
    signs = yield from signs_of_variants(party, x, variants)
    return (yield from bits_to_integers(party, signs, x.shape[0] // variants.count))


@functools.lru_cache(maxsize=256)
def _variants(k: int, values: int, offsets: tuple[int, ...]) -> Variants:
    """Of few values, several together may send more than each by itself, as planes are of whole words."""
    alone = Variants.of(k)
    if not 2 <= len(offsets) <= _MOST_VARIANTS:
        return alone
    together = Variants.of(k, offsets)
    shared = adder.gate_bytes(together.gates(), values // together.count)
    return together if sum(shared) < sum(adder.gate_bytes(alone.gates(), values)) else alone
