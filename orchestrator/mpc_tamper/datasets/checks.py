"""What every task must satisfy before a party starts."""

from __future__ import annotations

import math

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets import advice
from mpc_tamper.datasets.task import Task


def checked(task: Task) -> Task:
    """Return the task, or raise DataError naming the array at fault."""
    if task.is_table:
        _check_features(task)
    elif not 2 <= len(task.image_shape) <= 3 or min(task.image_shape) < 1:
        raise DataError(
            f"{task.source}: expected an image_shape (height, width) or (channels, height, width), "
            f"got {task.image_shape}; correct image_shape"
        )
    if not 2 <= len(set(task.classes)) == len(task.classes) <= advice.MOST_CLASSES:
        raise DataError(
            f"{task.source}: expected the names of 2 to {advice.MOST_CLASSES} different classes, got "
            f"{', '.join(task.classes) or 'none'}; correct classes"
        )
    n = len(task.feature_names) if task.is_table else math.prod(task.image_shape)
    for part, x, y in (("train", task.x_train, task.y_train), ("test", task.x_test, task.y_test)):
        check_pixels(x, n, task.source, f"x_{part}")
        _check_labels(y, len(x), len(task.classes), task.source, f"y_{part}")
    return task


def _check_features(task: Task) -> None:
    names = task.feature_names
    if task.image_shape:
        raise DataError(
            f"{task.source}: expected image_shape or feature_names, got both; leave out image_shape where rows are no "
            "images"
        )
    if len(set(names)) < len(names) or not all(names):
        raise DataError(
            f"{task.source}: expected a different name for each feature, got the same twice or an empty one; correct "
            "feature_names"
        )


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


def check_pixels(x: np.ndarray, n: int, source: str, name: str) -> None:
    if x.dtype != np.uint8:
        held, mend = advice.pixels(x, name)
        raise DataError(f"{source}: {name}: expected uint8, got {held}; {mend}")
    if x.ndim != 2 or x.shape[1] != n:
        raise DataError(
            f"{source}: {name}: expected shape (rows, {n}), one image a row, got {x.shape}; {advice.shape(x, name, n)}"
        )


def _check_labels(y: np.ndarray, rows: int, classes: int, source: str, name: str) -> None:
    held, mend = advice.labels(y, name, classes)
    if y.dtype != np.uint8:
        raise DataError(f"{source}: {name}: expected uint8, got {held}; {mend}")
    if y.ndim != 1:
        raise DataError(f"{source}: {name}: expected shape ({rows},), one label for each image, got {y.shape}; {mend}")
    if y.shape != (rows,):
        raise DataError(
            f"{source}: {name}: expected shape ({rows},), one label for each image, got {y.shape}; save both from the "
            "same rows"
        )
    found, wanted = set(np.unique(y).tolist()), set(range(classes))
    if not found >= wanted:
        expected = "both labels 0 and 1" if classes == 2 else f"all labels from 0 to {classes - 1}"
        raise DataError(f"{source}: {name}: expected {expected}, got {held}; {mend}")
    if found > wanted:
        expected = "labels 0 and 1 only" if classes == 2 else f"labels from 0 to {classes - 1} only"
        raise DataError(f"{source}: {name}: expected {expected}, got {held}; {mend}")
