"""Provers of products that make one product wrong by 2^63, and whether they win: what tests of the proof modulo 2^128
have in common."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import Program, run

MODULUS = 2**128
ERROR = 2**63


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
        member = int(next(self._entries.members(0))[self.gate])
        return [ERROR * (member >> k & 1) for k in range(SUBSETS)]

    def changes(self) -> list[int]:
        return self.errors()

    def _values(self, number: int) -> np.ndarray:
        honest = super()._values(number)
        return elements([a + b for a, b in zip(numbers(honest), self.changed(number, len(honest)), strict=True)])

    def changed(self, number: int, count: int) -> list[int]:
        return self.changes() if number == 0 else [0] * count


def cheating(prover: type[IntegerProver], **attributes: object) -> type[Active]:
    class Cheating(Active):
        integer_prover = type("Cheater", (prover,), attributes)

    return Cheating


def wins(program: Program, corrupt_party: int, index: int, active_class: type[Active]) -> bool:
    """Whether both honest parties accept one wrong product, 2^63 off. Each index has keys of its own."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, index, ERROR)])
    seed = 7 + index
    ends = run(program, corrupt_party=corrupt_party, plan=plan, active_class=active_class, insecure_fixed_seed=seed)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    if [end.error for end in honest] == [None, None]:
        return True
    assert all(end.opened == [] for end in honest)
    assert any(isinstance(end.error, ProofRejected) for end in honest)
    return False
