"""Active security with abort: run the passive protocol, record its gates, prove them before anything is opened.

Before an opening, a write to share files, or when the record has grown past a size, the batch is closed, at the same
program point everywhere. Each party then proves to the other two that every message it sent in the batch was right
(proof/, docs/security.md). A party goes on only when both other parties have said ACCEPT, and it has itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.engines import mapped
from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.kernels import recording
from mpc_tamper.engines.rep3.protocol.beside import Beside, in_turn
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.batch import Batch
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
    freeze,
    identity,
)
from mpc_tamper.engines.rep3.protocol.proof.roles import Statement
from mpc_tamper.engines.rep3.protocol.proof.soundness import LIMIT
from mpc_tamper.engines.rep3.protocol.prss import Prss
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


class Active:
    """One party's recorder.

    session: binds the run.  record_bytes: how large a record may grow at most.  storage: see Record.
    first_batch: its number, of a run that is simulated to have gone on for long.
    beside: whether a second thread proves a full record while the next one is filled; the same at all parties.
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
        beside: bool = False,
    ) -> None:
        self._channel, self._prss, self._session = channel, prss, session
        self._record_bytes = record_bytes
        self._storage = storage or Storage()
        self._held = False
        self._beside = beside
        self._under_way: Beside | None = None
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
        record = self._record
        record.kept_bytes += size
        if self._held:
            return
        if record.kept_bytes > record.limit:
            if self._beside:
                self._prove_beside()
            else:
                self.prove()
        elif self._under_way is not None:
            with self._channel.final.guard():
                self._under_way.advance(record.kept_bytes / record.limit)

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
            self._finish_what_is_under_way()
            if not self._record.empty:
                in_turn(self._channel, self._taken().exchanges(self._provers()))

    def _prove_beside(self) -> None:
        """The same, but for the batch that is closed now: it is proved while the next one is recorded."""
        with self._channel.final.guard():
            self._finish_what_is_under_way()
            if not self._record.empty:
                batch = self._taken()
                self._under_way = Beside(self._channel, batch.exchanges(self._provers()), batch.levels)

    def _finish_what_is_under_way(self) -> None:
        if self._under_way is not None:
            self._under_way.finish()
            self._under_way = None

    def _provers(self) -> dict[str, type[BitProver] | type[IntegerProver]]:
        return {"bits": self.bit_prover, "integers": self.integer_prover}

    def _taken(self) -> Batch:
        """What is recorded, of which nothing is left here."""
        if self.batches >= transcript.MAX_BATCHES:
            raise ProtocolAbort("expected at most 2^64 batches of proofs in a run, got more; start a new run")
        record, self._record = self._record, self._nothing_yet()
        statements = _statements(record)
        self._account(sum(each.error for each in statements))
        number, self.batches = self.batches, self.batches + 1
        return Batch(self._channel.party_id, self._prss, self._session, number, record, statements)

    def second_copy(self, component: np.ndarray) -> np.ndarray:
        """A hash: what is opened is proved, so that the two copies differ only where a holder lies now."""
        return np.frombuffer(hashlib.sha256(component.astype("<u8").tobytes()).digest(), np.uint8)

    def check_agreement(self, share: RepShare) -> None:
        with self._channel.final.guard():
            check_agreement(self._channel, self._prss, share)

    def finish(self) -> None:
        self._channel.final.check()
        if self._under_way is not None or not self._record.empty:
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
