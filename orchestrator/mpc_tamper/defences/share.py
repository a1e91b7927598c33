"""The share of known examples that a check of a secret model asks for."""

from __future__ import annotations

import math
from fractions import Fraction

from mpc_tamper.core.errors import ParameterError


def checked_share(threshold: float) -> None:
    """Raises ParameterError for what is no share of examples, or asks for none."""
    if not 0 < threshold <= 1:
        raise ParameterError(f"threshold: expected a share above 0 and at most 1, got {threshold}")


def least_count(threshold: float, examples: int) -> int:
    """How many of so many examples that is, rounded up. 0.99 is taken for 99/100, not its binary form."""
    return math.ceil(Fraction(repr(float(threshold))) * examples)
