"""A shared vector with several public numbers added to it, one after the other."""

from __future__ import annotations

import numpy as np

from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.share import RepShare, concatenate, plus_public, shifts_of


def shifted(party: Party, x: RepShare, offsets: tuple[int, ...]) -> RepShare:
    """x + c for each of these c. x: (m,)."""
    parts = [plus_public(x, np.broadcast_to(np.uint64(c), x.shape), party.party_id) for c in offsets]
    joined = concatenate(parts)
    joined.shifts = shifts_of(parts)
    return joined


def shifted_in_clear(x: np.ndarray, offsets: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([x + np.uint64(c) for c in offsets])
