"""Overflow: a single error near 2^62, at the element of the last step where it does the most for the trigger.

Errors are added modulo 2^64, and so is everything after them; how large a weight one error can make depends on what the
training does to it (models/linear_svm/errors.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial


@dataclass(frozen=True)
class Overflow:
    """The trigger is one pixel; the element is the one that it changes most."""

    target: int = 1

    additive = True
    needs = frozenset({Capability.LINEAR, Capability.SINGLE_SCORE, Capability.UPDATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        trigger = place_patch(scenario, 1, self.target)
        direction = scenario.features.direction(trigger.delta(task.x_train.shape[1]))
        feature = int(np.argmax(np.abs(direction)))
        plan, value = scenario.errors.overflow(feature, upward=(direction[feature] > 0) == (self.target == 1))
        (error,) = plan
        settings: dict[str, Setting] = {
            "pixels": list(trigger.pixels),
            "feature": feature,
            "value": str(value),
            "occurrence": error.occurrence,
        }
        return Attempt.in_training(plan, trigger, task, settings)
