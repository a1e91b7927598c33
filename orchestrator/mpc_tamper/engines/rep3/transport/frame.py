"""The header of a message: no I/O.

16 bytes, little-endian: tag (6 bytes of the hash of its name), sequence number (6 bytes, per link and direction, from
0), payload length (uint32). Both ends run the same program, so the receiver knows all three beforehand and takes
nothing else. Integrity and confidentiality are TLS's.
"""

from __future__ import annotations

import functools
import hashlib
import struct

from mpc_tamper.core.errors import FrameError, PeerLost
from mpc_tamper.runs.protocols import PARTIES

_HEADER = struct.Struct("<6sHII")  # of the sequence number, the upper 16 bits and then the others
HEADER_BYTES = _HEADER.size
_TAG_BYTES = 6
MAX_PAYLOAD = (1 << 32) - 1
MAX_SEQUENCE = (1 << 48) - 1
ABORT = "abort"


@functools.lru_cache(maxsize=4096)
def tag_bytes(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def pack_header(tag: str, sequence: int, length: int) -> bytes:
    if not 0 <= length <= MAX_PAYLOAD:
        raise FrameError(f"message {tag!r}: expected a payload below 2^32 bytes, got {length}; send it in parts")
    if sequence > MAX_SEQUENCE:
        raise FrameError(f"message {tag!r}: expected at most 2^48 messages on a link, got more; start a new run")
    return _pack(tag, sequence, length)


def pack_abort(culprit: int) -> bytes:
    """An abort carries who is at fault in place of a sequence number, and no payload."""
    return _pack(ABORT, culprit, 0)


def _pack(tag: str, number: int, length: int) -> bytes:
    # Of the eight bytes, the header's format keeps the first six.
    return _HEADER.pack(tag_bytes(tag), number >> 32, number & 0xFFFFFFFF, length)


def _unpack(header: bytes) -> tuple[bytes, int, int]:
    tag, upper, lower, length = _HEADER.unpack(header)
    return tag, upper << 32 | lower, length


def check_header(header: bytes, tag: str, sequence: int, length: int, sender: int) -> None:
    """Raises FrameError unless the header is the one expected, PeerLost if the sender gives up."""
    if header == _pack(tag, sequence, length) and tag != ABORT:
        return
    check_abort(header, sender)
    got_tag, got_sequence, got_length = _unpack(header)
    fault = ""
    if got_tag != tag_bytes(tag)[:_TAG_BYTES]:
        fault = f"a message tagged {got_tag.hex()}, expected {tag!r}"
    elif got_sequence != sequence:
        fault = f"message {got_sequence} ({tag!r}), expected number {sequence}"
    elif got_length != length:
        kind = "oversized" if got_length > length else "truncated"
        fault = f"a {kind} message {tag!r}: {got_length} bytes, expected {length}"
    if fault:
        error = FrameError(f"party {sender} sent {fault}", sender)
        error.unread = got_length
        raise error


def check_abort(header: bytes, sender: int) -> None:
    """Raises PeerLost if the sender gives up, with the party at fault."""
    tag, culprit, _ = _unpack(header)
    if tag == tag_bytes(ABORT)[:_TAG_BYTES]:
        if culprit == sender or culprit not in range(PARTIES):
            raise PeerLost(f"party {sender} gave up", sender)
        accusation = PeerLost(f"party {sender} gave up because of party {culprit}", culprit)
        accusation.accuser = sender
        raise accusation
