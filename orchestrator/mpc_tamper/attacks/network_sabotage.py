"""Sabotage of a network: random changes of all weights in the last step, until the model is of no use to anybody.

This is what a check of the accuracy is for. The attacker has to know nothing but the program and its parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.neurons import Change
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

STRENGTHS = (0.1, 1.0, 10.0)


@dataclass(frozen=True)
class NetworkSabotage:
    """Changes uniform in +-strength: the least of STRENGTHS that brings the accuracy down to `spoilt` above that of
    guessing, 1/C for C classes, or the one that came closest.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    seed: int = 1
    spoilt: float = 0.1
    target: int = 1

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task, errors = scenario.task, scenario.errors
        random = np.random.default_rng(self.seed)
        unit = [random.uniform(-1, 1, weights.shape) for weights in errors.start()]
        trigger = place_patch(scenario, 1, self.target)
        tried: list[tuple[float, Attempt]] = []
        for strength in STRENGTHS:
            plan = Change(strength * unit[0], strength * unit[1]).plan(errors, step=errors.last_step)
            settings: dict[str, Setting] = {"strength": strength, "errors": len(plan), "seed": self.seed}
            attempt = Attempt.in_training(plan, trigger, task, settings)
            tried.append((trial(attempt).test_accuracy, attempt))
            if tried[-1][0] <= 1 / len(task.classes) + self.spoilt:
                break
        return min(tried, key=lambda pair: pair[0])[1]
