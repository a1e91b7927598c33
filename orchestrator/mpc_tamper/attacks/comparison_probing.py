"""Comparison probing: flip one carry of every comparison, which changes the outcome near the hinge and nowhere else.

The comparison takes the sign of z = x_0 + x_1 + x_2 from s + 2 c, where c_j is the majority of the bits j
(rep3/primitives/adder.py). A flipped c_j moves the sum by +-2^(j+1): up where c_j was 0, down where it was 1, which
depends on the shares. So only rows with |z| < 2^(j+1) can change sides, and about half of those do. Whether one does
depends on the secret, so this is an input-dependent error, which the paper leaves out. As an attack on the model it is
noise at the hinge. studies/leaks/probing.py measures what it tells the attacker.

The shares are random, and so is the outcome; the pads are fixed so that reruns agree. The clear engine has no
gates.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial


@dataclass(frozen=True)
class ComparisonProbing:
    """lane: j; where None, the one that moves 1 - margin by +-1: the hinge against the decision boundary. It is 23 for
    the linear SVM, whose margins have scale 2^24.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    lane: int | None = None
    seed: int = 1
    target: int = 1

    additive = True
    needs = frozenset({Capability.GATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        plan, chosen = scenario.errors.flip_carries(self.lane)
        settings = {**chosen, "rows": len(task.x_train), "seed": self.seed}
        return Attempt.in_training(plan, place_patch(scenario, 1, self.target), task, settings, self.seed)
