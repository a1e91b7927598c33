"""What every task must satisfy before a party starts."""

from __future__ import annotations

import math

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets import advice
from mpc_tamper.datasets.task import Task


def checked(task: Task) -> Task:
    """Return the task, or raise DataError naming the array at fault."""
    if not 2 <= len(task.image_shape) <= 3 or min(task.image_shape) < 1:
        raise DataError(
            f"{task.source}: expected an image_shape (height, width) or (channels, height, width), "
            f"got {task.image_shape}; correct image_shape"
        )
    n = math.prod(task.image_shape)
    for part, x, y in (("train", task.x_train, task.y_train), ("test", task.x_test, task.y_test)):
        _check_pixels(x, n, task.source, f"x_{part}")
        _check_labels(y, len(x), task.source, f"y_{part}")
    return task


def inferred_shape(n: int, source: str) -> tuple[int, ...]:
    """The shape of an image of n pixels: square and grey, or three square channels."""
    side = math.isqrt(n)
    if n > 0 and side * side == n:
        return (side, side)
    side = math.isqrt(n // 3)
    if n > 0 and 3 * side * side == n:
        return (3, side, side)
    raise DataError(
        f"{source}: expected n x n or 3 x n x n pixels a row, got {n}; "
        "save an array image_shape, (height, width) or (channels, height, width), beside the images"
    )


def _check_pixels(x: np.ndarray, n: int, source: str, name: str) -> None:
    if x.dtype != np.uint8:
        held, mend = advice.pixels(x, name)
        raise DataError(f"{source}: {name}: expected uint8, got {held}; {mend}")
    if x.ndim != 2 or x.shape[1] != n:
        raise DataError(
            f"{source}: {name}: expected shape (rows, {n}), one image a row, got {x.shape}; {advice.shape(x, name, n)}"
        )


def _check_labels(y: np.ndarray, rows: int, source: str, name: str) -> None:
    held, mend = advice.labels(y, name)
    if y.dtype != np.uint8:
        raise DataError(f"{source}: {name}: expected uint8, got {held}; {mend}")
    if y.ndim != 1:
        raise DataError(f"{source}: {name}: expected shape ({rows},), one label for each image, got {y.shape}; {mend}")
    if y.shape != (rows,):
        raise DataError(
            f"{source}: {name}: expected shape ({rows},), one label for each image, got {y.shape}; save both from the "
            "same rows"
        )
    found = set(np.unique(y).tolist())
    if not found >= {0, 1}:
        raise DataError(f"{source}: {name}: expected both labels 0 and 1, got {held}; {mend}")
    if found > {0, 1}:
        raise DataError(f"{source}: {name}: expected labels 0 and 1 only, got {held}; {mend}")
