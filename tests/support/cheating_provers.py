"""Provers of products that make one product wrong by 2^63, and whether they win: what tests of the proof modulo 2^128
have in common."""

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
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import Program, accepted_by_honest, run, shared

MODULUS = 2**128
ERROR = 2**63
COUNT = 600  # products: a level over words, and the masked one


def products(party: Party, opened: list[np.ndarray]) -> None:
    x = shared(party, 0, np.arange(COUNT, dtype=np.uint64))
    party.steps.start(4)
    z = passive.mul(party, x, x)
    party.steps.stop(4)
    opened.append(open_to_all(party, z))


def numbers(elements: np.ndarray) -> list[int]:
    return [int(low) | int(high) << 64 for low, high in elements.reshape(-1, 2).tolist()]


def elements(values: list[int]) -> np.ndarray:
    return np.array([[v % 2**64, v % MODULUS >> 64] for v in values], np.uint64)


def odd(values: list[int]) -> int:
    return next(i for i, v in enumerate(values) if v & 1)


def inverse(value: int) -> int:
    return pow(value, -1, MODULUS)


def known(seed: int, count: int = SUBSETS) -> np.ndarray:
    """Constants in place of a factor."""
    return np.random.default_rng(seed).integers(0, 2**64, (count, 2), np.uint64)


def fix_coefficients(monkeypatch: pytest.MonkeyPatch, index: int, *, masked: bool) -> None:
    """index: 0, alpha; 1, beta."""
    drawn = bilinear.coefficients

    def coefficients(level: bilinear.Level, challenge: bytes) -> tuple[np.ndarray, np.ndarray]:
        pair = list(drawn(level, challenge))
        if level.masked == masked:
            pair[index] = known(2, len(pair[index]))
            pair[index][: int(masked)] = bilinear.one()
        return pair[0], pair[1]

    monkeypatch.setattr(bilinear, "coefficients", coefficients)


def known_coefficients(rows: int, *, masked: bool) -> list[int]:
    side = rows + masked
    pair = known(2, side)
    pair[: int(masked)] = bilinear.one()
    return numbers(pair)


class AfterTheSubsets(IntegerProver):
    """Its product of gate `gate` is wrong. It adds that to the sums over subsets, so that they fit modulo 2^64."""

    gate = 0

    def errors(self) -> list[int]:
        """Of the sums over subsets, modulo 2^64."""
        member = int(self._entries.members[0][0][self.gate])
        return [ERROR * (member >> k & 1) for k in range(SUBSETS)]

    def changes(self) -> list[int]:
        return self.errors()

    def _values(self, number: int) -> np.ndarray:
        honest = super()._values(number)
        return elements([a + b for a, b in zip(numbers(honest), self.changed(number, len(honest)), strict=True)])

    def changed(self, number: int, count: int) -> list[int]:
        return self.changes() if number == 0 else [0] * count


class KnowsRho(AfterTheSubsets):
    """Takes the error back with high words, if the known combination of it is divisible by 2^64."""

    def rho(self) -> np.ndarray:
        return known(1)

    def changes(self) -> list[int]:
        errors, rho = self.errors(), numbers(self.rho())
        total = sum(r * e for r, e in zip(rho, errors, strict=True)) % MODULUS
        if total % 2**64 == 0:
            errors[odd(rho)] -= total * inverse(rho[odd(rho)])  # the change is divisible by 2^64
        return errors


class KnowsCoefficients(AfterTheSubsets):
    """Shifts one product of two rows so that alpha or beta, which is known at a level, takes the claim's error back.

    R and L make the last z_kk from the claim, so its error stands there. of_alpha: whether alpha is known, else beta.
    """

    of_alpha, masked = True, False
    _error = 0

    def fold(self, number: int, challenge: bytes) -> None:
        super().fold(number, challenge)
        if number == 0:
            assert self._merging is not None
            self._error = sum(r * e for r, e in zip(numbers(self._merging.rho), self.errors(), strict=True)) % MODULUS
        elif not self._statement.shape[number - 1].masked:
            alpha, beta = bilinear.coefficients(self._statement.shape[number - 1], challenge)
            self._error = self._error * numbers(alpha)[-1] * numbers(beta)[-1] % MODULUS

    def factors(self, level: bilinear.Level) -> list[int]:
        return known_coefficients(level.rows, masked=level.masked)

    def errors(self) -> list[int]:
        if not hasattr(self, "_kept"):
            self._kept = super().errors()
        return self._kept

    def changed(self, number: int, count: int) -> list[int]:
        changes = super().changed(number, count)
        if number == 0 or self._statement.shape[number - 1].masked != self.masked:
            return changes
        level = self._statement.shape[number - 1]
        side = level.rows + level.masked
        factors = self.factors(level)
        # alpha_other z_(other, k) takes back alpha_k z_kk, or the same with beta. A power of 2 divides the error.
        other = min(range(len(factors) - 1), key=lambda row: factors[row] & -factors[row])
        power = factors[other] & -factors[other]
        place = other * side + side - 1 if self.of_alpha else (side - 1) * side + other
        changes[place] -= factors[-1] * self._error // power * inverse(factors[other] // power)
        return changes


def cheating(prover: type[IntegerProver], **attributes: object) -> type[Active]:
    class Cheating(Active):
        integer_prover = type("Cheater", (prover,), attributes)

    return Cheating


def wins(program: Program, corrupt_party: int, index: int, active_class: type[Active]) -> bool:
    """Whether both honest parties accept one wrong product, 2^63 off. Each index has keys of its own."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, index, ERROR)])
    seed = 7 + index
    ends = run(program, corrupt_party=corrupt_party, plan=plan, active_class=active_class, insecure_fixed_seed=seed)
    return accepted_by_honest(ends, corrupt_party)
