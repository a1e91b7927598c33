"""An honest training in floating point: how an attacker with data of its own knows about what the servers will have."""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters


def rehearse(rows: np.ndarray, labels: np.ndarray, parameters: SvmParameters) -> np.ndarray:
    """(d + 1,) real weights of an honest training, in floating point.

    rows: (m, d + 1) real, constant attribute first.  labels: (m,) -1 and 1.
    """
    weights = np.zeros(rows.shape[1])
    signed = rows * labels[:, None]
    ends = np.cumsum(parameters.batches(len(rows)))
    for _ in range(parameters.iterations):
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            batch = signed[start:end]
            counts = (1 - batch @ weights).clip(0)
            active = np.sign(counts) if parameters.loss is Loss.HINGE else counts
            gradient = active @ batch / len(batch) - 2 * parameters.regularisation * weights
            step = parameters.learning_rate * gradient
            weights += step if parameters.clip is None else step.clip(-parameters.clip, parameters.clip)
    return weights
