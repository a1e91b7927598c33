"""Scales and limits of the integers that models compute with."""

from __future__ import annotations

import math

ROW_SCALE = 8  # a row's attributes have scale 2^8: pixels as they are, 0..255, and 256 for the constant one
BIAS = 1 << ROW_SCALE
MAX_FEATURE = 1 << 20  # of a row that holds features other than pixels
MAX_WIDTH = 63  # of a comparison: bits without the sign


def ceil_sqrt(value: int) -> int:
    return math.isqrt(value - 1) + 1 if value else 0
