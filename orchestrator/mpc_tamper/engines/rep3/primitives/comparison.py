"""The sign of a sharing, without opening anything.

MP-SPDZ compiles x > y at bit length b to bit b of (y - x) mod 2^(b+1), whether or not the difference is in range;
so does this.

A capped ReLU asks for the signs of x and of x - cap. Where a vector holds x + c for several public c (Shifts in
protocol/share.py), what these have in common is computed once (variants.py).
"""

from __future__ import annotations

import functools

from mpc_tamper.engines.rep3.primitives import adder, conversion
from mpc_tamper.engines.rep3.primitives.adder import carries_into, carry_save
from mpc_tamper.engines.rep3.primitives.conversion import bits_to_integers
from mpc_tamper.engines.rep3.primitives.variants import Variants, signs_of_variants
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import messages
from mpc_tamper.engines.rep3.protocol.rounds import Rounds
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost

_MOST_VARIANTS = 64


def gates(k: int) -> dict[str, int]:
    """The AND gates of a comparison by name, and how many planes each has; index = plane * values + value.

    Variants.gates has those of a comparison of several variants.
    """
    return adder.gates(k - 1, _positions(k))


def cost(party_id: int, k: int, values: int, offsets: tuple[int, ...] = ()) -> Cost:
    """offsets: of the shifts of these values, if they are shifts of fewer."""
    variants = _variants(k, values, offsets)
    if variants is None:
        sent = adder.message_bytes(k - 1, _positions(k), values)
    else:
        sent = adder.gate_bytes(variants.gates(), values // variants.count)
    return messages(*sent, *conversion.message_bytes(party_id, values))


def less_than_zero(party: Party, x: RepShare, k: int) -> Rounds[RepShare]:
    """Bit k - 1 of x mod 2^k as an integer 0 or 1; 2 <= k <= 64. x: (m,). 3 + ceil(log2(k - 1)) rounds for k > 2."""
    lanes = x.shape[0]
    variants = _variants(k, lanes, () if x.shifts is None else x.shifts.offsets)
    if variants is not None:
        lanes //= variants.count
        signs = yield from signs_of_variants(party, x, variants)
        return (yield from bits_to_integers(party, signs, lanes))
    s, c = yield from carry_save(party, x, k, k - 1)
    sign = s[k - 1 : k] ^ c[k - 2 : k - 1]
    if k > 2:
        sign = sign ^ (yield from carries_into(party, s, c, [k - 1], lanes))[0]
    return (yield from bits_to_integers(party, sign, lanes))


@functools.lru_cache(maxsize=256)
def _variants(k: int, values: int, offsets: tuple[int, ...]) -> Variants | None:
    """Where it sends less than a comparison of all values, which few values do not: planes are of whole words.

    With very many offsets a plan would take longer than it saves, so there is none.
    """
    if not 2 <= len(offsets) <= _MOST_VARIANTS:
        return None
    variants = Variants.of(k, offsets)
    together = adder.gate_bytes(variants.gates(), values // variants.count)
    return variants if sum(together) < sum(adder.message_bytes(k - 1, _positions(k), values)) else None


def _positions(k: int) -> list[int]:
    """Whose carries are wanted: of the sign, if a carry can reach it."""
    return [k - 1] if k > 2 else []
