"""Intervals of proportions."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def wilson(share: float, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The two-sided interval of a share of `count` rows (Wilson, JASA 1927).

    share: 0 to 1; a mean over several models that were measured on the same rows may lie between two counts.
    """
    return _bounds(share, count, NormalDist().inv_cdf((1 + confidence) / 2))


def wilson_one_sided(share: float, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """A lower and an upper bound, each of them with this confidence."""
    return _bounds(share, count, NormalDist().inv_cdf(confidence))


def _bounds(share: float, count: int, z: float) -> tuple[float, float]:
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
