"""Active security with abort: run the passive protocol, record its gates, prove them before anything is opened.

Before an opening, a write to share files, or when the record has grown past a size, the batch is closed, at the same
program point everywhere. Each party then proves to the other two that every message it sent in the batch was right
(proof/, docs/security.md). A party goes on only when both other parties have said ACCEPT, and it has itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from mpc_tamper.core.errors import ProofRejected, ProtocolAbort
from mpc_tamper.engines import mapped
from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.kernels import recording
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.bits import BitProver, BitStatement
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver, IntegerStatement
from mpc_tamper.engines.rep3.protocol.proof.record import (
    COMPONENTS,
    SEPARATE,
    TWO_PRODUCTS,
    Gates,
    MatrixGates,
    Product,
    Record,
    Role,
    freeze,
    identity,
)
from mpc_tamper.engines.rep3.protocol.proof.roles import Prover, Statement, Verifier
from mpc_tamper.engines.rep3.protocol.proof.soundness import LIMIT
from mpc_tamper.engines.rep3.protocol.prss import Prss, Purpose
from mpc_tamper.engines.rep3.protocol.recorder import Conversions, Pads
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.protocol.share_check import check_agreement
from mpc_tamper.engines.rep3.transport.channel import Channel

RECORD_BYTES = 112 << 20
# A record is proved when it has so many bytes, and one more for every few of the matrices that its proof reads where
# they lie, up to RECORD_BYTES. Memory takes long to touch for the first time; a batch takes milliseconds, and those
# matrices once more.
_SMALL_BYTES, _READ_TO_KEPT = 48 << 20, 4
_Key = TypeVar("_Key")
_CHECKS = ("binding", "inner product")


class Active:
    """One party's recorder.

    session: binds the run.  record_bytes: how large a record may grow at most.  storage: see Record.
    first_batch: its number, of a run that is simulated to have gone on for long.
    """

    bit_prover: type[BitProver] = BitProver  # tests put cheating ones in their place
    integer_prover: type[IntegerProver] = IntegerProver

    def __init__(
        self,
        channel: Channel,
        prss: Prss,
        session: bytes,
        *,
        record_bytes: int = RECORD_BYTES,
        storage: Storage | None = None,
        first_batch: int = 0,
    ) -> None:
        self._channel, self._prss, self._session = channel, prss, session
        self._record_bytes = record_bytes
        self._storage = storage or Storage()
        self._held = False
        self._record = self._nothing_yet()
        self.batches = first_batch
        self.soundness_error = 0.0

    # What is recorded

    def and_gates(self, planes: RepShare, left: np.ndarray, right: np.ndarray, z: RepShare, pads: Pads) -> None:
        gates = _group(self._record.bits, "and", TWO_PRODUCTS)
        own, previous = np.ascontiguousarray(planes.own), np.ascontiguousarray(planes.previous)
        self._keep(gates.record(z.own.size, recording.ands, own, previous, left, right, z.previous, *pads))

    def majorities(self, x: RepShare, z: RepShare, pads: Pads) -> None:
        gates = _group(self._record.bits, "majority", COMPONENTS)
        own, previous = np.ascontiguousarray(x.own), np.ascontiguousarray(x.previous)
        self._keep(gates.record(z.own.size, recording.majorities, own, previous, z.previous, *pads))

    def products(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads) -> None:
        party = self._channel.party_id
        # If x is an input, the owner's message holds the term that is else in that of the party before it.
        right_has_term = x.owner is None or (party - 1) % 3 != (x.owner - 1) % 3
        left_has_term = x.owner is not None and (party + 1) % 3 == x.owner
        inner = x.shape[-1] if z.own.ndim < x.own.ndim else 1
        gates = _group(self._record.integers, ("products", inner), TWO_PRODUCTS, inner)
        words = [each.ravel() for each in (x.own, x.previous, y.own, y.previous, z.previous, *pads)]
        self._keep(gates.record(z.own.size, recording.products, *words, inner, right_has_term, left_has_term))

    def conversions(self, known: Conversions) -> None:
        gates = _group(self._record.integers, ("conversions", 1), SEPARATE)
        self._keep(gates.record(known.own.size, recording.conversions, *known))

    def matrix(self, x: RepShare, y: RepShare, z: RepShare, pads: Pads, *, transposed: bool) -> None:
        """The products x_i y_i are left to the proof, which compresses them."""
        frozen = freeze(x)
        key = (*identity(frozen), transposed)
        group = self._record.matrices.get(key)
        kept = 0
        if group is None:
            group = self._record.matrices[key] = MatrixGates(frozen, transposed)
            # The same at all parties: a known zero may stay a view where x was copied, but nobody holds two zeros.
            copied = frozen.own is not x.own or frozen.previous is not x.previous
            size = frozen.own.nbytes + frozen.previous.nbytes
            if copied:
                kept = size
            else:
                self._record.limit = min(self._record_bytes, self._record.limit + size // _READ_TO_KEPT)
        in_place = pads[1] if _stands_alone(pads[1]) else None
        t_right = np.subtract(z.previous, pads[1], out=in_place)
        t_left = pads[0] if _stands_alone(pads[0]) else pads[0].copy()
        self._keep(kept + group.add(y, t_right, t_left))

    def lend(self, x: RepShare) -> bool:
        """Counted once, when it is frozen; which of the holder's arrays are is the same at all parties."""
        if not (mapped.is_frozen(x.own) and mapped.is_frozen(x.previous)):
            self._record.kept_bytes += x.own.nbytes + x.previous.nbytes
        mapped.freeze(x.own)
        mapped.freeze(x.previous)
        return True

    def _keep(self, size: int) -> None:
        self._record.kept_bytes += size
        if self._record.kept_bytes > self._record.limit and not self._held:
            self.prove()

    def _nothing_yet(self) -> Record:
        return Record(limit=min(self._record_bytes, _SMALL_BYTES), storage=self._storage)

    @contextlib.contextmanager
    def one_batch(self) -> Iterator[None]:
        """The messages of gates that share rounds are of one batch, as the argument on wrong batches has it."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self._keep(0)

    # Proofs

    def prove(self) -> None:
        """Prove what is recorded, and verify the others' proofs. Raises ProofRejected, or what a lost link raises.

        The record is dropped before it is proved, and a rejection is final: nobody gets to prove or open anything else.
        """
        with self._channel.final.guard():
            if not self._record.empty:
                self._prove()

    def _prove(self) -> None:
        if self.batches >= transcript.MAX_BATCHES:
            raise ProtocolAbort("expected at most 2^64 batches of proofs in a run, got more; start a new run")
        record, self._record = self._record, self._nothing_yet()
        statements = _statements(record)
        self._account(sum(each.error for each in statements))
        batch = _Batch(self._channel, self._prss, self._session, self.batches, record, statements)
        batch.run({"bits": self.bit_prover, "integers": self.integer_prover})
        self.batches += 1

    def second_copy(self, component: np.ndarray) -> np.ndarray:
        """A hash: what is opened is proved, so that the two copies differ only where a holder lies now."""
        return np.frombuffer(hashlib.sha256(component.astype("<u8").tobytes()).digest(), np.uint8)

    def check_agreement(self, share: RepShare) -> None:
        with self._channel.final.guard():
            check_agreement(self._channel, self._prss, share)

    def finish(self) -> None:
        self._channel.final.check()
        if not self._record.empty:
            raise ProtocolAbort("expected every gate to be proved before the end, got unproved ones: call prove()")

    def _account(self, error: float) -> None:
        """Refuse a batch above the limit.

        The largest error of a batch is that of the run: to accept anything wrong, the parties have to accept the first
        batch that holds a wrong message, and where they reject it there is no other (docs/security.md, Soundness).
        """
        if error > LIMIT:
            raise ProtocolAbort(
                f"expected a soundness error of at most 2^{math.log2(LIMIT):.0f} for a batch, got "
                f"2^{math.log2(error):.1f} for batch {self.batches}; nothing of this batch was opened. Split the "
                "program's operations by an opening in between"
            )
        self.soundness_error = max(self.soundness_error, error)


def _group(groups: dict[_Key, Gates], key: _Key, products: tuple[Product, ...], inner: int = 1) -> Gates:
    if key not in groups:
        groups[key] = Gates(products, inner)
    return groups[key]


def _stands_alone(pad: np.ndarray) -> bool:
    """Whether it keeps at most twice itself in memory, and may be recorded: small ones are parts of what was drawn
    ahead, of which nobody else reads or writes theirs."""
    whole = pad.base
    return whole is None or whole.nbytes <= 2 * pad.nbytes


def _statements(record: Record) -> list[Statement]:
    statements: list[Statement] = []
    if record.bits:
        statements.append(BitStatement.of(record))
    if record.integers or record.matrices:
        statements.append(IntegerStatement.of(record))
    return statements


class _Batch:
    """The proofs of one batch. Party p proves, is R to p - 1 and L to p + 1."""

    def __init__(
        self, channel: Channel, prss: Prss, session: bytes, batch: int, record: Record, statements: list[Statement]
    ) -> None:
        self._channel, self._prss, self._session, self._batch = channel, prss, session, batch
        self._record, self._statements = record, statements
        # Provers by what this party is to them, and the hashes of their transcripts so far.
        self._prover_of = {Role.PROVER: channel.party_id, Role.RIGHT: channel.previous, Role.LEFT: channel.next}
        self._hashes: dict[Role, list[bytes]] = {role: [] for role in Role}

    def run(self, prover_classes: Mapping[str, Callable[..., Prover]]) -> None:
        challenge = self._close()
        provers, rights, lefts = self._enter(challenge, prover_classes)
        for number in range(max(each.levels for each in self._statements)):
            self._level(number, provers, rights, lefts)
        self._conclude(rights, lefts)

    def _close(self) -> bytes:
        """The challenge from which all weights come, once each R has all messages of the batch.

        R says so to L, which answers the prover only then. So no prover learns a weight while it has a message to send.
        """
        channel = self._channel
        closed, got = self._closed(Role.RIGHT), bytearray(transcript.CLOSED_BYTES)
        channel.exchange("proof/closed", {channel.next: memoryview(closed)}, {channel.previous: memoryview(got)})
        if bytes(got) != self._closed(Role.LEFT):
            prover = self._prover_of[Role.LEFT]
            raise ProofRejected(_rejection(_CHECKS[0], self._batch, prover, channel.party_id))
        return self._challenge()

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
            entries = each.entries(self._record, self._channel.party_id, challenge)
            pads, masks = own[Purpose.PROOF_RIGHT], previous[Purpose.PROOF_LEFT]
            provers.append(prover_classes[each.name](each, entries, pads, masks))
            rights.append(each.verifier(entries, Role.RIGHT, previous[Purpose.PROOF_RIGHT]))
            lefts.append(each.verifier(entries, Role.LEFT, own[Purpose.PROOF_LEFT]))
        self._record = Record()
        return provers, rights, lefts

    def _level(self, number: int, provers: list[Prover], rights: list[Verifier], lefts: list[Verifier]) -> None:
        """One message to L, its hash to R, a challenge back."""
        channel = self._channel
        active = [i for i, each in enumerate(self._statements) if number < each.levels]
        message = b"".join(provers[i].message(number) for i in active)
        bound = transcript.bind(transcript.salt(self._prss.previous[Purpose.PROOF_LEFT]), message)
        sizes = [self._statements[i].message_bytes(number) for i in active]
        from_next, from_previous = bytearray(sum(sizes)), bytearray(transcript.HASH_BYTES)
        channel.exchange(
            f"proof/level.{number}",
            {channel.previous: memoryview(message), channel.next: memoryview(bound)},
            {channel.next: memoryview(from_next), channel.previous: memoryview(from_previous)},
        )
        right_parts = [rights[i].receive(number, None) for i in active]
        stops = np.cumsum([0, *sizes]).tolist()
        left_parts = [lefts[i].receive(number, bytes(from_next[stops[j] : stops[j + 1]])) for j, i in enumerate(active)]
        expected = transcript.bind(transcript.salt(self._prss.own[Purpose.PROOF_LEFT]), bytes(from_next))
        for role, digest in ((Role.PROVER, bound), (Role.RIGHT, bytes(from_previous)), (Role.LEFT, expected)):
            self._hashes[role].append(digest)
        challenge = self._challenge()
        for j, i in enumerate(active):
            provers[i].fold(number, challenge)
            rights[i].fold(number, right_parts[j], challenge)
            lefts[i].fold(number, left_parts[j], challenge)

    def _challenge(self) -> bytes:
        """The next challenge of all three proofs, of three parts: the two verifiers of a prover know its part.

        Each party tells both others the two parts that it knows, and goes on only if all three have the same ones. A
        prover would else use what a corrupt verifier says alone; and a corrupt prover that shows R one thing and L
        another would have the two of them prove and verify at different places, which tells it something of a secret.
        """
        channel = self._channel
        keys = {Role.RIGHT: self._prss.own_challenge_key, Role.LEFT: self._prss.previous_challenge_key}
        right, left = (
            transcript.challenge_part(key, self._session, self._prover_of[role], self._batch, self._hashes[role])
            for role, key in keys.items()
        )
        told = {peer: bytearray(2 * transcript.PART_BYTES) for peer in (channel.next, channel.previous)}
        channel.exchange(
            "proof/challenge",
            dict.fromkeys(told, memoryview(right + left)),
            {peer: memoryview(parts) for peer, parts in told.items()},
        )
        # The next party is R of this one and L of the previous one; the previous party is R of the next one, and L.
        (next_right, next_left), (previous_right, previous_left) = map(transcript.halves, told.values())
        parts = {
            channel.party_id: (next_right, previous_left),
            channel.previous: (right, next_left),
            channel.next: (left, previous_right),
        }
        for prover in transcript.disputed(parts):
            raise ProofRejected(
                f"check 'challenge' of batch {self._batch} failed: the two verifiers of party {prover} have different "
                "challenges for it. One of the parties told the others different things; nothing of this batch was "
                "opened or kept"
            )
        return transcript.challenge([part for part, _ in parts.values()])

    def _conclude(self, rights: list[Verifier], lefts: list[Verifier]) -> None:
        """R opens to L, L decides, everybody hears."""
        channel = self._channel
        shown = b"".join(right.opening() for right in rights)
        sizes = [each.opening_bytes(self._prover_of[Role.LEFT]) for each in self._statements]
        got = bytearray(sum(sizes))
        channel.exchange("proof/opening", {channel.next: memoryview(shown)}, {channel.previous: memoryview(got)})
        stops = np.cumsum([0, *sizes]).tolist()
        accepted = all(left.accepts(bytes(got[stops[i] : stops[i + 1]])) for i, left in enumerate(lefts))
        failed = "" if accepted else _CHECKS[1]
        self._announce(failed)

    def _announce(self, failed: str) -> None:
        """Tell both others this party's verdict on its successor; go on only if all three proofs are accepted."""
        channel, prover = self._channel, self._prover_of[Role.LEFT]
        verdict = transcript.pack_verdict(failed, self._batch, prover, self._hashes[Role.LEFT][-1])
        peers = (channel.next, channel.previous)
        got = {peer: bytearray(transcript.VERDICT_BYTES) for peer in peers}
        try:
            channel.exchange(
                "proof/accept",
                dict.fromkeys(peers, memoryview(verdict)),
                {peer: memoryview(value) for peer, value in got.items()},
            )
        finally:  # a rejection ends the run, also when a peer has left meanwhile because of it
            if failed:
                raise ProofRejected(_rejection(failed, self._batch, prover, channel.party_id))
        # The next party decided on the previous one's proof, of which this party is R; the previous one on its own.
        for peer, role in ((channel.next, Role.RIGHT), (channel.previous, Role.PROVER)):
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
