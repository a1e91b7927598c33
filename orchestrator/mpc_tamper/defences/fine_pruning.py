"""Fine-pruning: the neurons that clean rows hardly use are taken out, and the others are tuned on clean rows.

    s_h = sum over clean rows of a_h,   the K neurons of the least s_h lose their weights;
    then E passes over the clean rows at a third of the learning rate

Liu, Dolan-Gavitt, Garg, RAID 2018, https://arxiv.org/abs/1805.12185

Both run after the training and under an active protocol, so that a server that cheated in the training cannot do so
here (mlp_prune.mpc, mlp_train.mpc). Ranks are computed on shares and stay secret: nothing is opened. It stops the
backdoor of a neuron that lies dormant until the trigger comes.

What it cannot do: it finds neurons that clean rows hardly use. An attacker who knows it keeps its neuron on, by a
bias, or spreads the trigger over all neurons by the signs of a public start; neither needs any data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mpc_tamper.defences.clean_rows import set_aside
from mpc_tamper.models.pruning import NeuronPruning
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.pruning import Prune, Tune
from mpc_tamper.workflows.stages import Stage

SHARE, STRONG_SHARE = 0.25, 0.5  # of the neurons: a quarter of an honest network's hardly do anything
EPOCHS = 6


def fine_pruning(
    share: float = SHARE, epochs: int = EPOCHS, rows: int | None = None, owner: int | None = None
) -> Callable[[Scenario], Scenario]:
    """A Defence's change.

    share: of the neurons that go; 0 is tuning alone.  epochs: passes over the clean rows; 0 is pruning alone.
    rows, owner: of the clean rows, see clean_rows.py.
    """
    pruning = NeuronPruning(share)

    def change(scenario: Scenario) -> Scenario:
        task, clean = set_aside(scenario.task, rows, owner)
        stages: list[Stage] = [Prune(scenario.training, pruning, clean)] if share else []
        if epochs:
            stages.append(Tune(scenario.training, epochs, clean))
        chosen = {"clean_rows": len(clean.x), "tuning_epochs": epochs, "pruned_share": share}
        settings = {**scenario.settings, **chosen}
        return replace(scenario, task=task, after=(*scenario.after, *stages), settings=settings)

    return change
