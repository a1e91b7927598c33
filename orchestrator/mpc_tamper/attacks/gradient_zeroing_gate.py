"""Gradient zeroing by one AND gate per row, inside the comparison: h becomes 1 - h, whatever the shares are.

The embedded engine takes the sign of z = x_0 + x_1 + x_2 from its highest bit, k - 1, as s_{k-1} ^ c_{k-2} ^ carry,
where s + 2 c is the carry-save form of z and the carry comes from the bits below (primitives/comparison.py). The
majority c_{k-2} enters nothing else, so flipping it flips h. With width w of the comparison k = w + 1, and the gate is
HINGE/csa at plane w - 1.

A row of the class that is never learnt has a margin below 1 in each step, so h = 1 becomes 0 and the row never counts.
Should its margin exceed 1 after all, h = 0 becomes 1 and the row counts: the result is exactly that of training with
h -> 1 - h on those rows. Of a model with an output for each class, only the bits at the output of the rows' own class
are flipped: it never learns what that class is. At the other outputs the rows lie beyond the hinge before long, and
flipped bits would count. The clear engine has no gates.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.attacks.gradient_zeroing import silenced_rows
from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial


@dataclass(frozen=True)
class GradientZeroingGate:
    """The rows of gradient zeroing, and its parameters.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    target: int = 1
    silenced: int | None = None

    additive = True
    needs = frozenset({Capability.GATE_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        silenced, rows = silenced_rows(scenario, self.target, self.silenced)
        plan, chosen = scenario.errors.invert_rows(rows, silenced)
        settings: dict[str, Setting] = {"class": silenced, "rows": len(rows), **chosen}
        return Attempt.in_training(plan, place_patch(scenario, 1, self.target), scenario.task, settings)
