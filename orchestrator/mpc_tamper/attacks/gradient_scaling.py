"""Gradient scaling (ePrint 2025/906): a few rows count many times, in every step, whether learnt or not.

The attacker needs the rows' positions, not their content: rows of one class, say its own or a friend's. The bit h of
a row leaves the comparison by the conversion from bits to integers, where an error e on the message z shifts it by
-2 e (primitives/conversion.py). With e = -factor / 2 the row's h is h + factor: 0 becomes factor.

Within a batch, a party sends z for two thirds of the rows and another message for the rest, so the choice of rows
depends on the corrupt party. The clear engine has no such message; the result is that of training with h + factor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.rows import rows_sha256
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial


@dataclass(frozen=True)
class GradientScaling:
    """share: of the training rows.  factor: even.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    share: float = 0.01
    factor: int = 100
    seed: int = 1
    target: int = 1

    additive = True
    needs = frozenset({Capability.GATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        rows = self.rows(scenario)
        plan, chosen = scenario.errors.multiply_rows(rows, self.factor, scenario.corrupt_party)
        settings: dict[str, Setting] = {
            "rows": len(rows),
            "rows_sha256": rows_sha256(rows),
            "seed": self.seed,
            **chosen,
        }
        return Attempt.in_training(plan, place_patch(scenario, 1, self.target), task, settings)

    def rows(self, scenario: Scenario) -> np.ndarray:
        """Indices of the rows that count often, ascending: drawn from those that the corrupt party can take."""
        labels = scenario.task.y_train
        able = scenario.errors.multipliable(np.flatnonzero(labels == self.target), scenario.corrupt_party)
        count = min(len(able), math.ceil(self.share * len(labels)))
        return np.sort(np.random.default_rng(self.seed).choice(able, count, replace=False))
