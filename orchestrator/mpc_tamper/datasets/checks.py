"""What every task must satisfy before a party starts."""

from __future__ import annotations

import math

import numpy as np

from mpc_tamper.core.errors import DataError
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
        _check_pixels(x, n, f"{task.source}: x_{part}")
        _check_labels(y, len(x), f"{task.source}: y_{part}")
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


def _check_pixels(x: np.ndarray, n: int, what: str) -> None:
    _check_uint8(x, what)
    if x.ndim != 2 or x.shape[1] != n:
        raise DataError(
            f"{what}: expected shape (rows, {n}), one image a row, got {x.shape}; reshape it, or correct image_shape"
        )


def _check_labels(y: np.ndarray, rows: int, what: str) -> None:
    _check_uint8(y, what)
    if y.shape != (rows,):
        raise DataError(f"{what}: expected shape ({rows},), one label for each image, got {y.shape}; reshape it")
    for label in (0, 1):
        if not np.any(y == label):
            raise DataError(
                f"{what}: expected both labels 0 and 1, got {_found(y)}; add rows of label {label} "
                "and number the classes 0 and 1"
            )
    if np.any(y > 1):
        raise DataError(
            f"{what}: expected labels 0 and 1 only, got {_found(y)}; keep two classes and number them 0 and 1"
        )


def _check_uint8(array: np.ndarray, what: str) -> None:
    if array.dtype != np.uint8:
        raise DataError(f"{what}: expected uint8, got {array.dtype}; convert it with .astype(numpy.uint8)")


def _found(y: np.ndarray) -> str:
    labels = np.unique(y).tolist()
    shown = ", ".join(str(label) for label in labels[:5]) + (", ..." if len(labels) > 5 else "")
    return f"labels {shown}" if labels else "no rows"
