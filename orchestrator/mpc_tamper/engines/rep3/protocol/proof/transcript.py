"""Binding, challenges and verdicts.

h_0 = SHA-256(s_0 | everything P_i sent R in the batch), h_l = SHA-256(s_l | message l to L). A hash goes only to a
party that knows what was hashed, or is salted with 128 bits that its receiver lacks: s_0 comes from kappa_i, which L
lacks, s_l from kappa_{i-1}, which R lacks. The challenge is

    c_l = HMAC-SHA-256(K, session | prover | batch | l | h_0 .. h_l),   K derived from kappa_{i+1}, which P_i lacks.

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
_VERDICT = struct.Struct("<B27sQB32s")
VERDICT_BYTES = _VERDICT.size


def salt(stream: Stream) -> bytes:
    """The next 128 bits."""
    return stream.draw(SALT_WORDS).tobytes()


def bind(salt_bytes: bytes, message: bytes) -> bytes:
    return hashlib.sha256(salt_bytes + message).digest()


def challenge(key: bytes, session: bytes, prover: int, batch: int, hashes: list[bytes]) -> bytes:
    """c_l, l being the number of the last hash."""
    place = _PLACE.pack(prover, batch, len(hashes) - 1)
    return hmac.new(key, hashlib.sha256(session).digest() + place + b"".join(hashes), hashlib.sha256).digest()


def expand(challenge_bytes: bytes, purpose: bytes) -> Stream:
    """The random words that a challenge stands for."""
    return Stream(challenge_bytes, purpose)


def pack_verdict(check: str, batch: int, prover: int, last_hash: bytes) -> bytes:
    """check: what failed, empty for ACCEPT. No values."""
    return _VERDICT.pack(not check, check.encode()[:27].ljust(27, b"\0"), batch, prover, last_hash)


def unpack_verdict(verdict: bytes) -> str:
    """The name of the check that failed, as the sender has it."""
    return _VERDICT.unpack(verdict)[1].rstrip(b"\0").decode(errors="replace")
