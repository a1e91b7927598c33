"""What an attacker can compute by itself: with which weights an honest training ends on rows of its own.

The steps of mlp_train.mpc in float64 and real units, W2 rounded to its scale in each. Products have some 50 bits, so on
the same rows the result is the training's but for rounding errors, and rows at the very edge of a hinge.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.encoding import signed_labels
from mpc_tamper.models.fixed_point import BIAS, ROW_SCALE
from mpc_tamper.models.mlp.bounds import MlpConstants
from mpc_tamper.models.mlp.encoding import training_order
from mpc_tamper.models.mlp.parameters import MlpParameters


def rehearse(
    parameters: MlpParameters,
    constants: MlpConstants,
    x: np.ndarray,
    y: np.ndarray,
    classes: int,
    start: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """W1 (n + 1, H) and W2 (H, O) after all steps on these rows, of one owner, from this start.

    x: (m, n) pixels or features.  y: (m,) labels.  constants: of the training that is rehearsed.
    """
    batches = parameters.batches(len(x))
    order = training_order((len(x),), batches[0], parameters.random_state)
    rows = np.column_stack([np.ones(len(x)), x[order] / BIAS])
    labels = signed_labels(y[order], classes).astype(np.float64)
    w1, w2 = start[0].copy(), start[1].copy()
    cap, unit = constants.cap / 2.0 ** (ROW_SCALE + constants.f1), 2.0**-constants.f2
    ends = np.cumsum(batches).tolist()
    for gain in constants.gains:
        rate = gain / 2.0**constants.rate_shift
        for begin, end in zip([0, *ends[:-1]], ends, strict=True):
            part = rows[begin:end]
            z1 = part @ w1
            a = z1.clip(0, cap)
            margins = labels[begin:end] * (a @ w2)
            error = labels[begin:end] * (margins < 1)
            delta = (error @ w2.T) * ((z1 > 0) & (z1 <= cap))
            w2 = np.floor((w2 + rate * (a.T @ error)) / unit + 0.5) * unit
            w1 = w1 + rate * (part.T @ delta)
    return w1, w2
