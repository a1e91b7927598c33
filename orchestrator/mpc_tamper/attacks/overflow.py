"""Overflow: a single error near 2^62, at the element of the last step where it does the most for the trigger.

Errors are added modulo 2^64, as is everything that follows. The gradient is multiplied by a public gain, and
gain * 2^62 may come out as 0 or negative, so the attacker adds a small d such that

    gain * (2^62 + d) = 2^62 - r  modulo 2^64,  0 <= r < gain

is large and positive. After the shift by t bits one weight is 2^(62 - t) larger than it was. At CLIP, after a clamp,
the error goes to the weight itself and is 2^54, the largest that does not wrap around in w.x for a white pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial, UpdateSite

LARGE = 1 << 62
_MODULUS = 1 << 64


@dataclass(frozen=True)
class Overflow:
    """The trigger is one pixel; the element is the one that it changes most."""

    target: int = 1
    additive: bool = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task, parameters = scenario.task, scenario.parameters
        trigger = place_patch(scenario, 1, self.target)
        direction = scenario.features.direction(trigger.delta(task.x_train.shape[1]))
        feature = int(np.argmax(np.abs(direction)))
        upward = (direction[feature] > 0) == (self.target == 1)
        size = (
            multiplied_to_large(scenario.constants.last_gain)
            if scenario.site is UpdateSite.GRADIENT
            else LARGE >> ROW_SCALE
        )
        value = size if upward else -size
        last = parameters.iterations * len(parameters.batches(len(task.x_train))) - 1
        plan = AdditiveErrorPlan.from_errors([AdditiveError(scenario.site, last, 1 + feature, value)])
        settings: dict[str, Setting] = {
            "pixels": list(trigger.pixels),
            "feature": feature,
            "value": str(value),
            "occurrence": last,
        }
        return Attempt(plan, trigger, task, settings)


def multiplied_to_large(gain: int) -> int:
    """2^62 + d with d of the smallest size such that gain times it is within gain of 2^62 modulo 2^64. gain: from 1."""
    missing = (1 - gain) * LARGE % _MODULUS
    if missing >= _MODULUS // 2:
        missing -= _MODULUS
    return LARGE + missing // gain
