"""JSON as its standard has it (RFC 8259): without NaN and infinities, which Python's parser lets through."""

from __future__ import annotations

import json
import math
from typing import Any


def parsed(text: str | bytes) -> Any:
    """Raises ValueError, also for a number that is too large for a float."""
    return json.loads(text, parse_constant=_refused, parse_float=_finite)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number
