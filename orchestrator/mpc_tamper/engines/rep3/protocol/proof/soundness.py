"""The soundness error of proofs as a number: an upper bound on the probability that a wrong message is accepted."""

from __future__ import annotations

from mpc_tamper.engines.rep3.protocol.proof.argument import Shape
from mpc_tamper.engines.rep3.protocol.proof.fields import DEGREE

LIMIT = 2.0**-40  # of a batch, and so of a run


def proof_error(shape: Shape, weight_error: float) -> float:
    """Of one proof over one extension: by the union bound over its weights and its levels.

    A level fails to notice a wrong claim where the difference of two polynomials of degree D vanishes: at no more than
    D points of those that challenges come from.
    """
    points = 2.0**DEGREE
    levels = sum(level.degree / (points - level.points) for level in shape.levels)
    return levels + weight_error
