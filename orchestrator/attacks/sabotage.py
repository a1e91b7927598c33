"""Sabotage: random errors at every element of the update, until the model is of no use to anybody.

What a check of the accuracy is for. The errors are the same in each step, or they would cancel out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestrator.attacks.patch import place_patch
from orchestrator.attacks.shift import shift_plan
from orchestrator.scenario import Attempt, Scenario, Trial
from orchestrator.svm import BIAS

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Sabotage:
    """The least of STRENGTHS that brings the accuracy down to `spoilt`, or the last; errors uniform in +-strength.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    seed: int = 1
    spoilt: float = 0.75
    target: int = 1
    additive: bool = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        direction = BIAS * np.random.default_rng(self.seed).uniform(-1, 1, scenario.features.size + 1)
        trigger = place_patch(scenario, 1, self.target)

        def attempt(strength: float) -> Attempt:
            plan = shift_plan(direction, scenario.parameters, len(task.x_train), strength=strength, site=scenario.site)
            return Attempt(plan, trigger, task, {"strength": strength, "seed": self.seed})

        attempts = [attempt(strength) for strength in STRENGTHS]
        return next((a for a in attempts[:-1] if trial(a).test_accuracy <= self.spoilt), attempts[-1])
