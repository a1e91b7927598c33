"""Provers of products that know one random factor beforehand, for each factor that the proof draws: they win where it
is known, and lose where it is drawn after they were bound to what it tests.

A factor is known where everybody takes it from a constant in place of a challenge. An error that has become divisible
by 2^64 can be taken back, so an attack on a merging factor needs a combination that happens to be even: it wins in
about half of the trials, over different gates.
"""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import entries, integers
from mpc_tamper.engines.rep3.protocol.proof.entries import Merging
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.proof.matrices import draw_subsets, subsets_of_matrices
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import accepted_by_honest, kernel, run, shared
from tests.support.cheating_provers import (
    ERROR,
    MODULUS,
    AfterTheSubsets,
    KnowsCoefficients,
    KnowsRho,
    cheating,
    fix_coefficients,
    inverse,
    known,
    numbers,
    odd,
    products,
    wins,
)

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
SIDE = 16  # of the matrices
TRIALS, MANY = 5, 14


def matrices(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(SIDE * SIDE, dtype=np.uint64)).reshape(SIDE, SIDE)
    party.steps.start(4)
    z = passive.matmul(party, x, x)
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


# What makes a factor known to everybody


def fix_merging(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    drawn = Merging.of

    def of(challenge: bytes) -> Merging:
        factors = {factor: getattr(drawn(challenge), factor) for factor in ("rho", "sigma", "tau")}
        return Merging(**factors | {name: known(1)})

    monkeypatch.setattr(Merging, "of", of)


# The provers


class KnowsOfPairs(AfterTheSubsets):
    """The same for the pairs of subsets of a matrix product with an error in row 1, column `gate`.

    of_sigma: whether sigma is known, else tau.
    """

    of_sigma = True

    def changes(self) -> list[int]:
        a, b = self.members
        errors = [
            [ERROR * (int(a[1]) >> j & 1) * (int(b[self.gate]) >> k & 1) for k in range(SUBSETS)]
            for j in range(SUBSETS)
        ]
        lines = [list(column) for column in zip(*errors, strict=True)] if self.of_sigma else errors
        factors = numbers(known(1))
        place = odd(factors)
        for line in lines:
            total = sum(f * e for f, e in zip(factors, line, strict=True)) % MODULUS
            if total % 2**64 == 0:
                line[place] -= total * inverse(factors[place])
        rows = [list(column) for column in zip(*lines, strict=True)] if self.of_sigma else lines
        return [e for row in rows for e in row]


# Subsets


def drawn_subsets(corrupt_party: int) -> np.ndarray:
    """The subsets of an honest run with other keys."""
    seen = []

    class Spy(IntegerProver):
        def message(self, number: int) -> bytes:
            if number == 0:
                seen.append(self._entries.members[0][0])
            return super().message(number)

    ends = run(products, corrupt_party=corrupt_party, active_class=cheating(Spy), insecure_fixed_seed=8)
    assert [end.error for end in ends] == [None] * 3
    return seen[0]


def accepted_with_errors_that_cancel(corrupt_party: int) -> bool:
    """Errors 2^63 in gates of which each subset has an even number."""
    gates = np.flatnonzero(kernel(drawn_subsets(corrupt_party)))
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, int(gate), ERROR) for gate in gates])
    ends = run(products, corrupt_party=corrupt_party, plan=plan, insecure_fixed_seed=7)
    return accepted_by_honest(ends, corrupt_party)


@corrupt
def test_errors_that_cancel_in_the_subsets_of_another_run(corrupt_party):
    assert not accepted_with_errors_that_cancel(corrupt_party)


@corrupt
def test_they_would_cancel_if_the_subsets_were_known(corrupt_party, monkeypatch):
    def members(stream: object, count: int) -> np.ndarray:
        return np.random.default_rng(count).integers(0, 2**SUBSETS, count, np.uint64)

    monkeypatch.setattr(entries, "draw_members", members)
    assert accepted_with_errors_that_cancel(corrupt_party)


# Factors modulo 2^128


def matrix_prover(*, of_sigma: bool, gate: int) -> type[Active]:
    class Learning(KnowsOfPairs):
        def __init__(self, statement, entries, pads, masks) -> None:
            self.members = draw_subsets(subsets_of_matrices(entries.challenge), SIDE, SIDE)
            super().__init__(statement, entries, pads, masks)

    return cheating(Learning, of_sigma=of_sigma, gate=gate)


merging = pytest.mark.parametrize("factor", ["rho", "sigma", "tau"])


def wins_one_of(trials: int, corrupt_party: int, factor: str) -> bool:
    if factor == "rho":
        return any(wins(products, corrupt_party, gate, cheating(KnowsRho, gate=gate)) for gate in range(trials))
    return any(
        wins(matrices, corrupt_party, SIDE + column, matrix_prover(of_sigma=factor == "sigma", gate=column))
        for column in range(trials)
    )


@corrupt
@merging
def test_high_words_that_take_an_error_back_under_guessed_factors(corrupt_party, factor):
    assert not wins_one_of(TRIALS, corrupt_party, factor)


@corrupt
@merging
def test_they_would_take_it_back_if_a_merging_factor_were_known(corrupt_party, factor, monkeypatch):
    fix_merging(monkeypatch, factor)
    assert wins_one_of(MANY, corrupt_party, factor)


level = pytest.mark.parametrize("masked", [False, True], ids=["first level", "masked level"])
side = pytest.mark.parametrize("index", [0, 1], ids=["alpha", "beta"])


@corrupt
@level
@side
def test_a_shifted_product_of_rows_under_guessed_coefficients(corrupt_party, masked, index):
    prover = cheating(KnowsCoefficients, masked=masked, of_alpha=index == 0)
    assert not wins(products, corrupt_party, 0, prover)


@corrupt
@level
@side
def test_it_would_be_taken_for_right_if_a_coefficient_were_known(corrupt_party, masked, index, monkeypatch):
    fix_coefficients(monkeypatch, index, masked=masked)
    prover = cheating(KnowsCoefficients, masked=masked, of_alpha=index == 0)
    assert wins(products, corrupt_party, 0, prover)


@corrupt
def test_sums_over_subsets_that_do_not_fit_the_messages(corrupt_party):
    """An honest prover of a wrong message: what R and L compare differs."""
    assert not wins(products, corrupt_party, 0, Active)


@corrupt
def test_they_would_pass_if_r_and_l_did_not_compare_them(corrupt_party, monkeypatch):
    merge = integers.IntegerVerifier._merge

    def without_difference(self, parts, challenge):
        merge(self, parts, challenge)
        self._difference = bytes(len(self._difference))

    monkeypatch.setattr(integers.IntegerVerifier, "_merge", without_difference)
    assert wins(products, corrupt_party, 0, Active)
