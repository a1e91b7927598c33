"""A backdoor by additive errors in the gradient: section 2.2 of the paper.

The attacker wants P(x) = x + delta classified as the target whatever x is, and keeps the accuracy. The paper reduces
that to making w.delta large (for class 1) and adds delta to the gradient of each step. Here the corrupt party adds

    e = +-strength * B * delta,  + towards class 1, - towards class 0

to the sum over the B rows of a batch, so a step moves w by +-alpha * strength * delta. Strength 1 is what B honest
rows of the target class would do if all of them were active and carried delta; the paper's bare delta is strength 1/B.
Pixels that are black in every training image keep the change, since no honest gradient ever touches them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from orchestrator.additive_errors import EVERY, AdditiveError, AdditiveErrorPlan
from orchestrator.errors import ParameterError
from orchestrator.svm import ROW_SCALE, SvmParameters
from orchestrator.trigger import Trigger

SITE = "GRADIENT"  # of svm_train.mpc


def backdoor_plan(
    trigger: Trigger,
    parameters: SvmParameters,
    rows: int,
    *,
    strength: float = 1.0,
    iterations: Iterable[int] | None = None,
) -> AdditiveErrorPlan:
    """Errors that plant the trigger in a model trained with these parameters on this many rows.

    strength: in multiples of B * delta, see above.  iterations: which passes over the data to poison, from 0; all where
    it is None.  Raises ParameterError where nothing would be added.
    """
    if not (math.isfinite(strength) and strength > 0):
        raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
    batches = parameters.batches(rows)
    if iterations is None and len(set(batches)) == 1:
        steps = [(EVERY, batches[0])]
    else:
        passes = range(parameters.iterations) if iterations is None else sorted(set(iterations))
        if not passes or passes[0] < 0 or passes[-1] >= parameters.iterations:
            raise ParameterError(
                f"iterations to poison: expected some of 0 to {parameters.iterations - 1}, got {passes}"
            )
        steps = [(p * len(batches) + k, size) for p in passes for k, size in enumerate(batches)]
    return AdditiveErrorPlan.from_errors(
        AdditiveError(SITE, occurrence, 1 + pixel, _value(trigger, parameters, strength, size))
        for occurrence, size in steps
        for pixel in sorted(trigger.pixels)
    )


def _value(trigger: Trigger, parameters: SvmParameters, strength: float, size: int) -> int:
    """+-strength * B * delta at the scale of the program's gradients."""
    at_scale = trigger.level << (parameters.gradient_scale - ROW_SCALE)
    real = strength * size * at_scale
    if not 0.5 < real < 2.0**63:
        raise ParameterError(f"strength: expected an error from 1 to 2^63 - 1 in the gradient, got {real:g}")
    return round(real) if trigger.target == 1 else -round(real)
