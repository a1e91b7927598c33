"""Opening: party i lacks x_{i+1}, which both others know; it takes it from both and compares.

The recorder says how the second copy travels: in the active protocol as a hash, and nothing is sent before all is
proved. Passive parties need no check to be private, but get one.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.errors import OpeningError
from mpc_tamper.engines.rep3.protocol.context import Party, as_bytes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES, messages
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost


def cost(values: int) -> Cost:
    """Each party sends a component to each other party, in one round."""
    return Cost(rounds=1, bytes_sent=2 * messages(WORD_BYTES * values).bytes_sent)


def open_to_all(party: Party, x: RepShare) -> np.ndarray:
    """The value of x, uint64. Raises OpeningError, which is final, where two copies of the missing component differ."""
    with party.channel.final.guard():
        return _open(party, x)


def _open(party: Party, x: RepShare) -> np.ndarray:
    party.recorder.prove()
    own, previous = np.ascontiguousarray(x.own), np.ascontiguousarray(x.previous)
    second = party.recorder.second_copy(previous)
    from_next, from_previous = np.empty(x.shape, np.uint64), np.empty_like(second)
    channel = party.channel
    channel.exchange(
        "open",
        {channel.next: as_bytes(second), channel.previous: as_bytes(own)},
        {channel.next: as_bytes(from_next), channel.previous: as_bytes(from_previous)},
    )
    if not np.array_equal(from_previous, party.recorder.second_copy(from_next)):
        raise OpeningError(
            f"party {channel.next} and party {channel.previous} opened different values of a component that both hold: "
            "one of them cheats; nothing was output"
        )
    return own + previous + from_next
