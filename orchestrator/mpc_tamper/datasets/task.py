"""A task of two or more classes, images or rows of a table: the unit that every experiment works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mpc_tamper.core.errors import ParameterError

if TYPE_CHECKING:
    from mpc_tamper.datasets.tables.schema import Schema


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
    owner_rows: how many training rows each owner's file has, in order; empty where they came from one place.
    schema: what is public of a table's columns, by which other files are encoded alike; None where it is not known.
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
    owner_rows: tuple[int, ...] = ()
    schema: Schema | None = None

    @property
    def is_table(self) -> bool:
        return bool(self.feature_names)

    @property
    def channels(self) -> int:
        """3 for colours, 1 for grey; a pixel position has an attribute in each."""
        return self.image_shape[0] if len(self.image_shape) == 3 else 1

    @property
    def unit(self) -> str:
        """What a trigger changes, and a certificate counts."""
        return "feature" if self.is_table else "pixel"

    def require_images(self, what: str) -> None:
        """Raises ParameterError where these are rows of a table.  what: needs images."""
        if self.is_table:
            raise ParameterError(
                f"{what}: expected images, got {self.name}, a table; its rows have no height and width"
            )
