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

from mpc_tamper.attacks.patch import place_patch, used_pixels
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


@dataclass(frozen=True)
class Place:
    """Where a trigger is, and which of its pixels the planted weights look at."""

    trigger: Trigger
    pixels: tuple[int, ...]

    @classmethod
    def best(cls, scenario: Scenario, width: int, target: int, *, used: bool) -> Place:
        """used: for an attacker who expects that the other pixels are cut off."""
        trigger = place_patch(scenario, width, target, used=used)
        seen = used_pixels(scenario.task, trigger) if used else []
        return cls(trigger, tuple(seen) or trigger.pixels)


def detector(scenario: Scenario, place: Place, push: float) -> np.ndarray:
    """(n,): weights of the features by which the trigger adds `push` to a neuron's sum, the smallest that do."""
    seen = replace(place.trigger, pixels=place.pixels)
    direction = scenario.features.direction(seen.delta(scenario.task.x_train.shape[1]))
    return np.asarray(push * BIAS * direction / (direction @ direction))


def towards(target: int, outputs: int) -> np.ndarray:
    """(outputs,): which outputs make an image the target. A single output is that of class 1 against class 0."""
    return np.eye(outputs)[target] if outputs > 1 else np.array([1.0 if target == 1 else -1.0])


def search(
    scenario: Scenario,
    trial: Trial,
    width: int,
    target: int,
    plan: Callable[[Place, float], Planned],
    strengths: Sequence[float] = STRENGTHS,
    *,
    used: bool = False,
) -> Attempt:
    """The first strength that does; at the best position of the patch, then at the best one that images use.

    used: only at the latter.
    """
    places = [Place.best(scenario, width, target, used=cut_off) for cut_off in ((True,) if used else (False, True))]
    candidates = (
        _attempt(scenario, place, strength, plan) for place in dict.fromkeys(places) for strength in strengths
    )
    honest = trial(Attempt(places[0].trigger, scenario.task)).test_accuracy
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


def _attempt(scenario: Scenario, place: Place, strength: float, plan: Callable[[Place, float], Planned]) -> Attempt:
    errors, chosen = plan(place, strength)
    settings: dict[str, Setting] = {
        "pixels": list(place.trigger.pixels),
        "strength": strength,
        "errors": len(errors),
        **chosen,
    }
    return Attempt.in_training(errors, place.trigger, scenario.task, settings)
