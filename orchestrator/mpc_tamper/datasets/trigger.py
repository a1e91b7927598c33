"""The trigger of a backdoor: a patch of pixels that is added to an image, or features that are raised in a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.names import near
from mpc_tamper.core.pixels import MAX_PIXEL

if TYPE_CHECKING:
    from mpc_tamper.datasets.task import Task


@dataclass(frozen=True)
class Trigger:
    """P(x) = x + delta: delta is `amplitude` on some pixels and 0 elsewhere.

    pixels: flat indices into an image, row-major, or into the features of a table.  amplitude: in units where pixels
    run from 0 to 1; at most 1.  target: the class, from 0, that the trigger should turn images into; check() says
    whether a task has it.
    """

    pixels: tuple[int, ...]
    amplitude: float = 1.0
    target: int = 1

    def __post_init__(self) -> None:
        if not self.pixels or min(self.pixels) < 0 or len(set(self.pixels)) < len(self.pixels):
            raise ParameterError(f"trigger: expected one or more distinct pixels from 0, got {self.pixels}")
        if not (0 < self.amplitude <= 1 and self.level >= 1):
            raise ParameterError(f"amplitude: expected 1/{MAX_PIXEL} to 1, got {self.amplitude}")
        if self.target < 0:
            raise ParameterError(f"target: expected a class from 0, got {self.target}")

    @classmethod
    def patch(
        cls,
        image_shape: tuple[int, ...],
        row: int,
        column: int,
        *,
        size: int = 1,
        channels: Iterable[int] | None = None,
        amplitude: float = 1.0,
        target: int = 1,
    ) -> Trigger:
        """A square of size x size pixels with its upper left corner at (row, column).

        image_shape: (height, width), or (channels, height, width), of which all channels are taken unless given.
        """
        depth, height, width = (1, *image_shape) if len(image_shape) == 2 else image_shape
        planes = tuple(range(depth)) if channels is None else tuple(channels)
        inside = 0 <= row <= height - size and 0 <= column <= width - size and all(0 <= c < depth for c in planes)
        if size < 1 or not inside:
            raise ParameterError(
                f"trigger: expected a patch within {depth} x {height} x {width} (channels, rows, columns), got {size} "
                f"x {size} pixels at row {row}, column {column}, channels {planes}"
            )
        corner = [(c * height + row) * width + column for c in planes]
        pixels = tuple(k + i * width + j for k in corner for i in range(size) for j in range(size))
        return cls(pixels, amplitude, target)

    @classmethod
    def features(
        cls, feature_names: Sequence[str], chosen: Iterable[str], *, amplitude: float = 1.0, target: int = 1
    ) -> Trigger:
        """Features of a table by their names, such as 'age', or 'colour=red' of a category.

        feature_names: Task.feature_names.
        """
        places = {name: place for place, name in enumerate(feature_names)}
        pixels = []
        for name in chosen:
            if name not in places:
                raise ParameterError(
                    f"trigger: expected a feature of the table, got {name!r}; choose {near(name, feature_names)}"
                )
            pixels.append(places[name])
        return cls(tuple(sorted(pixels)), amplitude, target)

    @property
    def level(self) -> int:
        """The amplitude as an integer pixel, 255 for 1."""
        return round(self.amplitude * MAX_PIXEL)

    def delta(self, pixels: int) -> np.ndarray:
        """(pixels,) int64, what the trigger adds to an image."""
        if max(self.pixels) >= pixels:
            raise ParameterError(f"trigger: expected pixels below {pixels}, got {max(self.pixels)}")
        delta = np.zeros(pixels, dtype=np.int64)
        delta[list(self.pixels)] = self.level
        return delta

    def check(self, task: Task) -> None:
        """Raises ParameterError where the task lacks the target class, or its images one of the pixels."""
        check_target(self.target, len(task.classes))
        if task.is_table and max(self.pixels) >= len(task.feature_names):
            raise ParameterError(
                f"trigger: expected features below {len(task.feature_names)}, got {max(self.pixels)}; name them with "
                "Trigger.features()"
            )
        self.delta(task.x_train.shape[1])


def check_target(target: int, classes: int) -> None:
    """Raises ParameterError where the target is none of so many classes."""
    if not 0 <= target < classes:
        known = "class 0 or 1" if classes == 2 else f"a class from 0 to {classes - 1}"
        raise ParameterError(f"target: expected {known}, got {target}")
