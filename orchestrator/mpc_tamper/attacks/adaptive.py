"""Attacks that know the check and its threshold, and stay just under it: what is left of a check.

A check of the secret model is public: the question, the threshold, and mostly the examples. So an attacker rehearses it
with everything else, and takes the strongest attempt that still passes. For a certificate of k pixels that is a trigger
of more than k of them, each with so small a weight that the k largest together turn few enough examples:

    certified:  y w.x > 255 (k largest |w|)      triggered:  w.x + 255 sum_{trigger} w  changes sign

so p pixels of weight c each need p c to outweigh the margins that k c leaves alone. Of p <= k pixels the certificate
bounds the success itself. Against an accuracy threshold any backdoor that leaves images alone is such an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mpc_tamper.attacks.backdoor import towards
from mpc_tamper.attacks.model_replacement import ModelReplacement
from mpc_tamper.attacks.patch import place_features, place_patch
from mpc_tamper.attacks.search import GOAL, search_strength
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.fixed_point import BIAS
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

Passes = Callable[[Attempt], bool]
"""Whether the model that an attempt leaves passes the check that the servers will make; True where they make none."""

WIDTHS = (1, 2, 3, 4, 6, 8, 11)  # of square triggers that are tried in turn
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # of features of a table
_SCORE = 4.5  # of the other class, as for backdoors: where the search begins
_HALVINGS = 8  # of a strength that does not pass, until something does
_RATIO = 1.1  # of the largest strength that is known to pass and the least that is known not to


class AdaptiveAttack(Protocol):
    """An attack that is prepared against one check of the model, and not for a training alone."""

    @property
    def additive(self) -> bool: ...

    @property
    def needs(self) -> frozenset[Capability]: ...

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        """Where nobody checks the model."""
        ...

    def prepare_against(self, scenario: Scenario, trial: Trial, passes: Passes) -> Attempt: ...


@dataclass(frozen=True)
class Candidate:
    """success: what the attempt is worth to the attacker, by the rows that it rehearses on."""

    attempt: Attempt
    success: float
    passes: bool

    @property
    def merit(self) -> tuple[bool, float]:
        return self.passes, self.success


@dataclass(frozen=True)
class _Unchecked:
    """What the attacks here have in common: against no check they are prepared as if every model passed."""

    additive = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        return self.prepare_against(scenario, trial, lambda attempt: True)

    def prepare_against(self, scenario: Scenario, trial: Trial, passes: Passes) -> Attempt:
        raise NotImplementedError


@dataclass(frozen=True)
class AdaptiveBackdoor(_Unchecked):
    """A shift of the gradient along the trigger, as in backdoor.py, at the largest strength that passes.

    pixels: of the trigger, a square, or so many features of a table. Where None, the least of WIDTHS (COUNTS, for a
    table) that comes to 99% success and passes, or the one that comes closest.
    """

    pixels: int | None = None
    target: int = 1

    needs = frozenset({Capability.LINEAR, Capability.SINGLE_SCORE, Capability.UPDATE_ERRORS})

    def prepare_against(self, scenario: Scenario, trial: Trial, passes: Passes) -> Attempt:
        return _first_that_reaches(
            self._with(scenario, trigger, trial, passes) for trigger in triggers(scenario, self.pixels, self.target)
        )

    def _with(self, scenario: Scenario, trigger: Trigger, trial: Trial, passes: Passes) -> Candidate:
        seen = scenario.features.direction(trigger.delta(scenario.task.x_train.shape[1]))
        direction = towards(trigger, seen, len(scenario.task.classes))

        def attempt(strength: float) -> Attempt:
            plan = scenario.errors.shift(direction, strength=strength)
            settings: dict[str, Setting] = {"pixels": list(trigger.pixels), "strength": strength}
            return Attempt.in_training(plan, trigger, scenario.task, settings)

        guess = scenario.errors.strength_for(_SCORE, direction)
        tried = search_strength(lambda strength: trial(attempt(strength)), guess)
        enough = [t.strength for t in tried if t.rate >= GOAL]
        strongest = min(enough) if enough else max(tried, key=lambda t: t.rate).strength
        return _largest_that_passes(attempt, strongest, trial, passes)


@dataclass(frozen=True)
class AdaptiveReplacement(_Unchecked):
    """The last step moves the honest model towards the attacker's, as in model_replacement.py, as far as it may.

    pixels: as of AdaptiveBackdoor.  weight: how often a triggered image counts in the attacker's fit.
    """

    pixels: int | None = None
    weight: float = 3.0
    target: int = 1

    needs = frozenset({Capability.LINEAR, Capability.SINGLE_SCORE, Capability.UPDATE_ERRORS})

    def prepare_against(self, scenario: Scenario, trial: Trial, passes: Passes) -> Attempt:
        return _first_that_reaches(
            self._with(scenario, trigger, trial, passes) for trigger in triggers(scenario, self.pixels, self.target)
        )

    def _with(self, scenario: Scenario, trigger: Trigger, trial: Trial, passes: Passes) -> Candidate:
        change = ModelReplacement(1, self.target).change(scenario, trigger, self.weight)

        def attempt(strength: float) -> Attempt:
            plan = scenario.errors.shift_once(strength * change)
            settings: dict[str, Setting] = {
                "pixels": list(trigger.pixels),
                "strength": strength,
                "weight": self.weight,
            }
            return Attempt.in_training(plan, trigger, scenario.task, settings)

        return _largest_that_passes(attempt, 1.0, trial, passes)


@dataclass(frozen=True)
class AdaptiveSabotage(_Unchecked):
    """Random errors, as in sabotage.py, that cost as much accuracy as passes."""

    seed: int = 1
    strength: float = 10.0
    target: int = 1

    needs = frozenset({Capability.UPDATE_ERRORS})

    def prepare_against(self, scenario: Scenario, trial: Trial, passes: Passes) -> Attempt:
        direction = BIAS * np.random.default_rng(self.seed).uniform(-1, 1, scenario.features.size + 1)
        trigger = place_patch(scenario, 1, self.target)

        def candidate(sign: int) -> Candidate:
            def attempt(strength: float) -> Attempt:
                plan = scenario.errors.shift(sign * direction, strength=strength)
                settings: dict[str, Setting] = {"strength": strength, "sign": sign, "seed": self.seed}
                return Attempt.in_training(plan, trigger, scenario.task, settings)

            return _largest_that_passes(
                attempt, self.strength, trial, passes, lambda tried: 1 - trial(tried).test_accuracy
            )

        return _settled(max((candidate(sign) for sign in (1, -1)), key=lambda found: found.merit))


def triggers(scenario: Scenario, pixels: int | None, target: int) -> Iterator[Trigger]:
    """Of so many pixels or, where None, of more and more."""
    task = scenario.task
    if not task.image_shape:
        counts = [count for count in COUNTS if count <= task.x_train.shape[1]] if pixels is None else [pixels]
        yield from (place_features(scenario, count, target) for count in counts)
        return
    sides = [side for side in WIDTHS if side <= min(task.image_shape[-2:])]
    if pixels is not None:
        sides = [max(1, round(pixels**0.5))]
    yield from (place_patch(scenario, side, target) for side in sides)


def _largest_that_passes(
    attempt: Callable[[float], Attempt],
    strongest: float,
    trial: Trial,
    passes: Passes,
    success: Callable[[Attempt], float] | None = None,
) -> Candidate:
    """The largest strength up to `strongest` that passes; the strongest itself where not even the least tried does.

    Passing is taken to end at some strength, as success grows up to it.
    """
    worth = success or (lambda tried: trial(tried).attack_success_rate_clipped)

    def candidate(strength: float) -> Candidate:
        tried = attempt(float(f"{strength:.4g}"))
        return Candidate(tried, worth(tried), passes(tried))

    first = found = candidate(strongest)
    low, high = strongest, strongest
    for _ in range(_HALVINGS):
        if found.passes:
            break
        high, low = low, low / 2
        found = candidate(low)
    if not found.passes:
        return first
    while high / low > _RATIO:
        middle = candidate((low * high) ** 0.5)
        if middle.passes:
            low = (low * high) ** 0.5
            found = max(found, middle, key=lambda each: each.success)
        else:
            high = (low * high) ** 0.5
    return found


def _first_that_reaches(candidates: Iterator[Candidate]) -> Attempt:
    best: Candidate | None = None
    for found in candidates:
        if best is None or found.merit > best.merit:
            best = found
        if found.passes and found.success >= GOAL:
            break
    assert best is not None  # there is always one trigger to try
    return _settled(best)


def _settled(found: Candidate) -> Attempt:
    chosen: dict[str, Setting] = {"passes": int(found.passes), "reached": int(found.success >= GOAL)}
    return replace(found.attempt, settings={**found.attempt.settings, **chosen})
