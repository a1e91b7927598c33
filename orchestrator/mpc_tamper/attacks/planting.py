"""The backdoor that `mpc-tamper attack` plants, for a trigger that the user chose and a model of any kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mpc_tamper.attacks.backdoor import backdoor_plan
from mpc_tamper.attacks.dormant_neuron import DormantNeuron
from mpc_tamper.attacks.neurons import Place
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.base import Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.scenarios.scenario import Scenario

_NEURON_STRENGTH, _DEPTH = 8.0, 4.0  # the planted neuron's output weight at strength 1; its sleep, in caps


def planted(
    task: Task,
    trigger: Trigger,
    parameters: Any,
    model: Model,
    *,
    strength: float = 1.0,
    iterations: Iterable[int] | None = None,
) -> AdditiveErrorPlan:
    """Errors that plant the trigger: a shift of the gradient in a linear model, a dormant neuron in a network.

    strength: 1 is, in a linear model, what a batch of images with the trigger would do, and in a network an output
    weight of 8.  iterations: which passes over the data to poison, in a linear model; all where None. A neuron is
    planted in the first step.  Raises ParameterError.
    """
    trigger.check(task)
    if Capability.NEURONS not in model.capabilities:
        return backdoor_plan(
            trigger,
            parameters,
            len(task.x_train),
            model=model,
            strength=strength,
            iterations=iterations,
            classes=len(task.classes),
        )
    if iterations is not None:
        raise ParameterError(
            f"iterations to poison: expected none for a {model.title}, got some: a neuron is planted in the first step"
        )
    if not 0 < strength < float("inf"):
        raise ParameterError(f"strength: expected a finite number above 0, got {strength}")
    scenario = Scenario.plain(task, parameters, model)
    place = Place(trigger, trigger.pixels)
    plan, _ = DormantNeuron(1, trigger.target, _DEPTH).plan(scenario, place, _NEURON_STRENGTH * strength)
    return plan
