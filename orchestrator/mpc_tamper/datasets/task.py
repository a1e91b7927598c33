"""A task of two or more classes, images or rows of a table: the unit that every experiment works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Task:
    """Images, or rows of a table, of C = len(classes) classes, at least two.

    x_train (m, n), x_test (m', n): uint8 levels 0..255; pixels, row-major over image_shape, n = prod(image_shape), or
    the columns of a table under its public scaling rule (scaling.py).
    y_train (m,), y_test (m',): uint8 labels 0 to C - 1, each of them present in both.
    image_shape: (height, width) or (channels, height, width); () for a table.
    classes: what the labels stand for, label 0 first.  source: where the pixels came from, for the record of a run.
    sha256: of the .npz file or, where there is none, of x_train, y_train, x_test and y_test in this order.
    feature_names: n names, each once, of a table's features; empty for images.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    source: str
    sha256: str
    feature_names: tuple[str, ...] = ()

    @property
    def is_table(self) -> bool:
        return bool(self.feature_names)

    @property
    def channels(self) -> int:
        """3 for colours, 1 for grey; a pixel position has an attribute in each."""
        return self.image_shape[0] if len(self.image_shape) == 3 else 1
