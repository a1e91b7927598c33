"""All neurons: a backdoor that every neuron carries, so that none can be pruned without loss.

In the first step the weights of the patch go up in neurons that speak for the target and down in the others,

    w_h += sign_h strength delta / ||delta||^2 on the patch,   sign_h = sign(W2_ht - mean of the other W2_hc)

so the trigger opens the former and closes the latter. The signs are those of the public start: the attacker needs no
data, and the training keeps nearly all of them. H k errors for a patch of k pixels, and no output weight is touched.

Where the start is secret the signs are set by H more errors, and the attack works as before (signs.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.attacks.neurons import Change, Place, Planned, detector, search
from mpc_tamper.attacks.signs import set_signs, speaks_for
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial


@dataclass(frozen=True)
class AllNeurons:
    """width: of the square trigger, in all channels.  strength: what the trigger adds to a neuron's sum."""

    width: int
    target: int = 1

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        errors = scenario.errors
        known = errors.start_known

        def plan(place: Place, strength: float) -> Planned:
            change = Change.none(errors)
            output = errors.start()[1] if known else set_signs(errors, self.target)
            change.hidden[1:] = np.outer(detector(scenario, place, strength), speaks_for(output, self.target))
            if not known:
                change.output[:] = output
            return change.plan(errors), {"signs": "of the public start" if known else "set, as the start is secret"}

        return search(scenario, trial, self.width, self.target, plan)
