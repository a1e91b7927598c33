"""Provers of AND gates that take one random factor to be what it was in another run, for each factor that the proof
draws: they lose as it is drawn after they were bound to what it tests, and win where it is a constant.
"""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import binary_field
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import argument, bits
from mpc_tamper.engines.rep3.protocol.proof.argument import FIRST_ROWS, Level
from mpc_tamper.engines.rep3.protocol.proof.bits import BitProver
from mpc_tamper.engines.rep3.protocol.proof.interpolation import nodes
from mpc_tamper.engines.rep3.protocol.proof.record import Gates
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import accepted_by_honest, kernel, run, shared

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
WORDS = 600  # of AND gates: blocks of 64 words with a sigma each
LANES = 64 * WORDS
LANE = 3
FIRST = np.zeros(1, np.intp)  # of one plane


def and_gates(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(WORDS, dtype=np.uint64).reshape(1, WORDS))
    party.steps.start(4)
    z = alone(party, passive.and_planes(party, x, FIRST, FIRST, LANES, "and"))
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


@pytest.fixture(autouse=True)
def short_last_levels(monkeypatch):
    """So that few gates have a level of each kind."""
    monkeypatch.setattr(argument, "_LAST_LENGTH", 1000)


class Spy(BitProver):
    """An honest prover that remembers what is drawn for its proof."""

    weights: list[bits._Weights]
    points: list[np.uint64]

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.weights.append(self._weights)

    def fold(self, number: int, challenge: bytes) -> None:
        self.points.append(argument.point(challenge, self._shape[number].points))
        super().fold(number, challenge)


def cheating(prover: type[BitProver], **attributes: object) -> type[Active]:
    return type("Cheating", (Active,), {"bit_prover": type("Cheater", (prover,), attributes)})


def drawn(corrupt_party: int) -> tuple[bits._Weights, list[np.uint64]]:
    """Of an honest run with other keys: the weights, and the point of each level."""
    weights: list[bits._Weights] = []
    points: list[np.uint64] = []
    spy = cheating(Spy, weights=weights, points=points)
    ends = run(and_gates, corrupt_party=corrupt_party, active_class=spy, insecure_fixed_seed=8)
    assert [end.error for end in ends] == [None] * 3
    return weights[0], points


def wins(corrupt_party: int, flips: list[int], active_class: type[Active] = Active) -> bool:
    """Whether both honest parties accept flips of these AND gates."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP/and", 0, lane, 1) for lane in flips])
    ends = run(and_gates, corrupt_party=corrupt_party, plan=plan, active_class=active_class, insecure_fixed_seed=7)
    return accepted_by_honest(ends, corrupt_party)


def multiplied(elements: np.ndarray, by: int) -> np.ndarray:
    return binary_field.products(elements, np.full(len(elements), by, np.uint64))


# Weights


def constant(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 2**64, count, np.uint64)


def fix_weights(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    draw = bits._Weights.__init__

    def partly_constant(weights: bits._Weights, challenge: bytes, groups: list[Gates]) -> None:
        draw(weights, challenge, groups)
        if name == "rho":
            weights.rho = constant(FIRST_ROWS - 1)
        else:
            weights.of_groups = [constant(sigma.size) for sigma in weights.of_groups]

    monkeypatch.setattr(bits._Weights, "__init__", partly_constant)


def flips_that_cancel(name: str, of_other_run: bits._Weights) -> list[int]:
    """Whatever the other factor is. For rho, lanes of words 0 and 1, of weights rho_a X^j; for sigma, lane 3 of words
    in two blocks, of weights X^j sigma_c."""
    if name == "rho":
        rho = np.append(of_other_run.rho, np.uint64(1))
        return np.flatnonzero(kernel(np.concatenate([rho, multiplied(rho, 2)]))).tolist()
    sigma = of_other_run.of_groups[0]
    weights = [multiplied(sigma[c : c + 1], 1 << j)[0] for c in range(2) for j in range(64)]
    return (np.flatnonzero(kernel(np.array(weights, np.uint64))) * 64 + LANE).tolist()


factor = pytest.mark.parametrize("name", ["rho", "sigma"])


@corrupt
@factor
def test_flips_that_cancel_under_the_weights_of_another_run(corrupt_party, name):
    assert not wins(corrupt_party, flips_that_cancel(name, drawn(corrupt_party)[0]))


@corrupt
@factor
def test_they_would_cancel_if_one_of_the_weights_were_constant(corrupt_party, name, monkeypatch):
    fix_weights(monkeypatch, name)
    assert wins(corrupt_party, flips_that_cancel(name, drawn(corrupt_party)[0]))


# Points


class Shifting(BitProver):
    """Adds to P of level `shifted` a polynomial with the claim's error as its sum and a root at a guess of r:
    Delta(X) = c (X - guess). At the levels before it, R and L put the error into the value at k."""

    shifted = 0
    guess = np.uint64(0)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._rho = np.append(self._weights.rho, np.uint64(1))
        self._error = multiplied(self._rho[LANE : LANE + 1], int(self._weights.of_groups[0][0]))

    def message(self, number: int) -> bytes:
        honest = np.frombuffer(super().message(number), "<u8").astype(np.uint64)
        if number != self.shifted:
            return honest.tobytes()
        level = self._shape[number]
        distances = np.arange(level.first, level.last + 1, dtype=np.uint64) ^ self.guess
        rows = distances[1 - level.first :][: level.rows].copy()
        in_sum = argument.total(rows if number else binary_field.products(self._rho, rows))
        c = multiplied(binary_field.inverses(in_sum), int(self._error[0]))
        delta = multiplied(distances, int(c[0]))
        return (honest ^ np.delete(delta, level.rows - level.first)).tobytes()  # the value at k is not sent

    def fold(self, number: int, challenge: bytes) -> None:
        super().fold(number, challenge)
        level = self._shape[number]
        at_r = nodes(level.first, level.last).at(argument.point(challenge, level.points))
        self._error = multiplied(self._error, int(at_r[level.rows - level.first]))


def shifting(corrupt_party: int, number: int) -> type[Active]:
    _, points = drawn(corrupt_party)
    return cheating(Shifting, shifted=number, guess=points[number])


SHAPE = (Level(64), Level(8), Level(32, masked=True))
level = pytest.mark.parametrize("number", range(3), ids=["first level", "middle level", "masked level"])


def test_the_statement_has_a_level_of_each_kind():
    assert argument.levels_for([WORDS, WORDS]) == SHAPE


@corrupt
@level
def test_a_polynomial_shifted_to_satisfy_the_sum(corrupt_party, number):
    assert not wins(corrupt_party, [LANE], shifting(corrupt_party, number))


@corrupt
@level
def test_it_would_satisfy_the_check_if_the_point_of_its_level_were_constant(corrupt_party, number, monkeypatch):
    draw = argument.point

    def point(challenge: bytes, excluded: int) -> np.uint64:
        return constant(1)[0] if excluded == SHAPE[number].points else draw(challenge, excluded)

    monkeypatch.setattr(argument, "point", point)
    assert wins(corrupt_party, [LANE], shifting(corrupt_party, number))
