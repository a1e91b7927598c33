"""Errors at chosen rows of the training data, in every pass, for steps with an output or gate lane for each row."""

from __future__ import annotations

import numpy as np

from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan


def row_plan(
    site: str, rows: np.ndarray, total: int, parameters: SvmParameters, value: int, *, plane: int = 0
) -> AdditiveErrorPlan:
    """The value at these of the `total` training rows.

    rows: (r,) distinct indices.  plane: of the gate, whose index is plane * (rows of the batch) + row of the batch.
    """
    batches = parameters.batches(total)
    starts = np.cumsum([0, *batches])
    errors = []
    for k, size in enumerate(batches):
        here = np.sort(rows[(rows >= starts[k]) & (rows < starts[k + 1])]) - starts[k] + plane * size
        passes = range(parameters.iterations)
        occurrences = [EVERY] if len(batches) == 1 else [p * len(batches) + k for p in passes]
        errors += [AdditiveError(site, occurrence, int(i), value) for occurrence in occurrences for i in here]
    return AdditiveErrorPlan.from_errors(errors)


def place_in_batch(rows: np.ndarray, total: int, parameters: SvmParameters) -> tuple[np.ndarray, np.ndarray]:
    """For each row: its index within its batch, and how many rows that batch has."""
    batches = np.array(parameters.batches(total))
    number = rows // batches[0]
    return rows - number * batches[0], batches[number]
