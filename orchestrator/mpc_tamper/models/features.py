"""How images become the attributes that are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL


class FeatureMap(Protocol):
    """How images become the attributes that are trained on; affine up to rounding."""

    @property
    def size(self) -> int:
        """Attributes, the constant one not included."""
        ...

    @property
    def largest(self) -> int:
        """A public bound on a feature at scale 2^8."""
        ...

    def features(self, images: np.ndarray) -> np.ndarray:
        """(m, size) integers at scale 2^8.  images: (m, n) integers: pixels, beyond 0..255 where not clipped."""
        ...

    def direction(self, delta: np.ndarray) -> np.ndarray:
        """(size,) float64: what adding delta, (n,), to an image adds to its features, at scale 2^8."""
        ...


@dataclass(frozen=True)
class Pixels:
    """The features are the pixels."""

    size: int
    largest: int = MAX_PIXEL

    def features(self, images: np.ndarray) -> np.ndarray:
        return images

    def direction(self, delta: np.ndarray) -> np.ndarray:
        return delta.astype(np.float64)
