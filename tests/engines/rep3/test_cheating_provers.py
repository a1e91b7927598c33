"""Provers that adapt. Each attack is run twice: against the protocol, where it fails, and against a protocol with the
one defence taken away that it is aimed at, where it succeeds: so the attack itself is right."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError, ProofRejected
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.fields import BITS, INTEGERS, Field
from mpc_tamper.engines.rep3.protocol.proof.session import Prover
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import Program, run, shared, without_binding

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
LANES = 128  # two words of AND gates


def and_gates(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.array([[0x0123456789ABCDEF, 2**64 - 1]], np.uint64))
    party.steps.start(4)
    z = alone(party, passive.and_planes(party, x, x, LANES, "and"))
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


def products(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.array([5, 6, 7], np.uint64))
    party.steps.start(4)
    z = passive.mul(party, x, x)
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


class Spy(Prover):
    """An honest prover that remembers its weights and challenges."""

    def __init__(self, field, shape, half, pads, masks) -> None:
        if half.u.weights:
            type(self).weights[field.name] = half.u.weights[0].copy()
        self._name = field.name
        super().__init__(field, shape, half, pads, masks)

    def fold(self, number, challenge):
        type(self).challenges.setdefault(self._name, challenge)
        super().fold(number, challenge)


def spied_on(program: Program, corrupt_party: int) -> tuple[dict[str, np.ndarray], dict[str, bytes]]:
    """Weights and first challenge points of an honest run on the pads of the fixed seed."""

    class ThisSpy(Spy):
        weights: dict[str, np.ndarray] = {}  # noqa: RUF012
        challenges: dict[str, bytes] = {}  # noqa: RUF012

    class Watching(Active):
        prover_class = ThisSpy

    ends = run(program, corrupt_party=corrupt_party, active_class=Watching, insecure_fixed_seed=7)
    assert [end.error for end in ends] == [None] * 3
    return ThisSpy.weights, ThisSpy.challenges


def attacked(program: Program, corrupt_party: int, plan: AdditiveErrorPlan, active_class: type[Active] = Active):
    ends = run(program, corrupt_party=corrupt_party, plan=plan, active_class=active_class, insecure_fixed_seed=7)
    return [ends[party] for party in range(3) if party != corrupt_party]


def assert_caught(honest) -> None:
    assert all(end.opened == [] for end in honest)
    assert all(isinstance(end.error, PartyError) for end in honest)
    assert any(isinstance(end.error, ProofRejected) for end in honest)


def cancelling_errors(weights: np.ndarray) -> AdditiveErrorPlan:
    """Flips e_0, e_1 of two words of AND gates with w_0 e_0 + w_1 e_1 = 0 in GF(2^64)."""
    e_0 = np.array([0b1011], np.uint64)
    e_1 = BITS.multiply(BITS.multiply(e_0, weights[:1]), BITS.invert(weights[1:2]))
    flips = [64 * w + j for w, e in enumerate((int(e_0[0]), int(e_1[0]))) for j in range(64) if e >> j & 1]
    return AdditiveErrorPlan.from_errors([AdditiveError("STEP/and", 0, lane, 1) for lane in flips])


@corrupt
def test_errors_that_cancel_under_the_weights_of_another_run(corrupt_party):
    """All pads are those of the run that the weights were learnt in; the weights change with the errors."""
    weights, _ = spied_on(and_gates, corrupt_party)
    assert_caught(attacked(and_gates, corrupt_party, cancelling_errors(weights[BITS.name])))


@corrupt
def test_such_errors_would_cancel_if_weights_were_not_bound_to_messages(corrupt_party, monkeypatch):
    without_binding(monkeypatch)
    weights, _ = spied_on(and_gates, corrupt_party)
    honest = attacked(and_gates, corrupt_party, cancelling_errors(weights[BITS.name]))
    assert [end.error for end in honest] == [None, None]
    right = run(and_gates, insecure_fixed_seed=7)[0].opened[0]
    assert not np.array_equal(honest[0].opened[0], right)


def one_error(field: Field) -> tuple[Program, AdditiveErrorPlan]:
    if field is BITS:
        return and_gates, AdditiveErrorPlan.from_errors([AdditiveError("STEP/and", 0, 3, 1)])
    return products, AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, 0, 2**63)])


def shifting(field: Field, weights: np.ndarray, guess: bytes) -> type[Active]:
    """An Active whose prover adds to P a polynomial with the sum of the error's effect and a root at the guess.

    Delta(X) = c (X - r), where the sum of Delta over the rows is what the error adds to the claim.
    """
    if field is BITS:
        effect = BITS.multiply(weights[:1], np.array([1 << 3], np.uint64))
    else:
        effect = INTEGERS.points((np.uint64(1) << weights[:1].astype(np.uint64)).sum(axis=1, dtype=np.uint64))
        effect = effect * np.uint64(2**63)

    class Shifting(Prover):
        def message(self, number: int) -> bytes:
            honest = field_of(self).elements(np.frombuffer(super().message(number), "<u8").astype(np.uint64))
            if field_of(self) is not field or number:
                return honest.astype("<u8").tobytes()
            level = self._shape.levels[number]
            r = transcript.point(field, guess, level.points)
            places = field.points(np.arange(level.first, level.last + 1))
            distances = field.subtract(places, np.repeat(r, len(places), axis=0))
            rows = distances[1 - level.first : level.rows + 1 - level.first]
            c = field.multiply(effect, field.invert(field.sum(rows)))
            delta = field.multiply(np.repeat(c, len(places), axis=0), distances)
            delta = np.delete(delta, level.rows - level.first, axis=0)  # the value at k is not sent
            return field.add(honest, delta).astype("<u8").tobytes()

    class Cheating(Active):
        prover_class = Shifting

    return Cheating


def field_of(prover: Prover) -> Field:
    return prover._field


@corrupt
@pytest.mark.parametrize("field", [BITS, INTEGERS], ids=lambda f: f.name)
def test_a_polynomial_shifted_to_satisfy_the_sum(corrupt_party, field):
    """With the root at a guess of the challenge point."""
    program, plan = one_error(field)
    weights, challenges = spied_on(program, corrupt_party)
    cheating = shifting(field, weights[field.name], challenges[field.name])
    assert_caught(attacked(program, corrupt_party, plan, cheating))


@corrupt
@pytest.mark.parametrize("field", [BITS, INTEGERS], ids=lambda f: f.name)
def test_it_would_satisfy_the_check_if_the_point_were_known(corrupt_party, field, monkeypatch):
    without_binding(monkeypatch)
    program, plan = one_error(field)
    weights, challenges = spied_on(program, corrupt_party)
    cheating = shifting(field, weights[field.name], challenges[field.name])
    honest = attacked(program, corrupt_party, plan, cheating)
    assert [end.error for end in honest] == [None, None]


@corrupt
@pytest.mark.parametrize("number", range(3))
def test_a_lie_in_each_level_of_a_long_proof(corrupt_party, number):
    """A prover with nothing to hide that changes one value of P: the claim of that level breaks."""

    class Lying(Prover):
        def message(self, level: int) -> bytes:
            honest = np.frombuffer(super().message(level), "<u8").astype(np.uint64)
            if level == number:
                honest[-1] ^= np.uint64(1)
            return honest.tobytes()

    class Cheating(Active):
        prover_class = Lying

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(2000, dtype=np.uint64))
        opened.append(open_to_all(party, passive.mul(party, x, x)))

    ends = run(program, corrupt_party=corrupt_party, active_class=Cheating)
    assert_caught([ends[party] for party in range(3) if party != corrupt_party])


@pytest.mark.parametrize("verifier", ["next", "previous"])
@corrupt
def test_a_verifier_that_sends_another_challenge_is_noticed_before_it_is_used(corrupt_party, verifier):
    """A corrupt R's challenge, used by the prover, would turn the messages to L into a function of pads."""
    answered = []

    class Watching(Prover):
        def fold(self, number, challenge):
            answered.append(number)
            super().fold(number, challenge)

    victim = (corrupt_party - 1) % 3 if verifier == "next" else (corrupt_party + 1) % 3

    def deviate(party: Party) -> None:
        exchange = party.channel.exchange

        def lying(tag, send, receive):
            if tag == "proof/challenge":
                send = {p: memoryview(bytes(32)) if p == victim else payload for p, payload in send.items()}
            exchange(tag, send, receive)

        party.channel.exchange = lying

    ends = run(products, corrupt_party=corrupt_party, deviate=deviate)
    assert "sent party" in str(ends[victim].error)
    assert "different challenges" in str(ends[victim].error)
    assert all(end.opened == [] for end in ends)
