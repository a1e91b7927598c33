"""Opening: party i lacks x_{i+1}, which both others know; it takes it from both and compares.

In the active protocol the second copy is a hash, and nothing is sent before everything is proved. Passive parties need
no check to be private, but get one.
"""

from __future__ import annotations

import hashlib

import numpy as np

from mpc_tamper.core.errors import OpeningError
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party, as_bytes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES, messages
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.result import Cost


def cost(values: int) -> Cost:
    """Each party sends a component to each other party, in one round."""
    return Cost(rounds=1, bytes_sent=2 * messages(WORD_BYTES * values).bytes_sent)


def open_to_all(party: Party, x: RepShare) -> np.ndarray:
    """The value of x, uint64. Raises OpeningError where the two copies of the missing component differ."""
    if party.active is not None:
        return _open_proved(party, party.active, x)
    own, previous = np.ascontiguousarray(x.own), np.ascontiguousarray(x.previous)
    from_next, from_previous = np.empty(x.shape, np.uint64), np.empty(x.shape, np.uint64)
    channel = party.channel
    channel.exchange(
        "open",
        {channel.next: as_bytes(previous), channel.previous: as_bytes(own)},
        {channel.next: as_bytes(from_next), channel.previous: as_bytes(from_previous)},
    )
    _compare(party, np.array_equal(from_next, from_previous))
    return own + previous + from_next


def _open_proved(party: Party, active: Active, x: RepShare) -> np.ndarray:
    """After the proofs of all that came before: the component from the next party, its hash from the previous one."""
    active.prove()
    own, previous = np.ascontiguousarray(x.own), np.ascontiguousarray(x.previous)
    from_next, from_previous = np.empty(x.shape, np.uint64), bytearray(hashlib.sha256().digest_size)
    channel = party.channel
    channel.exchange(
        "open",
        {channel.next: memoryview(_hash(previous)), channel.previous: as_bytes(own)},
        {channel.next: as_bytes(from_next), channel.previous: memoryview(from_previous)},
    )
    _compare(party, bytes(from_previous) == _hash(from_next))
    return own + previous + from_next


def _hash(component: np.ndarray) -> bytes:
    return hashlib.sha256(component.astype("<u8").tobytes()).digest()


def _compare(party: Party, equal: bool) -> None:
    if not equal:
        channel = party.channel
        raise OpeningError(
            f"party {channel.next} and party {channel.previous} opened different values of a component that both hold: "
            "one of them cheats; nothing was output"
        )
