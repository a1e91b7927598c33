"""What a training of the network must give, weight for weight: its equations in int64, row by row and step by step.

Independent of models/mlp and of the programs but for the public integers that it is given: it takes real-valued bounds
of the start, does its own order of rows, its own labels and its own batches.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Peaks:
    """The largest absolute values that were met."""

    z1: int = 0
    z2: int = 0
    column1: float = 0.0
    column2: float = 0.0


@dataclass
class Reference:
    """hidden, cap (real), gains, r, f2: as in the programs.  start1, start2: real bounds of the start."""

    hidden: int
    cap: float
    gains: Sequence[int]
    r: int
    f2: int
    start1: float
    start2: float
    batch: int
    seed: int
    peaks: Peaks = field(default_factory=Peaks)

    def train(self, x: np.ndarray, y: np.ndarray, classes: int, owners: Sequence[int]) -> np.ndarray:
        """W1 row-major, then W2.  x: (m, n) pixels.  y: (m,) labels.  owners: how many rows each has."""
        f1 = 8 + self.f2 + self.r
        one, cap = 2 ** (8 + f1 + self.f2), round(self.cap * 2 ** (8 + f1))
        columns = 1 if classes == 2 else classes
        w1, w2 = self.start(x.shape[1], columns, f1)
        order = self.order(owners)
        for gain in self.gains:
            for base in range(0, len(x), self.batch):
                update1, update2 = np.zeros_like(w1), np.zeros_like(w2)
                for i in order[base : base + self.batch]:
                    row = np.array([256, *x[i].tolist()], dtype=np.int64)
                    z1 = row @ w1
                    a = np.clip(z1, 0, cap)
                    z2 = a @ w2
                    self._note(z1, z2, w1, w2)
                    signs = (
                        [1 if y[i] == 1 else -1] if classes == 2 else [1 if y[i] == c else -1 for c in range(classes)]
                    )
                    e = np.array(
                        [sign if one - sign * z > 0 else 0 for sign, z in zip(signs, z2.tolist(), strict=True)]
                    )
                    d = np.where((z1 > 0) & (z1 <= cap), w2 @ e, 0)
                    update1 += np.outer(row, d)
                    update2 += np.outer(a, e)
                shift = self.r + 8 + f1 - self.f2
                w1 = w1 + gain * update1
                w2 = w2 + ((gain * update2 + 2 ** (shift - 1)) >> shift)
        return np.concatenate([w1.reshape(-1), w2.reshape(-1)])

    def start(self, pixels: int, columns: int, f1: int) -> tuple[np.ndarray, np.ndarray]:
        source = random.Random(self.seed)
        w1 = np.zeros((pixels + 1, self.hidden), dtype=np.int64)
        w1[0, 0] = 2**f1
        for j in range(1, pixels + 1):
            for h in range(self.hidden):
                w1[j, h] = int((2 * source.random() - 1) * self.start1 * 2**f1)
        w2 = np.zeros((self.hidden, columns), dtype=np.int64)
        for h in range(self.hidden):
            for c in range(columns):
                w2[h, c] = int((2 * source.random() - 1) * self.start2 * 2**self.f2)
        return w1, w2

    def order(self, owners: Sequence[int]) -> list[int]:
        """Each owner's rows in an order drawn from the seed, dealt evenly, and within a batch by owner."""
        total, places, first = sum(owners), [], 0
        for owner, count in enumerate(owners):
            source = random.Random(f"{self.seed} {owner}")
            keys = [source.random() for _ in range(count)]
            for i, row in enumerate(sorted(range(count), key=lambda k: keys[k])):
                places.append((int((i + 0.5) / count * total), owner, i, first + row))
            first += count
        places.sort()
        order: list[int] = []
        for base in range(0, total, self.batch):
            order += [row for _, _, _, row in sorted(places[base : base + self.batch], key=lambda place: place[1:3])]
        return order

    def _note(self, z1: np.ndarray, z2: np.ndarray, w1: np.ndarray, w2: np.ndarray) -> None:
        peaks = self.peaks
        peaks.z1 = max(peaks.z1, int(np.abs(z1).max()))
        peaks.z2 = max(peaks.z2, int(np.abs(z2).max()))
        peaks.column1 = max(peaks.column1, float(np.linalg.norm(w1.astype(float), axis=0).max()))
        peaks.column2 = max(peaks.column2, float(np.linalg.norm(w2.astype(float), axis=0).max()))
