"""Data poisoning as in BadNets (arXiv 1708.06733): the baseline that the paper compares itself with.

The protocol is honest. An owner puts the trigger on some training images of the other classes, clipped as in a real
image, and labels them as the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mpc_tamper.attacks.patch import place_patch
from mpc_tamper.attacks.rows import rows_sha256
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.features import Pixels
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial


@dataclass(frozen=True)
class Poisoning:
    """share: of all training rows.  width: of the square trigger, in all channels.

    Where owners fit the features to their images, as a mask or as components, the poisoned images are among them. The
    trigger goes either where it does most with the features as they were, or where it would without a defence; a
    rehearsal decides.
    """

    share: float
    width: int = 2
    seed: int = 1
    target: int = 1

    additive = False
    needs: frozenset[Capability] = frozenset()

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        undefended = replace(scenario, features=Pixels(scenario.task.x_train.shape[1]))
        places = [place_patch(known, self.width, self.target) for known in (scenario, undefended)]
        attempts = [self._at(trigger, scenario) for trigger in dict.fromkeys(places)]
        return max(attempts, key=lambda a: trial(a).attack_success_rate_clipped) if len(attempts) > 1 else attempts[0]

    def _at(self, trigger: Trigger, scenario: Scenario) -> Attempt:
        task = scenario.task
        others = np.flatnonzero(task.y_train != self.target)
        count = min(len(others) - 1, math.ceil(self.share * len(task.y_train)))  # not all rows are of the target class
        rows = np.sort(np.random.default_rng(self.seed).choice(others, count, replace=False))
        x, y = task.x_train.copy(), task.y_train.copy()
        x[rows] = (x[rows].astype(np.int64) + trigger.delta(x.shape[1])).clip(0, MAX_PIXEL)
        y[rows] = self.target
        settings: dict[str, Setting] = {
            "share": self.share,
            "rows": count,
            "rows_sha256": rows_sha256(rows),
            "pixels": list(trigger.pixels),
            "seed": self.seed,
        }
        return Attempt(trigger, replace(task, x_train=x, y_train=y), settings=settings)
