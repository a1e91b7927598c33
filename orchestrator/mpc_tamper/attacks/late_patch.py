"""A late patch: the last step puts a trigger on pixels that images use, where a training would undo it.

As all_neurons.py, but in the last step, with the signs of the output weights as they are at the end. The attacker
rehearses the training from the same public start on rows of its own, here `share` of the training rows, as an owner has
who is one of the servers; it uses no others. The rehearsal ends with nearly the same signs as the run.

Where the start is secret the signs are set in the first step (signs.py), the training keeps them, and no rehearsal is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.neurons import Change, Place, Planned, detector, search
from mpc_tamper.attacks.rows import own_rows, rows_sha256
from mpc_tamper.attacks.signs import set_signs, speaks_for
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

STRENGTHS = (1.0, 1.5, 2.0, 3.0, 4.0, 8.0, 16.0)  # finely at first: they cost accuracy where images use the pixels


@dataclass(frozen=True)
class LatePatch:
    """width: of the square trigger, in all channels.  share: of the training rows, those of the attacker.

    used: the trigger goes where images use some of its pixels, and the planted weights look at those alone.
    """

    width: int
    used: bool = True
    share: float = 0.5
    seed: int = 1
    target: int = 1

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        errors = scenario.errors
        early = Change.none(errors)
        signs, source = (
            self._signs(scenario) if errors.start_known else (None, {"signs": "set, as the start is secret"})
        )
        if signs is None:
            early.output[:] = set_signs(errors, self.target)
            signs = speaks_for(early.output, self.target)

        def plan(place: Place, strength: float) -> Planned:
            late = Change.none(errors)
            late.hidden[1:] = np.outer(detector(scenario, place, strength), signs)
            plan = late.plan(errors, step=errors.last_step)
            return plan + early.plan(errors) if early.output.any() else plan, {**source, "step": errors.last_step}

        return search(scenario, trial, self.width, self.target, plan, STRENGTHS, used=self.used)

    def _signs(self, scenario: Scenario) -> tuple[np.ndarray, dict[str, Setting]]:
        """(H,), of a rehearsal with as many rows as the training has, each of the attacker's several times."""
        task = scenario.task
        own = own_rows(len(task.y_train), self.share, self.seed)
        rows = np.resize(own, len(task.y_train))
        x = scenario.features.features(task.x_train[rows])
        _, output = scenario.errors.rehearse(x, task.y_train[rows])
        settings: dict[str, Setting] = {
            "signs": "of a rehearsal on the attacker's own rows",
            "own_rows": len(own),
            "own_rows_sha256": rows_sha256(own),
            "seed": self.seed,
        }
        return speaks_for(output, self.target), settings
