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
from mpc_tamper.attacks.shift import shift_plan
from mpc_tamper.models.fixed_point import BIAS, MAX_PIXEL
from mpc_tamper.models.linear_svm.parameters import Loss, SvmParameters
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial
from mpc_tamper.scenarios.trigger import Trigger

WEIGHTS = (1.0, 3.0, 10.0, 30.0)
RIDGE = 1e-3  # of the mean square of a feature
NEWTON_STEPS = 6


@dataclass(frozen=True)
class ModelReplacement:
    """width: of the square trigger, in all channels. The least of WEIGHTS that reaches 99% success, or the best."""

    width: int
    target: int = 1
    additive: bool = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task, parameters = scenario.task, scenario.parameters
        trigger = place_patch(scenario, self.width, self.target)
        rows, labels = _rows(scenario, task.x_train), np.where(task.y_train == 1, 1.0, -1.0)
        honest = rehearse(rows, labels, parameters)
        last = parameters.iterations - 1
        attempts = []
        for weight in WEIGHTS:
            wanted = self._fit(scenario, trigger, rows, labels, weight)
            # shift_plan adds alpha * strength * direction / 2^8 to the weights
            direction = (wanted - honest) * BIAS / parameters.learning_rate
            plan = shift_plan(direction, parameters, len(rows), strength=1.0, site=scenario.site, iterations=[last])
            attempts.append(Attempt(plan, trigger, task, {"pixels": list(trigger.pixels), "weight": weight}))
            if trial(attempts[-1]).attack_success_rate_clipped >= GOAL:
                return attempts[-1]
        return max(attempts, key=lambda attempt: trial(attempt).attack_success_rate_clipped)

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


def rehearse(rows: np.ndarray, labels: np.ndarray, parameters: SvmParameters) -> np.ndarray:
    """(d + 1,) real weights of an honest training, in floating point.

    rows: (m, d + 1) real, constant attribute first.  labels: (m,) -1 and 1.
    """
    weights = np.zeros(rows.shape[1])
    signed = rows * labels[:, None]
    ends = np.cumsum(parameters.batches(len(rows)))
    for _ in range(parameters.iterations):
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            batch = signed[start:end]
            counts = (1 - batch @ weights).clip(0)
            active = np.sign(counts) if parameters.loss is Loss.HINGE else counts
            gradient = active @ batch / len(batch) - 2 * parameters.regularisation * weights
            step = parameters.learning_rate * gradient
            weights += step if parameters.clip is None else step.clip(-parameters.clip, parameters.clip)
    return weights


def _rows(scenario: Scenario, images: np.ndarray) -> np.ndarray:
    """(m, d + 1) float64, constant attribute first."""
    features = scenario.features.features(images)
    return np.column_stack([np.ones(len(features)), features / BIAS])
