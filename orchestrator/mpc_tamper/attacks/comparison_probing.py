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

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.rows import row_plan
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

SITE = "HINGE/csa"  # of rep3


@dataclass(frozen=True)
class ComparisonProbing:
    """lane: j. 23 moves 1 - margin, at scale 2^24, by +-1: the hinge against the decision boundary.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    lane: int = 23
    seed: int = 1
    target: int = 1
    additive: bool = True

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task = scenario.task
        rows = np.arange(len(task.x_train))
        plan = row_plan(SITE, rows, len(rows), scenario.parameters, 1, plane=self.lane)
        settings: dict[str, Setting] = {"gate": SITE, "plane": self.lane, "rows": len(rows), "seed": self.seed}
        return Attempt(plan, place_patch(scenario, 1, self.target), task, settings, insecure_fixed_seed=self.seed)
