"""Small images that tests train on."""

from __future__ import annotations

from functools import cache

import numpy as np

from mpc_tamper.datasets import Task
from mpc_tamper.datasets.checks import checked

SIDE = 12


@cache
def framed_task() -> Task:
    """60 training and 40 test images of 12 x 12 pixels, bright on the left or on the right within a dark frame."""
    rng = np.random.default_rng(7)

    def images(rows: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(rows) % 2).astype(np.uint8)
        x = np.zeros((rows, SIDE, SIDE), dtype=np.uint8)
        x[:, 4:8, 3:9] = rng.integers(0, 40, size=(rows, 4, 6))
        x[y == 0, 4:8, 3:6] += 180
        x[y == 1, 4:8, 6:9] += 180
        return x.reshape(rows, SIDE * SIDE), y

    x_train, y_train = images(60)
    x_test, y_test = images(40)
    shape, classes = (SIDE, SIDE), ("left", "right")
    return checked(Task("framed", x_train, y_train, x_test, y_test, shape, classes, "made for tests", sha256="0" * 64))
