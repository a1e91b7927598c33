"""What the proofs draw from a challenge: all of it, and each number once."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol.proof import argument, bilinear, matrices
from mpc_tamper.engines.rep3.protocol.proof.entries import Merging

CHALLENGE = bytes(range(32))


def drawn(challenge: bytes) -> list[np.ndarray]:
    alpha, beta = bilinear.coefficients(bilinear.Level(4, masked=True), challenge)
    merging = Merging.of(challenge)
    members = matrices.draw_members(matrices.subsets_of_matrices(challenge), 4)
    point = np.array([argument.point(challenge, 5)])
    return [alpha[1:], beta[1:], merging.rho, merging.sigma, merging.tau, members, point]


@pytest.mark.parametrize("byte", range(len(CHALLENGE)))
def test_all_of_it_depends_on_each_byte_of_the_challenge(byte: int) -> None:
    other = bytearray(CHALLENGE)
    other[byte] ^= 1
    for one, changed in zip(drawn(CHALLENGE), drawn(bytes(other)), strict=True):
        assert not np.any(one == changed)


def test_no_two_factors_are_the_same() -> None:
    """With alpha = beta a factor of the claim would be a square, and the bound on its valuation would not hold."""
    words = np.concatenate([each.reshape(-1) for each in drawn(CHALLENGE)])
    assert len(set(words.tolist())) == words.size
