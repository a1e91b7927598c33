"""Provers of a batch with elementwise products, which have a level over words, and matrices, which join after it.

The claim of the products is right, and that of the matrices is wrong by d_2. At the level over words, when d_2 is
known, the prover shifts a product of two rows by D, outside the claim's sum: the joint claim is wrong by
alpha_a beta_b D + d_2, which is zero if it can tell alpha_a and beta_b. At the masked level d_2 is an error as any
other.
"""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.proof.matrices import draw_subsets, subsets_of_matrices
from tests.support.active_runs import run, shared
from tests.support.cheating_provers import (
    ERROR,
    MODULUS,
    AfterTheSubsets,
    cheating,
    fix_coefficients,
    inverse,
    numbers,
    odd,
    wins,
)

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
COUNT = 600  # products: a level over words, and the masked one
SIDE = 6  # of the matrices
ROW, COLUMN = 1, 2  # where the matrix product is wrong
Coefficients = tuple[list[int], list[int]]


def products_and_matrices(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(COUNT, dtype=np.uint64))
    passive.mul(party, x, x)
    square = x[: SIDE * SIDE].reshape(SIDE, SIDE)
    party.steps.start(4)
    z = passive.matmul(party, square, square)
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


class Joining(AfterTheSubsets):
    """guess: alpha and beta of each level.  masked: at which of them it shifts a product of two rows."""

    guess: list[Coefficients]
    masked = False

    def __init__(self, statement, entries, pads, masks) -> None:
        super().__init__(statement, entries, pads, masks)
        a, b = draw_subsets(subsets_of_matrices(entries.challenge), SIDE, SIDE)
        row, column = int(a[ROW]), int(b[COLUMN])
        self._pairs = [ERROR * (row >> j & 1) * (column >> k & 1) for j in range(SUBSETS) for k in range(SUBSETS)]
        self._error = 0

    def changes(self) -> list[int]:
        return [0] * SUBSETS + self._pairs

    def fold(self, number: int, challenge: bytes) -> None:
        super().fold(number, challenge)
        if number == 0:
            assert self._merging is not None
            sigma, tau = numbers(self._merging.sigma), numbers(self._merging.tau)
            of_pairs = zip((s * t for s in sigma for t in tau), self._pairs, strict=True)
            self._error = sum(factor * error for factor, error in of_pairs) % MODULUS

    def changed(self, number: int, count: int) -> list[int]:
        changes = super().changed(number, count)
        if number == 0 or self._statement.shape[number - 1].masked != self.masked:
            return changes
        alpha, beta = self.guess[number - 1]
        if self.masked:  # alpha_a z_ak takes back alpha_k z_kk, where R and L put the error
            a, b = odd(alpha[:-1]), len(beta) - 1
            changes[a * len(beta) + b] -= alpha[-1] * self._error * inverse(alpha[a])
        else:
            a, b = oddest_outside_the_sum(alpha, beta)
            power = alpha[a] * beta[b] & -alpha[a] * beta[b]  # a power of 2, which divides the error
            changes[a * len(beta) + b] -= self._error // power * inverse(alpha[a] * beta[b] // power)
        return changes


def oddest_outside_the_sum(alpha: list[int], beta: list[int]) -> tuple[int, int]:
    """Of which alpha_a beta_b, a and b different, is divisible by 2 least often."""
    pairs = [(a, b) for a in range(len(alpha)) for b in range(len(beta)) if a != b]
    return min(pairs, key=lambda pair: alpha[pair[0]] * beta[pair[1]] & -alpha[pair[0]] * beta[pair[1]])


def drawn(corrupt_party: int) -> list[Coefficients]:
    """alpha and beta of each level in an honest run."""
    seen: list[Coefficients] = []

    class Spy(IntegerProver):
        def fold(self, number: int, challenge: bytes) -> None:
            super().fold(number, challenge)
            if number:
                alpha, beta = bilinear.coefficients(self._statement.shape[number - 1], challenge)
                seen.append((numbers(alpha), numbers(beta)))

    ends = run(products_and_matrices, corrupt_party=corrupt_party, active_class=cheating(Spy), insecure_fixed_seed=8)
    assert [end.error for end in ends] == [None] * 3
    return seen


def joining(corrupt_party: int, *, masked: bool) -> type[Active]:
    guess = drawn(corrupt_party)
    assert len(guess) == 2, "expected a level over words before the masked one"
    return cheating(Joining, guess=guess, masked=masked)


def accepted(corrupt_party: int, *, masked: bool = False) -> bool:
    place = ROW * SIDE + COLUMN
    return wins(products_and_matrices, corrupt_party, place, joining(corrupt_party, masked=masked))


level = pytest.mark.parametrize("masked", [False, True], ids=["first level", "masked level"])
side = pytest.mark.parametrize("index", [0, 1], ids=["alpha", "beta"])


@corrupt
@level
def test_a_wrong_matrix_under_the_coefficients_of_another_run(corrupt_party, masked):
    assert not accepted(corrupt_party, masked=masked)


@corrupt
@side
def test_one_constant_coefficient_at_the_level_before_matrices_join_is_not_enough(corrupt_party, index, monkeypatch):
    fix_coefficients(monkeypatch, index, masked=False)
    assert not accepted(corrupt_party)


@corrupt
def test_it_would_be_taken_for_right_if_both_coefficients_were_constant(corrupt_party, monkeypatch):
    for index in range(2):
        fix_coefficients(monkeypatch, index, masked=False)
    assert accepted(corrupt_party)


@corrupt
def test_it_would_be_taken_for_right_if_alpha_of_the_masked_level_were_constant(corrupt_party, monkeypatch):
    fix_coefficients(monkeypatch, 0, masked=True)
    assert accepted(corrupt_party, masked=True)
