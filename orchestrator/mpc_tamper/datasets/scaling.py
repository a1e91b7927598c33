"""The public rule by which real features become levels 0..255, the same for all owners, servers and clients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.pixels import MAX_PIXEL


@dataclass(frozen=True, eq=False)
class Scaling:
    """Levels are round(255 * (x - minimum) / (maximum - minimum)), clipped to 0..255.

    minimum, maximum (n,): float64, finite, minimum <= maximum; a feature with equal ones is always at level 0.
    """

    minimum: np.ndarray
    maximum: np.ndarray

    def __post_init__(self) -> None:
        shapes = self.minimum.shape, self.maximum.shape
        if self.minimum.ndim != 1 or shapes[0] != shapes[1]:
            raise ParameterError(f"ranges: expected a minimum and a maximum for each feature, got shapes {shapes}")
        finite = np.isfinite(self.minimum) & np.isfinite(self.maximum)
        wrong = np.flatnonzero(~(finite & (self.minimum <= self.maximum)))
        if wrong.size:
            i = int(wrong[0])
            raise ParameterError(
                f"range of feature {i}: expected a finite minimum, at most the maximum, "
                f"got {self.minimum[i]:g} to {self.maximum[i]:g}"
            )

    @classmethod
    def of(cls, x: np.ndarray) -> Scaling:
        """The ranges of these rows.  x: (m, n) finite numbers, m at least 1."""
        return cls(x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64))

    def levels(self, x: np.ndarray) -> np.ndarray:
        """(m, n) uint8.  x: (m, n) finite numbers."""
        with np.errstate(over="ignore"):
            width = self.maximum / 2 - self.minimum / 2  # halves: the difference of two large ones may not be finite
            part = (x / 2 - self.minimum / 2) / np.where(width > 0, width, 1.0)
        return np.rint(MAX_PIXEL * np.clip(np.where(width > 0, part, 0.0), 0.0, 1.0)).astype(np.uint8)
