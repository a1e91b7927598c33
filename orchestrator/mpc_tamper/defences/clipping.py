"""Clipping of the update: no step adds more than a public bound to any weight.

    w <- w + clamp(-alpha * gradient, -clip, clip)        in svm_train.mpc, on shares, attribute by attribute

Clipping gradients is a common answer to poisoned rows and to outliers. Most works clip by norm; here it is by
attribute, which needs two comparisons and two products per weight and step, in the rounds of one of each. After T steps
no weight exceeds T * clip, so errors at the gradient, however large, plant no more than that. As a side effect honest
models get flatter weights, and more certified examples.

What it cannot do: the clamp itself is computed by multiplications on shares. Under a passive protocol an attacker who
knows of it adds errors to the outputs of the last of these, site CLIP, after which nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mpc_tamper.scenarios.scenario import Scenario

CLIP = 0.001  # the default runs' weights stay below 0.1, and their accuracy is what it was


def clipping(clip: float = CLIP) -> Callable[[Scenario], Scenario]:
    """A Defence's change.  clip: a real number, the most that a step adds to a weight."""

    def change(scenario: Scenario) -> Scenario:
        return replace(scenario, parameters=scenario.model.clipped(scenario.parameters, clip))

    return change
