"""An opened network, for analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mpc_tamper.models.argmax import predict
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.models.mlp.scoring import scores, split


@dataclass(frozen=True, eq=False)
class OpenedMlp(OpenedModel):
    """weights: W1 (n + 1, H) at scale 2^f1, bias first, row-major, then W2 (H, O) at 2^f2; int64."""

    architecture: Mapping[str, int]

    @property
    def score_bits(self) -> int:
        return ROW_SCALE + self.architecture["f1"] + self.architecture["f2"]

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """int64 modulo 2^64, (m,) for two classes and (m, C) for more."""
        found = scores(self.weights, self.architecture, rows)
        return found[:, 0] if found.shape[1] == 1 else found

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return predict(scores(self.weights, self.architecture, rows)).astype(np.uint8)

    @property
    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """W1 (n + 1, H), bias first, and W2 (H, O), in real units."""
        w1, w2 = split(self.weights, self.architecture)
        return w1 / 2.0 ** self.architecture["f1"], w2 / 2.0 ** self.architecture["f2"]

    @property
    def max_abs_weight(self) -> float:
        return max(float(np.abs(layer).max()) for layer in self.layers)

    def picture(self) -> np.ndarray:
        """The weights of the pixels at the neuron with the largest one."""
        w1, _ = self.layers
        return np.asarray(w1[1:, int(np.abs(w1[1:]).max(axis=0).argmax())])
