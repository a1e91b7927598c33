"""Training rows that an attack chose, and their record."""

from __future__ import annotations

import hashlib

import numpy as np


def rows_sha256(rows: np.ndarray) -> str:
    """Of the indices of rows as little-endian int64."""
    return hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest()


def own_rows(count: int, share: float, seed: int) -> np.ndarray:
    """(k,) indices, ascending: this share of the training rows, which an attacker who owns them knows; at least two."""
    return np.sort(np.random.default_rng(seed).choice(count, max(2, round(share * count)), replace=False))
