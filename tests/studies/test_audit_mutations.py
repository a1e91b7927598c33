"""The audit finds faults that somebody could have made in our own active protocol. This is the list of them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.proof import bits, entries, integers, transcript
from mpc_tamper.engines.rep3.protocol.proof.batch import Batch, Exchanges
from mpc_tamper.engines.rep3.protocol.proof.record import Role
from mpc_tamper.engines.rep3.transport.finality import Finality
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.audit.campaign import audit
from mpc_tamper.studies.audit.verdicts import Verdict

Mutate = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, Mutate] = {}


def mutation(mutate: Mutate) -> Mutate:
    MUTATIONS[mutate.__name__.replace("_", " ")] = mutate
    return mutate


def leave_out(patch: pytest.MonkeyPatch, gates: str) -> None:
    patch.setattr(Active, gates, lambda self, *args, **options: None)


@mutation
def nothing_is_proved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batch, "exchanges", lambda *args: iter(()))


@mutation
def only_the_first_batch_is_proved(patch: pytest.MonkeyPatch) -> None:
    exchanges = Batch.exchanges
    patch.setattr(Batch, "exchanges", lambda self, *args: iter(()) if self._batch else exchanges(self, *args))


@mutation
def products_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    leave_out(patch, "products")


@mutation
def matrix_products_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    leave_out(patch, "matrix")


@mutation
def and_gates_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    leave_out(patch, "and_gates")


@mutation
def majorities_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    leave_out(patch, "majorities")


@mutation
def conversions_are_not_recorded(patch: pytest.MonkeyPatch) -> None:
    leave_out(patch, "conversions")


@mutation
def openings_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Active, "second_copy", lambda self, component: np.zeros(32, np.uint8))


@mutation
def the_inner_product_is_not_compared(patch: pytest.MonkeyPatch) -> None:
    for verifier in (bits.BitVerifier, integers.IntegerVerifier):
        patch.setattr(verifier, "accepts", lambda self, opening: True)


@mutation
def the_proof_of_party_1_is_not_judged(patch: pytest.MonkeyPatch) -> None:
    announce = Batch._announce

    def lenient(self: Batch, failed: str) -> Exchanges:
        return announce(self, "" if self._prover_of[Role.LEFT] == 1 else failed)

    patch.setattr(Batch, "_announce", lenient)


@mutation
def challenges_come_before_the_messages(patch: pytest.MonkeyPatch) -> None:
    def part(key: bytes, session: bytes, prover: int, batch: int, hashes: list[bytes]) -> bytes:
        return hashlib.sha256(bytes([prover, len(hashes)])).digest()

    patch.setattr(transcript, "challenge_part", part)


@mutation
def every_product_is_in_every_subset(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(entries, "draw_members", lambda stream, count: np.full(count, 2**48 - 1, np.uint64))


@mutation
def rows_of_bits_have_weight_1(patch: pytest.MonkeyPatch) -> None:
    begin = bits._Weights.__init__

    def fixed(self: bits._Weights, challenge: bytes, groups: list) -> None:
        begin(self, challenge, groups)
        self.rho = np.ones_like(self.rho)

    patch.setattr(bits._Weights, "__init__", fixed)


@mutation
def failures_are_not_final(patch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def guard(self: Finality) -> Iterator[None]:
        yield

    patch.setattr(Finality, "guard", guard)


@mutation
def nothing_is_proved_before_an_opening(patch: pytest.MonkeyPatch) -> None:
    prove = Active.prove
    patch.setattr(Active, "prove", lambda self: None)
    patch.setattr(Active, "finish", lambda self: None if self._record.empty else prove(self))


# With which few programs are enough.
SEEDS = {
    "nothing is proved": 2,
    "only the first batch is proved": 2,
    "matrix products are not recorded": 3,
    "and gates are not recorded": 5,
    "conversions are not recorded": 2,
    "openings are not compared": 4,
    "failures are not final": 3,
    "majorities are not recorded": 3,
}
SECRET_UNTIL_PROVED = {"nothing is proved before an opening": Verdict.LATE}


@pytest.mark.usefixtures("repeatable_audit")
@pytest.mark.parametrize("name", MUTATIONS)
def test_the_audit_finds_the_mutation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTATIONS[name](monkeypatch)
    engine = get_engine(EngineName.REP3)
    (protocol,) = engine.audited_protocols()
    tally = audit(engine, protocol, seed=SEEDS.get(name, 1), runs=500, shrinks=False)
    assert [finding.verdict for finding in tally.findings] == [SECRET_UNTIL_PROVED.get(name, Verdict.ACCEPTED)]


def test_there_are_enough() -> None:
    assert len(MUTATIONS) >= 10
