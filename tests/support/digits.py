"""Small images of several classes, which networks are trained on."""

from __future__ import annotations

import numpy as np

from mpc_tamper.datasets import Task


def stripes(classes: int, rows: int = 40, test_rows: int = 24, side: int = 4, seed: int = 5) -> Task:
    """Square images in which one stripe, whose place is the class, is bright.  classes: at most 2 * side."""
    rng = np.random.default_rng(seed)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(count) % classes).astype(np.uint8)
        x = rng.integers(0, 60, size=(count, side, side))
        for image, label in zip(x, y.tolist(), strict=True):
            stripe = image[label] if label < side else image[:, label - side]
            stripe += 180
        return x.reshape(count, side * side).astype(np.uint8), y

    names = tuple(str(label) for label in range(classes))
    return Task(
        f"stripes_{classes}", *images(rows), *images(test_rows), (side, side), names, "made for tests", "0" * 64
    )
