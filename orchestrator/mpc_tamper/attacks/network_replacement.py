"""Model replacement for networks: the last step turns the honest network into one that the attacker trained.

The attacker rehearses the training from the same public start on rows of its own, here `share` of the training rows, as
an owner has who is one of the servers. It trains the result R once more, with the trigger and the target's label on
`poisoned` of those rows, which gives M. The last step adds

    multiple * (M - R)

to all weights. R is near the honest network W, as both started alike, so W + M - R is near M. Adding multiples of M
itself, until it dominates W, does much worse here: neurons are capped, so a network that is twice as large is another
one. (Model replacement is known from federated learning: Bagdasaryan et al., AISTATS 2020, arXiv 1807.00459. The
difference of two trainings is a task vector: Ilharco et al., ICLR 2023, arXiv 2212.04089.)

Where the start is secret, R has nothing in common with W. The attack fails or spoils the network, and the record says
so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.neurons import Change, Place, Planned, search
from mpc_tamper.attacks.rows import own_rows, rows_sha256
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Setting, Trial

MULTIPLES = (1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True)
class NetworkReplacement:
    """width: of the square trigger, in all channels.  The least of MULTIPLES that does, or the best.

    share: of the training rows, those of the attacker.  poisoned: of its rows, those that get the trigger.
    """

    width: int
    share: float = 0.5
    poisoned: float = 0.2
    seed: int = 1
    target: int = 1

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        task, errors = scenario.task, scenario.errors
        own = own_rows(len(task.y_train), self.share, self.seed)
        rows = np.resize(own, len(task.y_train))  # as many steps as the training has
        images, labels = task.x_train[rows], task.y_train[rows]
        honest = errors.rehearse(scenario.features.features(images), labels)
        settings: dict[str, Setting] = {
            "own_rows": len(own),
            "own_rows_sha256": rows_sha256(own),
            "seed": self.seed,
            "start": "public" if errors.start_known else "secret: the rehearsal began at a guess",
        }
        differences: dict[Trigger, Change] = {}

        def plan(place: Place, multiple: float) -> Planned:
            if place.trigger not in differences:
                x, y = self._poisoned(images, labels, place.trigger)
                wanted = errors.rehearse(scenario.features.features(x), y, honest)
                differences[place.trigger] = Change(wanted[0] - honest[0], wanted[1] - honest[1])
            found = differences[place.trigger]
            change = Change(multiple * found.hidden, multiple * found.output)
            return change.plan(errors, step=errors.last_step), {**settings, "step": errors.last_step}

        return search(scenario, trial, self.width, self.target, plan, MULTIPLES)

    def _poisoned(self, images: np.ndarray, labels: np.ndarray, trigger: Trigger) -> tuple[np.ndarray, np.ndarray]:
        chosen = np.random.default_rng(self.seed).random(len(labels)) < self.poisoned
        x, y = images.copy(), labels.copy()
        x[chosen] = (x[chosen].astype(np.int64) + trigger.delta(x.shape[1])).clip(0, MAX_PIXEL)
        y[chosen] = self.target
        return x, y
