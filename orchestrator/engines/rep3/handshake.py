"""The first messages of a run: are we all running the same thing? Then fresh keys."""

from __future__ import annotations

import os
from dataclasses import dataclass

from orchestrator.engines.rep3.protocol.prss import KEY_BYTES, Prss
from orchestrator.engines.rep3.transport.channel import Channel
from orchestrator.errors import HandshakeError

WIRE_VERSION = 1
_FIELD_BYTES = 32


@dataclass(frozen=True)
class Session:
    """What all parties of a run must agree on. session_id: 16 bytes in hex, fresh for each run."""

    session_id: str
    program_sha256: str
    protocol: str

    def fields(self) -> dict[str, bytes]:
        """Each of 32 bytes."""
        return {
            "wire version": WIRE_VERSION.to_bytes(_FIELD_BYTES, "little"),
            "session": bytes.fromhex(self.session_id).ljust(_FIELD_BYTES, b"\0"),
            "protocol": self.protocol.encode().ljust(_FIELD_BYTES, b"\0"),
            "program and arguments (sha256)": bytes.fromhex(self.program_sha256),
        }


def agree(channel: Channel, session: Session) -> None:
    """Compare with both peers. Raises HandshakeError that names the peer and what differs."""
    fields = session.fields()
    mine = b"".join(fields.values())
    peers = (channel.next, channel.previous)
    theirs = {peer: bytearray(len(mine)) for peer in peers}
    channel.exchange("hello", dict.fromkeys(peers, memoryview(mine)), {p: memoryview(b) for p, b in theirs.items()})
    for peer in peers:
        for i, (name, value) in enumerate(fields.items()):
            got = bytes(theirs[peer][i * _FIELD_BYTES : (i + 1) * _FIELD_BYTES])
            if got != value:
                raise HandshakeError(
                    f"party {peer} runs another {name}: expected {value.hex()[:16]}..., got {got.hex()[:16]}...; start "
                    "all parties with the same program, arguments and protocol",
                    peer,
                )


def agree_on_keys(channel: Channel, *, insecure_fixed_seed: int | None = None) -> Prss:
    """Draw kappa_i and send it to party i + 1.

    insecure_fixed_seed makes the pads repeatable, for tests only: whoever knows it sees through every mask.
    """
    if insecure_fixed_seed is None:
        own = os.urandom(KEY_BYTES)
    else:
        own = (insecure_fixed_seed * 3 + channel.party_id).to_bytes(KEY_BYTES, "little")
    previous = bytearray(KEY_BYTES)
    channel.shift("key", memoryview(own), memoryview(previous))
    return Prss(own, bytes(previous))
