"""Opening: party i lacks x_{i+1}, which both others know; it takes it from both and compares."""

from __future__ import annotations

import numpy as np

from orchestrator.engines.rep3.protocol.context import Party, as_bytes
from orchestrator.engines.rep3.protocol.costs import WORD_BYTES, messages
from orchestrator.engines.rep3.protocol.share import RepShare
from orchestrator.errors import OpeningError
from orchestrator.records import Cost


def cost(values: int) -> Cost:
    """Each party sends a component to each other party, in one round."""
    return Cost(rounds=1, bytes_sent=2 * messages(WORD_BYTES * values).bytes_sent)


def open_to_all(party: Party, x: RepShare) -> np.ndarray:
    """The value of x, uint64. Raises OpeningError where the two copies of the missing component differ."""
    own, previous = np.ascontiguousarray(x.own), np.ascontiguousarray(x.previous)
    from_next, from_previous = np.empty(x.shape, np.uint64), np.empty(x.shape, np.uint64)
    channel = party.channel
    channel.exchange(
        "open",
        {channel.next: as_bytes(previous), channel.previous: as_bytes(own)},
        {channel.next: as_bytes(from_next), channel.previous: as_bytes(from_previous)},
    )
    if not np.array_equal(from_next, from_previous):
        raise OpeningError(
            f"party {channel.next} and party {channel.previous} opened different values of a component that both hold: "
            "one of them cheats; nothing was output"
        )
    return own + previous + from_next
