"""Binding, challenges and verdicts.

P_i sends every message of a gate or an input to R alone. When R has received all of the batch, it tells L, and only
then do R and L answer. Later messages go to L, and their hashes h_l = SHA-256(s_l | message l) to R. A hash goes only
to a party that knows what was hashed, or is salted with 128 bits that its receiver lacks: s_l comes from kappa_{i-1},
which R lacks. The challenge is

    c_l = HMAC-SHA-256(K, session | prover | batch | l | h_1 .. h_l),   K derived from kappa_{i+1}, which P_i lacks.

So the prover is bound to its messages before it learns what they are tested with.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

from mpc_tamper.engines.rep3.protocol.prss import Stream

HASH_BYTES = 32
SALT_WORDS = 2
MAX_BATCHES = 1 << 64
_PLACE = struct.Struct("<BQH")
_CLOSED = b"closed"
CLOSED_BYTES = len(_CLOSED) + _PLACE.size
_VERDICT = struct.Struct("<B27sQB32s")
VERDICT_BYTES = _VERDICT.size


def salt(stream: Stream) -> bytes:
    """The next 128 bits."""
    return stream.draw(SALT_WORDS).tobytes()


def bind(salt_bytes: bytes, message: bytes) -> bytes:
    return hashlib.sha256(salt_bytes + message).digest()


def challenge(key: bytes, session: bytes, prover: int, batch: int, hashes: list[bytes]) -> bytes:
    """c_l, l being the number of hashes."""
    place = _PLACE.pack(prover, batch, len(hashes))
    return hmac.new(key, hashlib.sha256(session).digest() + place + b"".join(hashes), hashlib.sha256).digest()


def pack_closed(prover: int, batch: int) -> bytes:
    """R has all that the prover sends in this batch before its first challenge."""
    return _CLOSED + _PLACE.pack(prover, batch, 0)


def expand(challenge_bytes: bytes, purpose: bytes) -> Stream:
    """The random words that a challenge stands for."""
    return Stream(challenge_bytes, purpose)


def pack_verdict(check: str, batch: int, prover: int, last_hash: bytes) -> bytes:
    """check: what failed, empty for ACCEPT. No values."""
    return _VERDICT.pack(not check, check.encode()[:27].ljust(27, b"\0"), batch, prover, last_hash)


def unpack_verdict(verdict: bytes) -> str:
    """The name of the check that failed, as the sender has it."""
    return _VERDICT.unpack(verdict)[1].rstrip(b"\0").decode(errors="replace")
