"""Pruning of inputs: after the training, pixels that clean rows hardly use lose their weights.

A trigger of few pixels is planted best on pixels that no image uses, such as the corners of digits: no honest gradient
touches their weights, and what an attacker puts there stays. The mean of each pixel over the clean rows is compared
with a public threshold, and the weights of the others are set to 0 under an active protocol, whichever neurons they
lead to and however they came about (mlp_prune.mpc). Where the clean rows are known to all, so is the mask.

What it cannot do: an attacker who knows it puts the trigger on pixels that are used, at the price of accuracy, as
honest gradients work against it there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mpc_tamper.defences.clean_rows import set_aside
from mpc_tamper.models.pruning import InputPruning
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.pruning import Prune

USE = 0.01  # of white


def input_pruning(
    use: float = USE, rows: int | None = None, owner: int | None = None
) -> Callable[[Scenario], Scenario]:
    """A Defence's change.

    use: the least mean of a pixel that stays.  rows, owner: of the clean rows, see clean_rows.py.
    """
    pruning = InputPruning(use)

    def change(scenario: Scenario) -> Scenario:
        task, clean = set_aside(scenario.task, rows, owner)
        settings = {**scenario.settings, "clean_rows": len(clean.x), "least_use": use}
        after = (*scenario.after, Prune(scenario.training, pruning, clean))
        return replace(scenario, task=task, after=after, settings=settings)

    return change
