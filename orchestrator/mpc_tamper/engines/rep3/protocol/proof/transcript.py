"""Binding, challenges and verdicts.

P_i sends every message of a gate or an input to R alone. When R has received all of the batch, it tells L, and only
then do R and L answer. Later messages go to L, and their hashes h_l = SHA-256(s_l | message l) to R. A hash goes only
to a party that knows what was hashed, or is salted with 128 bits that its receiver lacks: s_l comes from kappa_{i-1},
which R lacks. P_i's part of challenge l is

    c_i,l = HMAC-SHA-256(K_i, session | prover | batch | l | h_1 .. h_l),   K_i from kappa_{i+1}, which P_i lacks,

and the challenge of all three proofs is the xor of the three parts. P_i knows the other two parts, and R and L tell it
its own. So the prover is bound to its messages before it learns what they are tested with.
"""

from __future__ import annotations

import hashlib
import hmac
import operator
import struct
from collections.abc import Mapping, Sequence
from functools import reduce

from mpc_tamper.engines.rep3.protocol.prss import Stream

HASH_BYTES = 32
PART_BYTES = 32  # of a challenge
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


def challenge_part(key: bytes, session: bytes, prover: int, batch: int, hashes: list[bytes]) -> bytes:
    """c_i,l of prover i, l being the number of hashes."""
    place = _PLACE.pack(prover, batch, len(hashes))
    return hmac.new(key, hashlib.sha256(session).digest() + place + b"".join(hashes), hashlib.sha256).digest()


def disputed(parts: Mapping[int, tuple[bytes, bytes]]) -> list[int]:
    """The provers whose two verifiers say different things. parts: what they say, by prover."""
    return [prover for prover, (one, other) in parts.items() if one != other]


def challenge(parts: Sequence[bytes]) -> bytes:
    """c_l, from the parts of the three provers in any order: uniform to a prover that lacks its own."""
    joined = reduce(operator.xor, (int.from_bytes(part, "little") for part in parts))
    return joined.to_bytes(PART_BYTES, "little")


def halves(parts: bytes | bytearray) -> tuple[bytes, bytes]:
    """The two parts that a party tells: as R of the previous party, and as L of the next one."""
    return bytes(parts[:PART_BYTES]), bytes(parts[PART_BYTES:])


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
