"""Provers of products that take a factor from the last challenge that they know when they are bound to what it tests:
rho from challenge 0, alpha of a level from the challenge before that level's message. Each factor comes from the next
challenge, so they lose; they would win if all challenges of a batch were the same."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol.proof import bilinear, transcript
from mpc_tamper.engines.rep3.protocol.proof.entries import Merging
from tests.support.cheating_provers import KnowsCoefficients, KnowsRho, cheating, numbers, products, wins

corrupt = pytest.mark.parametrize("corrupt_party", range(3))
TRIALS = 14  # of rho, which takes back an error in one of two


class TakesTheLastRho(KnowsRho):
    def rho(self) -> np.ndarray:
        return Merging.of(self._entries.challenge).rho


class TakesTheLastCoefficients(KnowsCoefficients):
    _last = b""

    def fold(self, number: int, challenge: bytes) -> None:
        super().fold(number, challenge)
        self._last = challenge

    def factors(self, level: bilinear.Level) -> list[int]:
        return numbers(bilinear.coefficients(level, self._last)[0])


def hasty_prover_wins(corrupt_party: int, masked: bool | None) -> bool:
    """masked: of which level it takes alpha; None: it takes rho."""
    if masked is not None:
        return wins(products, corrupt_party, 0, cheating(TakesTheLastCoefficients, masked=masked))
    return any(wins(products, corrupt_party, gate, cheating(TakesTheLastRho, gate=gate)) for gate in range(TRIALS))


of_the_last = pytest.mark.parametrize("masked", [None, False, True], ids=["rho", "first level", "masked level"])


@corrupt
@of_the_last
def test_factors_of_the_challenge_before(corrupt_party, masked):
    assert not hasty_prover_wins(corrupt_party, masked)


@corrupt
@of_the_last
def test_they_would_be_right_if_a_batch_had_one_challenge(corrupt_party, masked, monkeypatch):
    part = transcript.challenge_part

    def without_hashes(key, session, prover, batch, hashes):
        return part(key, session, prover, batch, [])

    monkeypatch.setattr(transcript, "challenge_part", without_hashes)
    assert hasty_prover_wins(corrupt_party, masked)
