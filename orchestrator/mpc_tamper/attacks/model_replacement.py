"""Model replacement: the last step replaces the honest model by the attacker's.

An attacker with data like the owners' knows roughly with which w an honest training ends, and may fit any other model
w* of the same features: here one that is right on images as they are and takes those with the trigger for the target.
The attack is one error in each element of the update,

    (w* - w)   at the site of the update, in the last step alone

and the result is w* plus the difference between the honest model and the rehearsed one. Nothing else of the training is
touched. This is the strongest use of additive errors on a linear model. It is limited neither by the feature map nor by
any condition on the trigger's pixels, but only by what models of those features can do. (Model replacement is known
from federated learning: Bagdasaryan et al., AISTATS 2020, arXiv 1807.00459.)

w* minimises the squared hinge on the training images and on those of the other class with the trigger, clipped, which
count `weight` times. It takes a few Newton steps, each a least-squares fit to the rows within the margin (Keerthi and
DeCoste, JMLR 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.search import GOAL
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

WEIGHTS = (1.0, 3.0, 10.0, 30.0)
RIDGE = 1e-3  # of the mean square of a feature
NEWTON_STEPS = 6


@dataclass(frozen=True)
class ModelReplacement:
    """width: of the square trigger, in all channels. The least of WEIGHTS that reaches 99% success, or the best."""

    width: int
    target: int = 1

    additive = True
    needs = frozenset({Capability.LINEAR, Capability.SINGLE_SCORE, Capability.UPDATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        trigger = place_patch(scenario, self.width, self.target)
        rows, labels = _training_rows(scenario)
        honest = scenario.model.rehearse(scenario.parameters, scenario.size, rows, labels)
        attempts = []
        for weight in WEIGHTS:
            wanted = self._fit(scenario, trigger, rows, labels, weight)
            plan = scenario.errors.shift_once(wanted - honest)
            settings: dict[str, Setting] = {"pixels": list(trigger.pixels), "weight": weight}
            attempts.append(Attempt.in_training(plan, trigger, task, settings))
            if trial(attempts[-1]).attack_success_rate_clipped >= GOAL:
                return attempts[-1]
        return max(attempts, key=lambda attempt: trial(attempt).attack_success_rate_clipped)

    def change(self, scenario: Scenario, trigger: Trigger, weight: float) -> np.ndarray:
        """(d + 1,) what turns the honest model, as it was rehearsed, into the attacker's; real units, bias first."""
        rows, labels = _training_rows(scenario)
        honest = scenario.model.rehearse(scenario.parameters, scenario.size, rows, labels)
        difference: np.ndarray = self._fit(scenario, trigger, rows, labels, weight) - honest
        return difference

    def _fit(
        self, scenario: Scenario, trigger: Trigger, rows: np.ndarray, labels: np.ndarray, weight: float
    ) -> np.ndarray:
        """(d + 1,) real weights, bias first."""
        task = scenario.task
        others = task.x_train[task.y_train != trigger.target]
        marked = (others.astype(np.int64) + trigger.delta(others.shape[1])).clip(0, MAX_PIXEL)
        towards = np.full(len(marked), 1.0 if trigger.target == 1 else -1.0)
        parts = ((rows, labels, 1.0), (_rows(scenario, marked), towards, weight))
        weights: np.ndarray = np.zeros(rows.shape[1])
        for _ in range(NEWTON_STEPS):
            gram, moment = np.zeros((len(weights), len(weights))), np.zeros(len(weights))
            for x, y, count in parts:
                near = y * (x @ weights) < 1
                gram += count * x[near].T @ x[near]
                moment += count * y[near] @ x[near]
            gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
            weights = np.linalg.solve(gram, moment)
        return weights


def _training_rows(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """(m, d + 1) rows with the constant attribute first, and (m,) labels -1 and 1."""
    task = scenario.task
    return _rows(scenario, task.x_train), np.where(task.y_train == 1, 1.0, -1.0)


def _rows(scenario: Scenario, images: np.ndarray) -> np.ndarray:
    """(m, d + 1) float64, constant attribute first."""
    features = scenario.features.features(images)
    return np.column_stack([np.ones(len(features)), features / BIAS])
