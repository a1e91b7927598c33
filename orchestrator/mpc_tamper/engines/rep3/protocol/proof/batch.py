"""The proofs of one batch, as the messages that are exchanged for them (docs/security.md).

Party p proves, is R to p - 1 and L to p + 1. What is computed from one message to the next takes nothing but what was
recorded, what has come, and pads and keys that serve nothing else. So it does not matter on which thread it is, nor
what else the party sends meanwhile (beside.py).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.record import Record, Role
from mpc_tamper.engines.rep3.protocol.proof.roles import Prover, Statement, Verifier
from mpc_tamper.engines.rep3.protocol.prss import Prss, Purpose

_CHECKS = ("binding", "inner product")
# How many exchanges a proof has: before the first level, for each level, and after the last one.
CLOSING, OF_LEVEL, CONCLUDING = 3, 3, 2


@dataclass(frozen=True)
class Exchange:
    """What goes to each peer and comes from it, as Channel.exchange has it."""

    tag: str
    send: Mapping[int, memoryview]
    receive: Mapping[int, memoryview]


Exchanges = Generator[Exchange, None, None]
NOTHING = Exchange("", {}, {})  # after each challenge that all agree on, before anything is computed by it


class Batch:
    """party_id: of this party.  batch: its number.  statements: of what is recorded."""

    def __init__(
        self, party_id: int, prss: Prss, session: bytes, batch: int, record: Record, statements: Sequence[Statement]
    ) -> None:
        self._party_id, self._next, self._previous = party_id, (party_id + 1) % 3, (party_id - 1) % 3
        self._prss, self._session, self._batch = prss, session, batch
        self._record, self._statements = record, statements
        # Provers by what this party is to them, and the hashes of their transcripts so far.
        self._prover_of = {Role.PROVER: party_id, Role.RIGHT: self._previous, Role.LEFT: self._next}
        self._hashes: dict[Role, list[bytes]] = {role: [] for role in Role}

    @property
    def levels(self) -> int:
        return max(each.levels for each in self._statements)

    def exchanges(self, prover_classes: Mapping[str, Callable[..., Prover]]) -> Exchanges:
        """In their order. Where one fails, that is thrown in. Raises ProofRejected."""
        challenge = yield from self._close()
        provers, rights, lefts = self._enter(challenge, prover_classes)
        for number in range(self.levels):
            yield from self._level(number, provers, rights, lefts)
        yield from self._conclude(rights, lefts)

    def _close(self) -> Generator[Exchange, None, bytes]:
        """The challenge from which all weights come, once each R has all messages of the batch.

        R says so to L, which answers the prover only then. So no prover learns a weight while it has a message to send.
        """
        closed, got = self._closed(Role.RIGHT), bytearray(transcript.CLOSED_BYTES)
        yield Exchange("proof/closed", {self._next: memoryview(closed)}, {self._previous: memoryview(got)})
        if bytes(got) != self._closed(Role.LEFT):
            raise ProofRejected(_rejection(_CHECKS[0], self._batch, self._prover_of[Role.LEFT], self._party_id))
        return (yield from self._challenge())

    def _closed(self, role: Role) -> bytes:
        return transcript.pack_closed(self._prover_of[role], self._batch)

    def _enter(
        self, challenge: bytes, prover_classes: Mapping[str, Callable[..., Prover]]
    ) -> tuple[list[Prover], list[Verifier], list[Verifier]]:
        own, previous = self._prss.own, self._prss.previous
        provers: list[Prover] = []
        rights: list[Verifier] = []
        lefts: list[Verifier] = []
        for each in self._statements:
            entries = each.entries(self._record, self._party_id, challenge)
            pads, masks = own[Purpose.PROOF_RIGHT], previous[Purpose.PROOF_LEFT]
            provers.append(prover_classes[each.name](each, entries, pads, masks))
            rights.append(each.verifier(entries, Role.RIGHT, previous[Purpose.PROOF_RIGHT]))
            lefts.append(each.verifier(entries, Role.LEFT, own[Purpose.PROOF_LEFT]))
        self._record = Record()
        return provers, rights, lefts

    def _level(
        self, number: int, provers: Sequence[Prover], rights: Sequence[Verifier], lefts: Sequence[Verifier]
    ) -> Exchanges:
        """One message to L, its hash to R, a challenge back."""
        active = [i for i, each in enumerate(self._statements) if number < each.levels]
        message = b"".join(provers[i].message(number) for i in active)
        bound = transcript.bind(transcript.salt(self._prss.previous[Purpose.PROOF_LEFT]), message)
        sizes = [self._statements[i].message_bytes(number) for i in active]
        from_next, from_previous = bytearray(sum(sizes)), bytearray(transcript.HASH_BYTES)
        yield Exchange(
            f"proof/level.{number}",
            {self._previous: memoryview(message), self._next: memoryview(bound)},
            {self._next: memoryview(from_next), self._previous: memoryview(from_previous)},
        )
        right_parts = [rights[i].receive(number, None) for i in active]
        stops = np.cumsum([0, *sizes]).tolist()
        left_parts = [lefts[i].receive(number, bytes(from_next[stops[j] : stops[j + 1]])) for j, i in enumerate(active)]
        expected = transcript.bind(transcript.salt(self._prss.own[Purpose.PROOF_LEFT]), bytes(from_next))
        for role, digest in ((Role.PROVER, bound), (Role.RIGHT, bytes(from_previous)), (Role.LEFT, expected)):
            self._hashes[role].append(digest)
        challenge = yield from self._challenge()
        for j, i in enumerate(active):
            provers[i].fold(number, challenge)
            rights[i].fold(number, right_parts[j], challenge)
            lefts[i].fold(number, left_parts[j], challenge)

    def _challenge(self) -> Generator[Exchange, None, bytes]:
        """The next challenge of all three proofs, of three parts: the two verifiers of a prover know its part.

        Each party tells both others the two parts that it knows, and goes on only if all three have the same ones. A
        prover would else use what a corrupt verifier says alone; and a corrupt prover that shows R one thing and L
        another would have the two of them prove and verify at different places, which tells it something of a secret.
        """
        keys = {Role.RIGHT: self._prss.own_challenge_key, Role.LEFT: self._prss.previous_challenge_key}
        right, left = (
            transcript.challenge_part(key, self._session, self._prover_of[role], self._batch, self._hashes[role])
            for role, key in keys.items()
        )
        told = {peer: bytearray(2 * transcript.PART_BYTES) for peer in (self._next, self._previous)}
        yield Exchange(
            "proof/challenge",
            dict.fromkeys(told, memoryview(right + left)),
            {peer: memoryview(parts) for peer, parts in told.items()},
        )
        # The next party is R of this one and L of the previous one; the previous party is R of the next one, and L.
        (next_right, next_left), (previous_right, previous_left) = map(transcript.halves, told.values())
        parts = {
            self._party_id: (next_right, previous_left),
            self._previous: (right, next_left),
            self._next: (left, previous_right),
        }
        for prover in transcript.disputed(parts):
            raise ProofRejected(
                f"check 'challenge' of batch {self._batch} failed: the two verifiers of party {prover} have different "
                "challenges for it. One of the parties told the others different things; nothing of this batch was "
                "opened or kept"
            )
        yield NOTHING
        return transcript.challenge([part for part, _ in parts.values()])

    def _conclude(self, rights: Sequence[Verifier], lefts: Sequence[Verifier]) -> Exchanges:
        """R opens to L, L decides, everybody hears."""
        shown = b"".join(right.opening() for right in rights)
        sizes = [each.opening_bytes(self._prover_of[Role.LEFT]) for each in self._statements]
        got = bytearray(sum(sizes))
        yield Exchange("proof/opening", {self._next: memoryview(shown)}, {self._previous: memoryview(got)})
        stops = np.cumsum([0, *sizes]).tolist()
        accepted = all(left.accepts(bytes(got[stops[i] : stops[i + 1]])) for i, left in enumerate(lefts))
        yield from self._announce("" if accepted else _CHECKS[1])

    def _announce(self, failed: str) -> Exchanges:
        """Tell both others this party's verdict on its successor; go on only if all three proofs are accepted."""
        prover = self._prover_of[Role.LEFT]
        rejected = ProofRejected(_rejection(failed, self._batch, prover, self._party_id))
        verdict = transcript.pack_verdict(failed, self._batch, prover, self._hashes[Role.LEFT][-1])
        peers = (self._next, self._previous)
        got = {peer: bytearray(transcript.VERDICT_BYTES) for peer in peers}
        verdicts = {peer: memoryview(value) for peer, value in got.items()}
        try:
            yield Exchange("proof/accept", dict.fromkeys(peers, memoryview(verdict)), verdicts)
        except Exception as exc:  # a rejection ends the run, also when a peer has left meanwhile because of it
            if failed:
                raise rejected from exc
            raise
        if failed:
            raise rejected
        # The next party decided on the previous one's proof, of which this party is R; the previous one on its own.
        for peer, role in ((self._next, Role.RIGHT), (self._previous, Role.PROVER)):
            expected = transcript.pack_verdict("", self._batch, self._prover_of[role], self._hashes[role][-1])
            if bytes(got[peer]) != expected:
                check = transcript.unpack_verdict(bytes(got[peer]))
                check = check if check in _CHECKS else "verdict"
                raise ProofRejected(_rejection(check, self._batch, self._prover_of[role], peer))


def _rejection(check: str, batch: int, prover: int, judge: int) -> str:
    return (
        f"check '{check}' of batch {batch} failed: party {judge} rejects the proof of party {prover}. One of the "
        "parties deviated from the protocol; nothing of this batch was opened or kept"
    )
