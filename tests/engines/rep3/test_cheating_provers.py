"""Provers that adapt. Each attack is run twice: against the protocol, where it fails, and against a protocol with the
one defence taken away that it is aimed at, where it succeeds: so the attack itself is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError, ProofRejected
from mpc_tamper.engines.rep3.kernels import binary_field
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import argument, bits, transcript
from mpc_tamper.engines.rep3.protocol.proof.bits import BitProver
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.proof.record import TWO_PRODUCTS, Gates
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import End, Program, kernel, run, shared, without_binding

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
LANES = 128  # two words of AND gates
FIRST = np.zeros(1, np.intp)  # of one plane


def and_gates(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.array([[0x0123456789ABCDEF, 2**64 - 1]], np.uint64))
    party.steps.start(4)
    z = alone(party, passive.and_planes(party, x, FIRST, FIRST, LANES, "and"))
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


def products(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.array([5, 6, 7], np.uint64))
    party.steps.start(4)
    z = passive.mul(party, x, x)
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


class Spy(BitProver):
    """An honest prover that remembers its weights and first challenge."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        type(self).weights.append(self._weights)

    def fold(self, number, challenge):
        type(self).challenges.append(challenge)
        super().fold(number, challenge)


def spied_on(program: Program, corrupt_party: int) -> tuple[Any, bytes]:
    """Weights and first challenge of an honest run, with other keys."""

    class ThisSpy(Spy):
        weights: list[Any] = []  # noqa: RUF012
        challenges: list[bytes] = []  # noqa: RUF012

    class Watching(Active):
        bit_prover = ThisSpy

    ends = run(program, corrupt_party=corrupt_party, active_class=Watching, insecure_fixed_seed=8)
    assert [end.error for end in ends] == [None] * 3
    return ThisSpy.weights[0], ThisSpy.challenges[0]


def attacked(program: Program, corrupt_party: int, plan: AdditiveErrorPlan, active_class: type[Active] = Active):
    ends = run(program, corrupt_party=corrupt_party, plan=plan, active_class=active_class, insecure_fixed_seed=7)
    return [ends[party] for party in range(3) if party != corrupt_party]


def assert_caught(honest) -> None:
    assert all(end.opened == [] for end in honest)
    assert all(isinstance(end.error, PartyError) for end in honest)
    assert any(isinstance(end.error, ProofRejected) for end in honest)


def cancelling_errors(weights: Any) -> AdditiveErrorPlan:
    """Flips of lanes whose weights add up to zero in GF(2^64): lane a of word j has weight rho_a X^j w."""
    rho = np.append(weights.rho, np.uint64(1))
    of_lanes = np.concatenate([rho, multiplied(rho, 2)])
    flips = np.flatnonzero(kernel(of_lanes))
    return AdditiveErrorPlan.from_errors([AdditiveError("STEP/and", 0, int(lane), 1) for lane in flips])


def multiplied(elements: np.ndarray, by: int) -> np.ndarray:
    return binary_field.products(elements, np.full(len(elements), by, np.uint64))


@corrupt
def test_errors_that_cancel_under_the_weights_of_another_run(corrupt_party):
    """Weights come from a key of the two verifiers that each run has anew."""
    weights, _ = spied_on(and_gates, corrupt_party)
    assert_caught(attacked(and_gates, corrupt_party, cancelling_errors(weights)))


@corrupt
def test_such_errors_would_cancel_if_weights_were_the_same_in_each_run(corrupt_party, monkeypatch):
    without_binding(monkeypatch)
    weights, _ = spied_on(and_gates, corrupt_party)
    honest = attacked(and_gates, corrupt_party, cancelling_errors(weights))
    assert [end.error for end in honest] == [None, None]
    right = run(and_gates, insecure_fixed_seed=7)[0].opened[0]
    assert not np.array_equal(honest[0].opened[0], right)


LANE = 3


def shifting(weights: Any, guess: bytes) -> type[Active]:
    """An Active whose prover adds to P a polynomial with the sum of the error's effect and a root at the guess.

    Delta(X) = c (X - r), where the weighted sum of Delta over the rows is what the error adds to the claim.
    """
    rho = np.append(weights.rho, np.uint64(1))
    effect = multiplied(rho[LANE : LANE + 1], int(weights.of_groups[0][0]))

    class Shifting(BitProver):
        def message(self, number: int) -> bytes:
            honest = np.frombuffer(super().message(number), "<u8").astype(np.uint64)
            if number:
                return honest.tobytes()
            level = self._shape[number]
            r = argument.point(guess, level.points)
            distances = np.arange(level.first, level.last + 1, dtype=np.uint64) ^ r
            rows = argument.total(binary_field.products(rho, distances[: level.rows].copy()))
            c = multiplied(effect, int(binary_field.inverses(rows)[0]))
            delta = multiplied(distances, int(c[0]))
            return (honest ^ np.delete(delta, level.rows - level.first)).tobytes()  # the value at k is not sent

    class Cheating(Active):
        bit_prover = Shifting

    return Cheating


ONE_FLIP = AdditiveErrorPlan.from_errors([AdditiveError("STEP/and", 0, LANE, 1)])


@corrupt
def test_a_polynomial_shifted_to_satisfy_the_sum(corrupt_party):
    """With the root at a guess of the challenge point."""
    assert_caught(attacked(and_gates, corrupt_party, ONE_FLIP, shifting(*spied_on(and_gates, corrupt_party))))


@corrupt
def test_it_would_satisfy_the_check_if_the_point_were_known(corrupt_party, monkeypatch):
    without_binding(monkeypatch)
    honest = attacked(and_gates, corrupt_party, ONE_FLIP, shifting(*spied_on(and_gates, corrupt_party)))
    assert [end.error for end in honest] == [None, None]


@corrupt
@pytest.mark.parametrize("number", range(3))
def test_a_lie_in_each_level_of_a_long_proof(corrupt_party, number):
    """A prover with nothing to hide that changes one value that it shares: the claim of that level breaks."""

    class Lying(IntegerProver):
        def message(self, level: int) -> bytes:
            honest = np.frombuffer(super().message(level), "<u8").astype(np.uint64)
            if level == number:
                honest[-2] ^= np.uint64(1)
            return honest.tobytes()

    class Cheating(Active):
        integer_prover = Lying

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, 0, np.arange(2000, dtype=np.uint64))
        opened.append(open_to_all(party, passive.mul(party, x, x)))

    ends = run(program, corrupt_party=corrupt_party, active_class=Cheating)
    assert_caught([ends[party] for party in range(3) if party != corrupt_party])


@pytest.mark.parametrize("half", [0, 1], ids=["as R", "as L"])
@pytest.mark.parametrize("victim", [1, 2], ids=["the next party", "the previous party"])
@corrupt
def test_a_verifier_that_tells_another_part_of_the_challenge_is_noticed_before_it_is_used(corrupt_party, victim, half):
    """A corrupt R's part, used by the prover, would turn the messages to L into a function of pads."""
    victim = (corrupt_party + victim) % 3
    prover = (corrupt_party + (1 if half else -1)) % 3

    def deviate(party: Party) -> None:
        exchange = party.channel.exchange

        def lying(tag, send, receive):
            if tag == "proof/challenge":
                parts = list(transcript.halves(bytes(send[victim])))
                parts[half] = bytes(transcript.PART_BYTES)
                send = send | {victim: memoryview(b"".join(parts))}
            exchange(tag, send, receive)

        party.channel.exchange = lying

    ends = run(products, corrupt_party=corrupt_party, deviate=deviate)
    assert f"the two verifiers of party {prover} have different challenges" in str(ends[victim].error)
    assert all(end.opened == [] for end in ends)


def guessed_challenge(program: Program, corrupt_party: int) -> bytes:
    """The first challenge as far as the corrupt party can tell before it is bound, with keys of seed 7: without its own
    part."""
    found = {}

    class Knowing(Active):
        def prove(self) -> None:
            for key, prover in (
                (self._prss.own_challenge_key, self._channel.previous),
                (self._prss.previous_challenge_key, self._channel.next),
            ):
                found[prover] = transcript.challenge_part(key, self._session, prover, 0, [])
            super().prove()

    run(program, corrupt_party=corrupt_party, active_class=Knowing, insecure_fixed_seed=7)
    return transcript.challenge(list(found.values()))


def errors_under_the_guess(corrupt_party: int) -> list[End]:
    weights = bits._Weights(guessed_challenge(and_gates, corrupt_party), [Gates(TWO_PRODUCTS, outputs=LANES // 64)])
    return attacked(and_gates, corrupt_party, cancelling_errors(weights))


@corrupt
def test_errors_that_cancel_under_the_two_parts_of_the_challenge_that_their_maker_knows(corrupt_party):
    assert_caught(errors_under_the_guess(corrupt_party))


@corrupt
def test_they_would_cancel_if_the_third_part_were_constant(corrupt_party, monkeypatch):
    part = transcript.challenge_part

    def without_its_own(key, session, prover, batch, hashes):
        drawn = part(key, session, prover, batch, hashes)
        return bytes(len(drawn)) if prover == corrupt_party else drawn

    monkeypatch.setattr(transcript, "challenge_part", without_its_own)
    assert [end.error for end in errors_under_the_guess(corrupt_party)] == [None, None]
