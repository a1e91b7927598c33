"""The class of the largest of several scores, as programs on shares find it: by differences modulo 2^64.

No score of an honest model leaves 62 bits. Those of a tampered one may wrap around, and then do so everywhere alike.
"""

from __future__ import annotations

import numpy as np


def predict(scores: np.ndarray) -> np.ndarray:
    """Classes, (m,) int64, by differences modulo 2^64: the class that no other beats.

    Of scores that differ by less than 2^63 it is numpy's argmax, and [score > 0] of a single one. Of others, which may
    beat each other in a circle, it is 0 where no class is left, as for a client that asks the network.
    """
    return np.asarray(beats_all(scores).argmax(axis=1))


def beats_all(scores: np.ndarray) -> np.ndarray:
    """Which class no other beats, (m, C) bool, at most one in each row."""
    z = np.column_stack([np.zeros(len(scores), np.int64), scores]) if scores.shape[1] == 1 else scores
    best = np.ones(z.shape, dtype=bool)
    for i in range(z.shape[1]):
        for j in range(i + 1, z.shape[1]):
            lower = z[:, i] - z[:, j] < 0
            best[:, i] &= ~lower
            best[:, j] &= lower
    return best
