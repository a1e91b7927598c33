"""Do the two holders of each component hold the same? Asked of shares that come from files, before they are used.

Component x_i is known to parties i and i + 1. Each sends the other

    SHA-256(name | sender | salt | number of values | x_i),    salt: 256 bits from kappa_i, fresh for each question

The receiver holds kappa_i and what it takes for x_i, so it learns nothing but whether the two are the same; the third
party, which lacks kappa_i, could not use the hash to try values of a small model (docs/verification.md). With the
sender in it, neither message can be sent back as an answer.

One honest holder's word is enough: each component has one, and the component that both honest parties hold is compared
between them. A corrupt party may still claim the right hash and go on with other shares; that is a deviation from the
protocol, for the protocol to find.
"""

from __future__ import annotations

import hashlib

import numpy as np

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.engines.mapped import row_blocks
from mpc_tamper.engines.rep3.protocol.context import as_bytes
from mpc_tamper.engines.rep3.protocol.prss import Prss, Purpose, Stream
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.transport.channel import Channel

_NAME = b"mpc-tamper rep3 share agreement"
_SALT_WORDS = 4
_HASH_BYTES = 32


def check_agreement(channel: Channel, prss: Prss, share: RepShare) -> None:
    """Raises ProtocolAbort, with the other holder, where it holds something else. One round, a hash to each peer."""
    for peer in disagreeing(channel, prss, share):
        raise ProtocolAbort(
            f"share agreement: expected party {peer} to hold the same shares as party {channel.party_id}, got others: "
            "a share file was edited or swapped, or belongs to another run; nothing was opened",
            peer,
        )


def disagreeing(channel: Channel, prss: Prss, share: RepShare) -> list[int]:
    """The peers that hold another copy of the component they have in common with this party."""
    me = channel.party_id
    shared_with = {
        channel.next: (share.own, prss.own[Purpose.SHARE_CHECK]),
        channel.previous: (share.previous, prss.previous[Purpose.SHARE_CHECK]),
    }
    salts = {peer: _salt(stream) for peer, (_, stream) in shared_with.items()}
    mine = {peer: _digest(me, salts[peer], values) for peer, (values, _) in shared_with.items()}
    theirs = {peer: bytearray(_HASH_BYTES) for peer in shared_with}
    channel.exchange(
        "share agreement",
        {peer: memoryview(digest) for peer, digest in mine.items()},
        {peer: memoryview(buffer) for peer, buffer in theirs.items()},
    )
    return [
        peer for peer, (values, _) in shared_with.items() if bytes(theirs[peer]) != _digest(peer, salts[peer], values)
    ]


def _salt(stream: Stream) -> bytes:
    return stream.draw(_SALT_WORDS).tobytes()


def _digest(sender: int, salt: bytes, values: np.ndarray) -> bytes:
    digest = hashlib.sha256(_NAME + bytes([sender]) + salt + values.size.to_bytes(8, "little"))
    values = np.ascontiguousarray(values)
    for rows in row_blocks(values):
        digest.update(as_bytes(values[rows]))
    return digest.digest()
