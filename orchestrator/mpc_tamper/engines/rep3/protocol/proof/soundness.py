"""The soundness error of proofs as a number: an upper bound on the probability that a wrong message is accepted.

The arguments stand in docs/security.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.protocol.proof.argument import Level

LIMIT = 2.0**-40  # of a batch, and so of a run
_FIELD_BITS = 64
_LIFTED_BITS, _WORD_BITS = 128, 64


def polynomial_error(levels: Sequence[Level]) -> float:
    """Of one proof over GF(2^64): by the union bound over its weights, sigma and rho, and its levels.

    A level fails to notice a wrong claim where the difference of two polynomials of degree D vanishes: at no more than
    D points of those that challenges come from.
    """
    points = 2.0**_FIELD_BITS
    return sum(level.degree / (points - level.points) for level in levels) + 2 / points


def subset_error(*, elementwise: bool, matrices: bool) -> float:
    """That no subset notices a wrong gate, or no pair of subsets a wrong matrix. It takes one group with an error."""
    return max(elementwise, 2 * matrices) * 2.0**-SUBSETS


def valuation_error(factors: int) -> float:
    """That random factors modulo 2^128 make an error zero that is not zero modulo 2^64.

    Its valuation is at most 63 and has to become 128. Each factor raises it by j or more with probability at most
    2^-j, whatever happened before, so it takes 65 heads before as many tails as there are factors.
    """
    tosses = _LIFTED_BITS - _WORD_BITS + factors
    return sum(math.comb(tosses, tails) for tails in range(factors)) / 2.0**tosses
