"""The first messages of a run: are we all running the same thing? A session of its own, then fresh keys.

Nobody hands out the session: each party contributes 32 random bytes, its budget of memory and its number of threads,
r_i, to its hello and

    session = SHA-256(name | what is agreed on | r_0 | r_1 | r_2).

One honest party's bytes are enough to make it new, whatever the others send or repeat from an earlier run. A second
message compares the sessions, so that nobody can contribute different bytes to the two others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mpc_tamper.core.errors import HandshakeError, ProgramError
from mpc_tamper.core.memory import LEAST_BYTES
from mpc_tamper.engines.frontend.program import Program
from mpc_tamper.engines.rep3.protocol.prss import KEY_BYTES, Prss
from mpc_tamper.engines.rep3.transport.channel import Channel

WIRE_VERSION = 10
_FIELD_BYTES = 32
_MEMORY_BYTES, _THREADS_BYTES = 6, 2
_MOST_MEMORY, _MOST_THREADS = ((1 << 8 * size) - 1 for size in (_MEMORY_BYTES, _THREADS_BYTES))  # more count as that
_SESSION = b"mpc-tamper rep3 session"
PROGRAM = "program and arguments (sha256)"
_SPELLED_BYTES = 4096  # of arguments, where they differ
_MOST_DIFFERENCES = 3  # that an error names


@dataclass(frozen=True)
class Terms:
    """What all parties of a run must agree on.

    program_sha256: of the program's text and its arguments.  source_sha256, args: both apart, so that an error can say
    which of them differs.
    """

    program_sha256: str
    protocol: str
    source_sha256: str = ""
    args: tuple[str, ...] = ()

    @classmethod
    def of(cls, program: Program, args: Sequence[str], protocol: str) -> Terms:
        args = compared(args)
        return cls(program.sha256(args), protocol, program.sha256(), args)

    def fields(self) -> dict[str, bytes]:
        """Each of 32 bytes."""
        return {
            "wire version": WIRE_VERSION.to_bytes(_FIELD_BYTES, "little"),
            "protocol": self.protocol.encode().ljust(_FIELD_BYTES, b"\0"),
            PROGRAM: bytes.fromhex(self.program_sha256),
        }


class Agreed(NamedTuple):
    """session: 32 bytes, equal at all parties, new in each run, and no secret.

    memory: the smallest budget that a party has, None for no limit.  threads: of the party that has the fewest.
    """

    session: bytes
    memory: int | None
    threads: int


def compared(args: Sequence[str]) -> tuple[str, ...]:
    """Arguments that have to be equal everywhere.

    file=PATH names a host's own copy of a public file, whose hash is another argument, sha256=HEX: the path is its own.
    """
    hashed = any(each.startswith("sha256=") for each in args)
    return tuple(each for each in args if not (hashed and each.startswith("file=")))


def agree(channel: Channel, terms: Terms, memory: int | None = None, threads: int = 1) -> Agreed:
    """Compare terms with both peers; agree on a session, and on what all parties have.

    The session covers budgets and threads, so that nobody can tell the two others different ones.  memory: this party's
    budget in bytes, None for no limit; less than LEAST_BYTES of a peer counts as that.

    Raises HandshakeError that names the peer and what differs.
    """
    fields = terms.fields()
    agreed = b"".join(fields.values())
    contribution = os.urandom(_FIELD_BYTES) + min(memory or 0, _MOST_MEMORY).to_bytes(_MEMORY_BYTES, "little")
    contribution += min(threads, _MOST_THREADS).to_bytes(_THREADS_BYTES, "little")
    hellos = _exchange(channel, "hello", agreed + contribution)
    for i, (name, value) in enumerate(fields.items()):
        said = {peer: hellos[peer][i * _FIELD_BYTES : (i + 1) * _FIELD_BYTES] for peer in hellos}
        differing = [peer for peer in (channel.next, channel.previous) if said[peer] != value]
        if not differing:
            continue
        if name == PROGRAM:  # where two parties differ, each of the three differs from one of them
            _spell_out(channel, terms, differing)
        raise HandshakeError(
            f"party {differing[0]} runs another {name}: expected {_shown(value)}, got {_shown(said[differing[0]])}; "
            "start all parties with the same program, arguments and protocol",
            differing[0],
        )
    contributions = {peer: hello[len(agreed) :] for peer, hello in hellos.items()} | {channel.party_id: contribution}
    session = hashlib.sha256(_SESSION + agreed + b"".join(contributions[i] for i in sorted(contributions))).digest()
    for peer, theirs in _exchange(channel, "session", session).items():
        if theirs != session:
            raise HandshakeError(
                f"party {peer} takes part in another session: expected {session.hex()[:16]}..., got "
                f"{theirs.hex()[:16]}...; it or the third party sent the two others different hellos: do not go on"
            )
    facts = [each[_FIELD_BYTES:] for each in contributions.values()]
    budgets = [int.from_bytes(each[:_MEMORY_BYTES], "little") for each in facts]
    least = min((max(LEAST_BYTES, budget) for budget in budgets if budget), default=None)
    return Agreed(session, least, min(int.from_bytes(each[_MEMORY_BYTES:], "little") for each in facts))


def _spell_out(channel: Channel, terms: Terms, differing: Sequence[int]) -> None:
    """Raises HandshakeError with the arguments by which the parties differ. They are public."""
    spelled = json.dumps([terms.source_sha256, *terms.args]).encode()
    others = _exchange(channel, "terms", spelled[:_SPELLED_BYTES].ljust(_SPELLED_BYTES))
    for peer in differing:
        try:
            program, *args = json.loads(others[peer])
        except (ValueError, TypeError):  # cut off, or something else
            continue
        if not all(isinstance(each, str) for each in (program, *args)):
            continue
        if program != terms.source_sha256:
            raise HandshakeError(
                f"party {peer} runs another program: expected one of sha256 {terms.source_sha256[:16]}..., got "
                f"{program[:16]}...; install the same version of it on all three hosts",
                peer,
            )
        if differences := _differences(terms.args, args):
            raise HandshakeError(
                f"party {peer} runs with other arguments: {'; '.join(differences)}; start all parties with the same",
                peer,
            )


def _differences(ours: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Each argument NAME=VALUE that differs, in words; others by their place."""

    def named(args: Sequence[str]) -> dict[str, str]:
        pairs = [each.partition("=") for each in args]
        return {
            name if equals else f"argument {i}": value if equals else name
            for i, (name, equals, value) in enumerate(pairs)
        }

    own, other = named(ours), named(theirs)
    names = [name for name in dict.fromkeys([*own, *other]) if own.get(name) != other.get(name)]
    words = [f"{name}: expected {own.get(name, 'none')[:60]}, got {other.get(name, 'none')[:60]}" for name in names]
    more = len(words) - _MOST_DIFFERENCES
    return words[:_MOST_DIFFERENCES] + ([f"{more} more"] if more > 0 else [])


def _shown(value: bytes) -> str:
    """A word as it is, and the beginning of a hash."""
    word = value.rstrip(b"\0")
    readable = len(word) < _FIELD_BYTES and word.isascii() and word.decode("ascii", "replace").isprintable()
    return word.decode() if word and readable else f"{value.hex()[:16]}..."


def compare_public_values(channel: Channel, digest: bytes) -> None:
    """At the end of a run. digest: 32 bytes, over the public values that this party's program computed with.

    Each party runs the program's Python itself; one that looks at random numbers, at the time or at the order of a
    set may go another way at each. Raises ProgramError: the result of such a run means nothing. After any failure that
    the program has caught, raises that failure again.
    """
    for peer, theirs in _exchange(channel, "public values", digest).items():
        if theirs != digest:
            raise ProgramError(
                f"expected the program to compute with the same public values at all parties, got others at party "
                f"{peer}; it must not depend on random numbers, the time, the host or the order of a set"
            )


def _exchange(channel: Channel, tag: str, message: bytes) -> dict[int, bytes]:
    """Send to both peers, receive as many bytes from each."""
    peers = (channel.next, channel.previous)
    theirs = {peer: bytearray(len(message)) for peer in peers}
    channel.exchange(tag, dict.fromkeys(peers, memoryview(message)), {p: memoryview(b) for p, b in theirs.items()})
    return {peer: bytes(buffer) for peer, buffer in theirs.items()}


def agree_on_keys(channel: Channel, *, insecure_fixed_seed: int | None = None, first_block: int = 0) -> Prss:
    """Draw kappa_i and send it to party i + 1.  first_block: see Stream.

    insecure_fixed_seed makes the pads repeatable, for tests only: whoever knows it sees through every mask.
    """
    if insecure_fixed_seed is None:
        own = os.urandom(KEY_BYTES)
    else:
        own = (insecure_fixed_seed * 3 + channel.party_id).to_bytes(KEY_BYTES, "little")
    previous = bytearray(KEY_BYTES)
    channel.shift("key", memoryview(own), memoryview(previous))
    return Prss(own, bytes(previous), first_block)
