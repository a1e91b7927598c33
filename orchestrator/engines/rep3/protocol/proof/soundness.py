"""The soundness error of proofs as a number: an upper bound on the probability that a wrong message is accepted."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.engines.rep3.protocol.proof.argument import Shape
from orchestrator.engines.rep3.protocol.proof.fields import DEGREE

LIMIT = 2.0**-40


def proof_error(shape: Shape, weight_bits: Sequence[float]) -> float:
    """Of one proof over one extension: by the union bound over its levels and its random weights.

    weight_bits: log2 of the set that each factor of a weight is drawn from.
    """
    points = 2.0**DEGREE
    levels = sum(level.degree / (points - level.points) for level in shape.levels)
    return levels + sum(2.0**-bits for bits in weight_bits)
