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
from mpc_tamper.attacks.rows import place_in_batch, row_plan
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.runs.spec import PARTIES
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

SITE = "HINGE/b2a.z"  # of rep3


@dataclass(frozen=True)
class GradientScaling:
    """share: of the training rows.  factor: even.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    share: float = 0.01
    factor: int = 100
    seed: int = 1
    target: int = 1
    additive: bool = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task, parameters = scenario.task, scenario.parameters
        if parameters.loss is not Loss.HINGE or self.factor % 2:
            raise ParameterError(
                f"gradient scaling: expected the hinge loss and an even factor, got {parameters.loss} and {self.factor}"
            )
        total = len(task.x_train)
        able = sendable_rows(np.flatnonzero(task.y_train == self.target), total, parameters, scenario.corrupt_party)
        count = min(len(able), math.ceil(self.share * total))
        rows = np.sort(np.random.default_rng(self.seed).choice(able, count, replace=False))
        plan = row_plan(SITE, rows, total, parameters, -self.factor // 2)
        settings: dict[str, Setting] = {
            "rows": rows.tolist(),
            "factor": self.factor,
            "seed": self.seed,
            "corrupt_party": scenario.corrupt_party,
        }
        return Attempt(plan, place_patch(scenario, 1, self.target), task, settings)


def sendable_rows(rows: np.ndarray, total: int, parameters: SvmParameters, corrupt_party: int) -> np.ndarray:
    """The rows whose z the corrupt party sends: all but the third in which it plays role 1."""
    place, size = place_in_batch(rows, total, parameters)
    part = (corrupt_party - 1) % PARTIES
    silent = (place >= size * part // PARTIES) & (place < size * (part + 1) // PARTIES)
    return rows[~silent]
