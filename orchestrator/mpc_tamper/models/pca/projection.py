"""The map to principal components, exactly as pca.mpc and svm_lift.mpc compute it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.models.fixed_point import BIAS, MAX_FEATURE, ROW_SCALE
from mpc_tamper.models.pca.program import COMPONENT_SCALE

_HALF = 1 << (COMPONENT_SCALE - 1)
_EXACT = 1 << 53  # of float64


@dataclass(frozen=True, eq=False)
class Projection:
    """The FeatureMap of principal components, and exactly what pca.mpc and svm_lift.mpc compute.

    matrix: (k, n) int64 at scale 2^16, a component a row.  mean: (n,) int64, whole pixels.
    """

    matrix: np.ndarray
    mean: np.ndarray

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.mean.shape != self.matrix.shape[1:]:
            raise DataError(
                f"expected components (k, n) and a mean (n,), got shapes {self.matrix.shape} and {self.mean.shape}"
            )

    @property
    def size(self) -> int:
        return len(self.matrix)

    @property
    def largest(self) -> int:
        return MAX_FEATURE

    def features(self, images: np.ndarray) -> np.ndarray:
        """(m, k) int32 at scale 2^8.  images: (m, n) integers, pixels, beyond 0..255 where not clipped."""
        centred = images.astype(np.float64) - self.mean
        largest = float(np.abs(centred).max(initial=0)) * int(np.abs(self.matrix).sum(axis=1).max())
        if largest >= _EXACT:
            raise DataError(f"expected pixels of which no projection exceeds 2^53, got one up to {largest:g}")
        exact = (centred @ self.matrix.T.astype(np.float64)).astype(np.int64)  # no sum is rounded
        return ((exact + _HALF) >> COMPONENT_SCALE).astype(np.int32)

    def direction(self, delta: np.ndarray) -> np.ndarray:
        """(k,) float64, V'delta at scale 2^8."""
        return np.asarray(self.matrix @ delta.astype(np.float64) / (1 << COMPONENT_SCALE))

    def lifted(self, weights: np.ndarray) -> np.ndarray:
        """(n + 1,) int64, the model of pixels: what svm_lift.mpc computes.  weights: (k + 1,) int64, bias first."""
        pixels = (self.matrix.T @ weights[1:] + _HALF) >> COMPONENT_SCALE
        offset = (self.mean @ pixels + BIAS // 2) >> ROW_SCALE
        return np.concatenate([weights[:1] - offset, pixels])


def principal_components(images: np.ndarray, components: int) -> Projection:
    """Of an owner's images, in the clear.  images: (m, n) pixels."""
    real = images.astype(np.float64)
    mean = real.mean(axis=0)
    real -= mean
    _, vectors = np.linalg.eigh(real.T @ real)
    largest = vectors[:, ::-1][:, :components].T
    return Projection(np.rint(largest * (1 << COMPONENT_SCALE)).astype(np.int64), np.rint(mean).astype(np.int64))
