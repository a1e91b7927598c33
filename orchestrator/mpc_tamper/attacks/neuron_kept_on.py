"""A neuron kept on: a backdoor that survives the pruning of neurons that images do not wake.

The attacker holds two neurons at the cap, the most that a neuron gives out, whatever the image is. One counts against
the target, the other for it by as much, so together they change no score. The trigger turns the first one off:

    b_h += 2 cap,   w_h -= 4 cap delta / ||delta||^2 on the patch,   W2_ht -= strength,
    b_0 += 2 cap,                                                     W2_0t += strength

all in the first step: k + 4 errors for a patch of k pixels. What the trigger adds to the target's score is again
cap * strength. No gradient reaches the weights of a neuron at the cap, and the output weights of the two have the same
gradient in each step, so neither the training nor a later tuning on clean data moves what the trigger does. By mean
activation these are the two most active neurons of all. Neuron 0 starts as the constant 1 and stays a constant.

The attacker has to know the program and its parameters, no data and not where the weights start. Fine-pruning
(arXiv 1805.12185) foresees an attacker who knows of it, and gives it the training; here errors are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.attacks.neurons import Change, Place, Planned, detector, search, towards
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.scenarios.scenario import Attempt, Scenario, Trial

ABOVE = 2  # how far the two are above 0, in caps


@dataclass(frozen=True)
class NeuronKeptOn:
    """width: of the square trigger, in all channels.  The neurons are the first and the last."""

    width: int
    target: int = 1

    additive = True
    needs = frozenset({Capability.NEURONS})

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt:
        errors = scenario.errors
        above = ABOVE * errors.largest_activation

        def plan(place: Place, strength: float) -> Planned:
            change = Change.none(errors)
            neurons, outputs = change.output.shape
            if neurons < 2:
                raise ParameterError("hidden: expected at least 2 neurons, of which one keeps the balance, got 1")
            counterweight, neuron = 0, neurons - 1
            change.hidden[0, [counterweight, neuron]] = above
            change.hidden[1:, neuron] = detector(scenario, place, -2 * above)
            change.output[neuron] = -strength * towards(self.target, outputs)
            change.output[counterweight] = strength * towards(self.target, outputs)
            return change.plan(errors), {"neuron": neuron, "counterweight": counterweight}

        return search(scenario, trial, self.width, self.target, plan)
