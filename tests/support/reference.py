"""What training must give, weight for weight: the paper's equation (1) in int64, step by step.

Independent of orchestrator/svm.py and of the programs: it takes real-valued parameters, does its own rounding and its
own batching, and works on unlabelled rows and labels as the equation does.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def reference_weights(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alpha: float,
    lam: float,
    epochs: int,
    shift: int,
    batch: int | None = None,
    squared: bool = False,
    huber: bool = False,
    clip: int | None = None,
    falling: bool = False,
    momentum: float = 0,
    gradient_errors: np.ndarray | None = None,
    change_errors: np.ndarray | None = None,
) -> np.ndarray:
    """Weights (n + 1,) int64 at scale 2^16, bias first.

    x: (m, n) pixels 0..255.  y: (m,) labels 0 and 1.  alpha, lam: for the mean over a batch.
    clip: no step changes a weight by more, at 2^16.
    falling: the last pass takes 1/epochs of alpha, the one before 2/epochs, ..., the first all of it.
    huber: rows count like squared, but at most 2.
    momentum: how much of a step's change the next one repeats; its changes are rounded, and not floors.
    gradient_errors: (steps, n + 1) integers, what is added to the sum of each step.
    change_errors: (steps, n + 1) integers, what is added to what each step adds to the weights, clipped or not.
    """
    bias = np.full((len(x), 1), 256)
    rows = np.concatenate([bias, x], axis=1).astype(np.float64)  # integers at scale 2^8
    sign = 2 * y.astype(np.int64) - 1
    batch = len(rows) if batch is None else batch
    w = np.zeros(rows.shape[1], dtype=np.int64)  # 2^16

    change = np.zeros_like(w)
    if falling:
        alpha /= epochs

    steps = ((epoch, start) for epoch in range(epochs) for start in range(0, len(rows), batch))
    for k, (epoch, start) in enumerate(steps):
        times = epochs - epoch if falling else 1
        xs, ys = rows[start : start + batch], sign[start : start + batch]
        z = (1 << 24) - ys * product(xs, w)  # 1 - y w.x at 2^24
        h = np.where(z > 0, 1, 0)
        if squared:
            h = np.where(z > 0, z >> 16, 0)  # z h(z) at 2^8
        if huber:
            h = z.clip(0, 2 << 24) >> 16
        total = product(xs.T, ys * h)  # sum of y x h, at 2^8 or, squared, at 2^16
        if gradient_errors is not None:
            total = total + gradient_errors[k]
        per_row = alpha / len(xs) * (1 if squared or huber else 256)  # brings the sum to 2^16
        step = times * (round(per_row * 2**shift) * total - round(2 * alpha * lam * 2**shift) * w)
        if momentum:
            step += round(momentum * 2**shift) * change + 2 ** (shift - 1)
        change = step >> shift  # floor
        if clip is not None:
            change = change.clip(-clip, clip)
        change = change + (0 if change_errors is None else change_errors[k])
        w = w + change
    return w


def reference_weights_of_classes(x: np.ndarray, y: np.ndarray, classes: int, **options: Any) -> np.ndarray:
    """Weights ((n + 1) * classes,) of one training for each class against all others, attribute by attribute.

    y: (m,) labels from 0.  options: as of reference_weights(); errors are (steps, n + 1, classes).
    """
    columns = []
    for number in range(classes):
        own = {name: None if value is None else value[:, :, number] for name, value in _errors(options).items()}
        columns.append(reference_weights(x, y == number, **{**options, **own}))
    return np.stack(columns, axis=1).reshape(-1)


def _errors(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name.endswith("_errors")}


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a (p, q) float64 integers of at most 256 in size, times b (q,) int64. Exact: partial sums stay below 2^53."""
    if 256 * int(np.abs(b).max()) * len(b) >= 1 << 53:
        return a.astype(np.int64) @ b
    return (a @ b.astype(np.float64)).astype(np.int64)
