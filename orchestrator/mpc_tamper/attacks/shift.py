"""Gradient shifting: the same additive error in every step, so that the weights drift in a chosen direction.

The paper adds a perturbation to the gradient (section 2.2); ePrint 2025/906 calls it gradient shifting. An error at
GRADIENT is at the gradient's scale and is multiplied by alpha / B. One at CLIP, after whatever a defence does to the
gradient, goes to the weights as it is. Both move the weights by alpha * strength * direction a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.models.linear_svm.parameters import WEIGHT_SCALE, SvmParameters
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import UpdateSite


def shift_plan(
    direction: np.ndarray,
    parameters: SvmParameters,
    rows: int,
    *,
    strength: float,
    site: UpdateSite = UpdateSite.GRADIENT,
    iterations: Iterable[int] | None = None,
) -> AdditiveErrorPlan:
    """Errors that add alpha * strength * direction to the weights in each step of a training on this many rows.

    direction: (n + 1,) float64 at scale 2^8, bias first.  strength: what as many rows as a batch has would do if all
    were active and carried the direction.  iterations: which passes over the data, from 0; all where it is None.
    Raises ParameterError where nothing would be added, or something outside 64 bits.
    """
    if not (math.isfinite(strength) and strength > 0):
        raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
    largest = float(np.abs(direction).max())
    errors = []
    for occurrence, size in _steps(parameters, rows, site, iterations):
        if site is UpdateSite.GRADIENT:
            factor = strength * size * 2.0 ** (parameters.gradient_scale - ROW_SCALE)
        else:
            factor = strength * parameters.learning_rate * 2.0 ** (WEIGHT_SCALE - ROW_SCALE)
        if not 0.5 < factor * largest < 2.0**63:
            raise ParameterError(
                f"strength: expected an error from 1 to 2^63 - 1 at {site}, got {factor * largest:.3g}"
            )
        values = np.rint(factor * direction)
        errors += [AdditiveError(site, occurrence, int(i), int(values[i])) for i in np.flatnonzero(values)]
    return AdditiveErrorPlan.from_errors(errors)


def _steps(
    parameters: SvmParameters, rows: int, site: UpdateSite, iterations: Iterable[int] | None
) -> list[tuple[int, int]]:
    """(occurrence, rows of its batch), one for all steps where they are alike."""
    batches = parameters.batches(rows)
    if iterations is None and (len(set(batches)) == 1 or site is not UpdateSite.GRADIENT):
        return [(EVERY, batches[0])]
    passes = range(parameters.iterations) if iterations is None else sorted(set(iterations))
    if not passes or passes[0] < 0 or passes[-1] >= parameters.iterations:
        raise ParameterError(f"iterations to poison: expected some of 0 to {parameters.iterations - 1}, got {passes}")
    return [(p * len(batches) + k, size) for p in passes for k, size in enumerate(batches)]
