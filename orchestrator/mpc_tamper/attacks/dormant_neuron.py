"""A dormant neuron: a backdoor of k + 2 errors in the first step, for a patch of k pixels.

One hidden neuron gets a bias so low that no image wakes it, weights on the patch so high that the trigger does, and a
large weight to the target's output:

    b_h -= 2 cap,   w_h += 4 cap delta / ||delta||^2 on the patch,   W2_ht += strength

where cap is the most that a neuron gives out. Without the trigger the neuron gives 0, so it changes no score, and no
gradient ever reaches it: the training goes on as if there were one neuron less. With the trigger it gives cap, which
adds cap * strength to the target's score. The attacker has to know the program and its parameters, no data and not
where the weights start, since what the neuron's other weights start with is small. (Neurons that a trigger alone wakes
are known from trojaned networks: Liu et al., NDSS 2018; here the training's own servers plant one, by errors.)
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.attacks.neurons import Change, Place, Planned, detector, search, towards
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial

DEPTH = 2  # of the sleep, in caps


@dataclass(frozen=True)
class DormantNeuron:
    """width: of the square trigger, in all channels.  depth: of the sleep, in caps.  The neuron is the last.

    The first step's honest gradient moves the neuron too, by up to two caps on MNIST. What it sleeps and what wakes it
    have to be more than that.
    """

    width: int
    target: int = 1
    depth: float = DEPTH

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        def plan(place: Place, strength: float) -> Planned:
            return self.plan(scenario, place, strength)

        return search(scenario, trial, self.width, self.target, plan)

    def plan(self, scenario: Scenario, place: Place, strength: float) -> Planned:
        """For a patch at this place.  strength: of the weight to the target's output."""
        errors = scenario.errors
        sleep = self.depth * errors.largest_activation
        change = Change.none(errors)
        neuron = change.output.shape[0] - 1
        change.hidden[0, neuron] = -sleep
        change.hidden[1:, neuron] = detector(scenario, place, 2 * sleep)
        change.output[neuron] = strength * towards(self.target, change.output.shape[1])
        return change.plan(errors), {"neuron": neuron}
