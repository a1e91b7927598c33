"""Where the weights of a network start, as mlp_train.mpc draws them: what an attacker knows of a public start."""

from __future__ import annotations

from random import Random

import numpy as np

from mpc_tamper.models.base import DataSize
from mpc_tamper.models.mlp.bounds import START1, START2, MlpConstants
from mpc_tamper.models.mlp.parameters import MlpParameters, Start, outputs


def start_weights(parameters: MlpParameters, constants: MlpConstants, size: DataSize) -> tuple[np.ndarray, np.ndarray]:
    """W1 (n + 1, H) and W2 (H, O), float64 in real units: exact for a public start, and for a secret one a guess."""
    bounds = (constants.start1, constants.start2)
    if parameters.start is Start.SECRET:
        bounds = (1 << constants.f1 - START1, 1 << constants.f2 - START2)
    source = Random(parameters.random_state)

    def drawn(count: int, bound: int) -> list[int]:
        return [int((2 * source.random() - 1) * bound) for _ in range(count)]

    hidden = parameters.hidden
    w1 = np.zeros((size.features + 1, hidden))
    w1[0, 0] = 1
    w1[1:] = np.reshape(drawn(size.features * hidden, bounds[0]), (-1, hidden)) / 2.0**constants.f1
    w2 = np.reshape(drawn(hidden * outputs(size.classes), bounds[1]), (hidden, -1)) / 2.0**constants.f2
    return w1, w2
