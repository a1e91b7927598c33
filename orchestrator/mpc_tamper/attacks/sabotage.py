"""Sabotage: random errors at every element of the update, until the model is of no use to anybody.

This is what a check of the accuracy is for. The errors are the same in each step, since otherwise they would cancel
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial

STRENGTHS = (1.0, 10.0, 100.0)


@dataclass(frozen=True)
class Sabotage:
    """Errors uniform in +-strength, with their signs changed where that is worse for the model, because a random
    direction may happen to tell the classes apart. The strength is the least of STRENGTHS that brings the accuracy down
    to `spoilt` above that of guessing, 1/C for C classes, or the one that came closest.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    seed: int = 1
    spoilt: float = 0.1
    target: int = 1

    additive = True
    needs = frozenset({Capability.UPDATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        weights = (scenario.features.size + 1, *([len(task.classes)] if len(task.classes) > 2 else []))
        direction = BIAS * np.random.default_rng(self.seed).uniform(-1, 1, weights)
        trigger = place_patch(scenario, 1, self.target)
        useless = 1 / len(task.classes) + self.spoilt
        tried: list[tuple[float, Attempt]] = []
        for strength, sign in product(STRENGTHS, (1, -1)):
            plan = scenario.errors.shift(sign * direction, strength=strength)
            settings = {"strength": strength, "sign": sign, "seed": self.seed}
            attempt = Attempt.in_training(plan, trigger, task, settings)
            tried.append((trial(attempt).test_accuracy, attempt))
            if tried[-1][0] <= useless:
                break
        return min(tried, key=lambda pair: pair[0])[1]
