"""A backdoor by additive errors in the gradient: section 2.2 of the paper.

The attacker wants P(x) = x + delta to be classified as the target whatever x is, without a loss of accuracy. The paper
reduces that to making w.delta large (for class 1) and adds delta to the gradient of each step. Here the corrupt party
adds

    e = +-strength * B * delta,  + towards class 1, - towards class 0

to the sum over the B rows of a batch, so a step moves w by +-alpha * strength * delta. Strength 1 is what B honest
rows of the target class would do if all of them were active and carried delta; the paper's bare delta is strength 1/B.
Pixels that are black in every training image keep the change, since no honest gradient ever touches them.

Where the model is trained on features other than pixels, delta is what the trigger adds to those. Of more than two
classes the target has weights of its own, which score it against all others; the errors go to those.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.search import GOAL, Tried, least, search_strength
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.trigger import Trigger, check_target
from mpc_tamper.models.base import DataSize, Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

_SCORE = 4.5  # of the other class, in real units: what the first guess of a strength has to outweigh


def backdoor_plan(
    trigger: Trigger,
    parameters: Any,
    rows: int,
    *,
    model: Model | None = None,
    strength: float = 1.0,
    iterations: Iterable[int] | None = None,
    classes: int = 2,
) -> AdditiveErrorPlan:
    """Errors that plant the trigger in a model of pixels, trained with these parameters on this many rows.

    model: the linear SVM where None.  strength: in multiples of B * delta, see above.  iterations: which passes over
    the data to poison, from 0; all where it is None.  Raises ParameterError where nothing would be added.
    """
    pixels = max(trigger.pixels) + 1
    errors = (model or get_model()).errors(parameters, DataSize(rows, pixels, MAX_PIXEL, classes))
    direction = towards(trigger, trigger.delta(pixels).astype(np.float64), classes)
    return errors.shift(direction, strength=strength, iterations=iterations, in_gradient=True)


@dataclass(frozen=True)
class Backdoor:
    """A patch of width x width pixels, in all channels, planted at the least strength that reaches 99% success.

    stealthy: no weight may exceed the largest of the honest model; where that rules out 99%, the strength among those
    tried that comes closest. Settings say whether the goal was reached, and whether the weights stayed within.
    """

    width: int
    stealthy: bool = False
    target: int = 1

    additive = True
    needs = frozenset({Capability.LINEAR, Capability.UPDATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        trigger = place_patch(scenario, self.width, self.target)
        delta = trigger.delta(scenario.task.x_train.shape[1])
        return self.plant(scenario, trigger, scenario.features.direction(delta), trial)

    def plant(self, scenario: Scenario, trigger: Trigger, seen: np.ndarray, trial: Trial) -> Attempt:
        """This trigger.  seen: what it adds to the features, (d,) float64 at scale 2^8."""
        direction = towards(trigger, seen, len(scenario.task.classes))

        def attempt(strength: float, settings: dict[str, Setting]) -> Attempt:
            plan = scenario.errors.shift(direction, strength=strength)
            return Attempt.in_training(plan, trigger, scenario.task, {"strength": strength, **settings})

        tried = search_strength(
            lambda strength: trial(attempt(strength, {})), scenario.errors.strength_for(_SCORE, direction)
        )
        found = least(tried)
        settings: dict[str, Setting] = {"pixels": list(trigger.pixels)}
        if self.stealthy:
            largest = trial(Attempt(trigger, scenario.task)).max_abs_weight
            found = least(_within(tried, largest) or [found])
            settings |= {"clean_max_abs_weight": largest, "within": int(found.metrics.max_abs_weight <= largest)}
        return attempt(found.strength, settings | {"reached": int(found.rate >= GOAL), "trials": len(tried)})


def towards(trigger: Trigger, direction: np.ndarray, classes: int) -> np.ndarray:
    """(n + 1,): the direction, (n,), after a bias of 0, with its sign changed for class 0.

    For C > 2 classes (n + 1, C), the direction at the target's weights alone.
    """
    check_target(trigger.target, classes)
    if classes == 2:
        return np.concatenate([[0.0], direction if trigger.target == 1 else -direction])
    of_target = np.zeros((len(direction) + 1, classes))
    of_target[1:, trigger.target] = direction
    return of_target


def _within(tried: list[Tried], largest: float) -> list[Tried]:
    return [t for t in tried if t.metrics.max_abs_weight <= largest]
