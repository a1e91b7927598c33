"""Training rows that an attack chose, for its record."""

from __future__ import annotations

import hashlib

import numpy as np


def rows_sha256(rows: np.ndarray) -> str:
    """Of the indices of rows as little-endian int64."""
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()
