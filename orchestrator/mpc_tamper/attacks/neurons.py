"""What the attacks on the neurons of a network have in common: changes of weights in real units, and trials of them.

An error in the gradient changes any weight by any amount, in any step (models/mlp/errors.py), so an attack is a change
of W1 (n + 1, H) and W2 (H, O). How strong it has to be is tried out from the weakest on. The attempt that is taken has
99% success on clipped images and costs at most a point of accuracy. Trials run the whole scenario, defences included,
so an attack that fails against one goes on to greater strengths, and then to pixels that images use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.search import GOAL
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.base import Errors
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

STRENGTHS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
POINT = 0.01  # of accuracy, that an attack may cost
SEARCHED = "strength, then place of the patch; judged on the study's test images"

Planned = tuple[AdditiveErrorPlan, Mapping[str, Setting]]
"""Errors, and what was chosen for them."""


@dataclass(frozen=True, eq=False)
class Change:
    """hidden: of W1, (n + 1, H) float64, bias first.  output: of W2, (H, O)."""

    hidden: np.ndarray
    output: np.ndarray

    @classmethod
    def none(cls, errors: Errors) -> Change:
        """To be filled in."""
        hidden, output = errors.start()
        return cls(np.zeros_like(hidden), np.zeros_like(output))

    def plan(self, errors: Errors, *, step: int = 0) -> AdditiveErrorPlan:
        return errors.change_neurons(self.hidden, self.output, step=step)


def detector(scenario: Scenario, trigger: Trigger, push: float) -> np.ndarray:
    """(n,): weights of the features by which the trigger adds `push` to a neuron's sum, the smallest that do."""
    direction = scenario.features.direction(trigger.delta(scenario.task.x_train.shape[1]))
    return np.asarray(push * BIAS * direction / (direction @ direction))


def towards(target: int, outputs: int) -> np.ndarray:
    """(outputs,): which outputs make an image the target. A single output is that of class 1 against class 0."""
    return np.eye(outputs)[target] if outputs > 1 else np.array([1.0 if target == 1 else -1.0])


def search(
    scenario: Scenario,
    trial: Trial,
    width: int,
    target: int,
    plan: Callable[[Trigger, float], Planned],
    strengths: Sequence[float] = STRENGTHS,
    *,
    used: bool = False,
) -> Attempt:
    """The first strength that does; at the best position of the patch, then at the best one that images use.

    used: only at the latter.
    """
    places = [place_patch(scenario, width, target, used=True)]
    if not used:
        places.insert(0, place_patch(scenario, width, target))
    candidates = (
        _attempt(scenario, trigger, strength, plan) for trigger in dict.fromkeys(places) for strength in strengths
    )
    honest = trial(Attempt(places[0], scenario.task)).test_accuracy
    tried: list[tuple[Attempt, Metrics]] = []
    for attempt in candidates:
        tried.append((attempt, trial(attempt)))
        if works(tried[-1][1], honest):
            break
    attempt, metrics = max(tried, key=lambda pair: _merit(pair[1], honest))
    found: dict[str, Setting] = {"reached": int(works(metrics, honest)), "trials": len(tried), "searched": SEARCHED}
    return replace(attempt, settings={**attempt.settings, **found})


def works(metrics: Metrics, honest: float) -> bool:
    """honest: the accuracy without an attack."""
    return metrics.attack_success_rate_clipped >= GOAL and metrics.test_accuracy >= honest - POINT


def _merit(metrics: Metrics, honest: float) -> tuple[bool, float]:
    """What an attacker prefers: an attempt that works, else success less lost accuracy. The earliest among equals."""
    lost = max(0.0, honest - metrics.test_accuracy)
    return works(metrics, honest), min(metrics.attack_success_rate_clipped, GOAL) - lost


def _attempt(
    scenario: Scenario, trigger: Trigger, strength: float, plan: Callable[[Trigger, float], Planned]
) -> Attempt:
    errors, chosen = plan(trigger, strength)
    settings: dict[str, Setting] = {
        "pixels": list(trigger.pixels),
        "strength": strength,
        "errors": len(errors),
        **chosen,
    }
    return Attempt.in_training(errors, trigger, scenario.task, settings)
