"""Gradient zeroing (ePrint 2025/906): the rows of one class never count, so the model learns the other classes alone.

The attacker needs the positions of the rows and nothing of what is in them, as when each owner enters one class. An
error of 2^(width-1) on a row's margin, half the public range of the comparison that follows, puts the row on the far
side of the hinge as long as |1 - margin| is below that half. Then h = 0, and the row adds nothing to the gradient. In a
run without errors |1 - margin| is below twice that for the worst data, and far below it for real data.

The literature subtracts 1 from the comparison's output, which is 1 as long as the row is not learnt. In the passive
protocol of rep3 no constant error does that: what a party adds to its last message shifts the bit by an even number
(primitives/conversion.py). The margin is the output of a dot product, where an error is exact, on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial


@dataclass(frozen=True)
class GradientZeroing:
    """silenced: the class whose rows never count; where None, the class after the target, of two the other one.

    Success is measured with a one-pixel trigger, which does nothing by itself.
    """

    target: int = 1
    silenced: int | None = None

    additive = True
    needs = frozenset({Capability.ROW_ERRORS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        silenced, rows = silenced_rows(scenario, self.target, self.silenced)
        plan, chosen = scenario.errors.silence_rows(rows)
        settings: dict[str, Setting] = {"class": silenced, "rows": len(rows), **chosen}
        return Attempt.in_training(plan, place_patch(scenario, 1, self.target), scenario.task, settings)


def silenced_rows(scenario: Scenario, target: int, silenced: int | None) -> tuple[int, np.ndarray]:
    """The class whose rows never count, see GradientZeroing, and the indices of those."""
    classes = len(scenario.task.classes)
    silenced = (target + 1) % classes if silenced is None else silenced
    if not 0 <= silenced < classes:
        raise ParameterError(f"silenced: expected a class from 0 to {classes - 1}, got {silenced}")
    return silenced, np.flatnonzero(scenario.task.y_train == silenced)
