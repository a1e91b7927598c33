"""What an attacker can compute by itself: an honest training on data of its own, and what a single row leaves."""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.linear_svm.bounds import FixedPoint
from mpc_tamper.models.linear_svm.parameters import MOST_COUNTED, Loss, SvmParameters


def rehearse(rows: np.ndarray, labels: np.ndarray, parameters: SvmParameters, row_norm: float) -> np.ndarray:
    """(d + 1,) real weights of an honest training, in floating point.

    rows: (m, d + 1) real, constant attribute first.  labels: (m,) -1 and 1.  row_norm: the public bound on a row's.
    """
    weights, change = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    signed = rows * labels[:, None]
    ends = np.cumsum(parameters.batches(len(rows)))
    for number in range(parameters.iterations):
        rate = parameters.rate(row_norm) * parameters.parts_in(number) / parameters.parts
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            batch = signed[start:end]
            counts = (1 - batch @ weights).clip(0)
            active = np.sign(counts) if parameters.whole else counts
            if parameters.loss is Loss.MODIFIED_HUBER:
                active = counts.clip(0, MOST_COUNTED)
            gradient = active @ batch / len(batch) - 2 * parameters.regularisation * weights
            change = rate * gradient + parameters.momentum * change
            if parameters.clip is not None:
                change = change.clip(-parameters.clip, parameters.clip)
            weights = weights + change
    return weights


def single_row_weights(
    parameters: SvmParameters, constants: FixedPoint, rows: int, row: int, values: np.ndarray
) -> np.ndarray:
    """(k,) int64: the weights of attributes of these values if `row` alone, of so many rows, ever counts.

    values: (k,) int64, attributes at scale 2^8 times the row's label.  Exact, for the hinge loss at a constant rate,
    without momentum and clipping.
    """
    sizes = parameters.batches(rows)
    ends = np.cumsum(sizes)
    weights = np.zeros(len(values), np.int64)
    for _ in range(parameters.iterations):
        for size, end in zip(sizes, ends.tolist(), strict=True):
            gain = constants.gain if size == sizes[0] else constants.last_gain
            gradient = values if end - size <= row < end else np.zeros_like(values)
            weights = weights + ((gain * gradient - constants.decay * weights) >> constants.shift)
    return weights
