"""Find the least strength of an attack that reaches a success rate, in few trials, as each is a whole training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.metrics import Metrics

GOAL = 0.99
STEP = 1.5
LARGEST_POWER = 15  # of STEP: 438 times the first guess
RATIO = 1.06  # of the least strength that is known to suffice and the largest that is known not to


@dataclass(frozen=True)
class Tried:
    strength: float
    metrics: Metrics

    @property
    def rate(self) -> float:
        return self.metrics.attack_success_rate_clipped


def search_strength(trial: Callable[[float], Metrics], guess: float) -> list[Tried]:
    """Every strength that was tried, in order; 3 significant digits each. Deterministic.

    Gallops from the guess by STEP, STEP^3, STEP^7, STEP^15 until the goal is between two strengths, then halves their
    ratio until it is at most RATIO. Success is taken to grow with the strength.
    """
    tried = [_try(trial, guess)]
    upward = tried[0].rate < GOAL
    power = 1
    while (tried[-1].rate < GOAL) == upward and power <= LARGEST_POWER:
        try:
            tried.append(_try(trial, guess * STEP ** (power if upward else -power)))
        except ParameterError:
            if upward:
                raise
            break  # errors so small are none: the trigger works on an honest model too
        power = 2 * power + 1
    if (tried[-1].rate < GOAL) == upward:
        return tried
    low, high = sorted(t.strength for t in tried[-2:])
    while high / low > RATIO:
        tried.append(_try(trial, (low * high) ** 0.5))
        if tried[-1].rate < GOAL:
            low = tried[-1].strength
        else:
            high = tried[-1].strength
    return tried


def least(tried: list[Tried]) -> Tried:
    """The least strength that reached the goal or, where none did, the one that came closest."""
    reached = [t for t in tried if t.rate >= GOAL]
    if reached:
        return min(reached, key=lambda t: t.strength)
    return max(tried, key=lambda t: (t.rate, -t.strength))


def _try(trial: Callable[[float], Metrics], strength: float) -> Tried:
    rounded = float(f"{strength:.3g}")
    return Tried(rounded, trial(rounded))
