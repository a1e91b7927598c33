"""Pruning and tuning of a trained network as stages after its training, both under an active protocol.

Prune sets weights to 0, Tune goes on with the training; both look at clean rows and leave a network of the same kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mpc_tamper.datasets.task import Task
from mpc_tamper.models.base import Layout, ProgramCall
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.models.pruning import CleanRows, NeuronPruning, Pruning
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.workflows.stages import Training


@dataclass(frozen=True)
class Prune:
    """training: the stage whose network it is.  clean: images."""

    training: Training
    pruning: Pruning
    clean: CleanRows

    name = "prune"
    active = True

    def text(self, task: Task) -> str:
        what = "neurons" if isinstance(self.pruning, NeuronPruning) else "inputs"
        return f"pruning of {what} by {len(self.clean.x):,} clean rows of {task.name}"

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        training, size = self.training, self.training.size(task)
        clean = features_of(self.clean, training)
        return training.model.pruning(training.parameters, size, self.pruning, clean, folder)

    def leaves(self, task: Task) -> ModelDescription:
        return self.training.leaves(task)


@dataclass(frozen=True)
class Tune:
    """training: the stage whose network it is, pruned or not.  epochs: passes over the clean rows, images."""

    training: Training
    epochs: int
    clean: CleanRows

    name = "tune"
    active = True

    def text(self, task: Task) -> str:
        return f"tuning on {len(self.clean.x):,} clean rows of {task.name}"

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        training, size = self.training, self.training.size(task)
        clean = features_of(self.clean, training)
        training.model.check_rows(clean.x, training.parameters)
        return training.model.tuning(training.parameters, size, self.epochs, clean, folder)

    def leaves(self, task: Task) -> ModelDescription:
        return self.training.leaves(task)


def features_of(clean: CleanRows, training: Training) -> CleanRows:
    """Clean rows as the training had its rows."""
    return replace(clean, x=np.asarray(training.features.features(clean.x)))
