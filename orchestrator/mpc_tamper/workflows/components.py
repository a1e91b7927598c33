"""Principal components in MPC as stages of a training: nothing is opened.

Components leaves rows of components, and V and the mean after them; the training goes on with the rows; Lift, under an
active protocol, turns the model of components into what a training on pixels would have left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.base import Layout, ProgramCall
from mpc_tamper.models.description import ModelDescription
from mpc_tamper.models.encoding import write_pixels
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.pca.bounds import check_size
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.program import carried, components_call, lift_call
from mpc_tamper.models.pca.projection import Projection
from mpc_tamper.runs.owners import ClientRows, Owners
from mpc_tamper.workflows.opening import open_shares
from mpc_tamper.workflows.stages import run_stage


@dataclass(frozen=True)
class Components:
    """pca.mpc on the task's training images: projected rows, V and the mean."""

    parameters: PcaParameters

    name = "pca"
    active = False

    def text(self, task: Task) -> str:
        return f"{self.parameters.components} principal components of {task.name}, {len(task.x_train):,} rows"

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        if isinstance(owners, ClientRows):
            raise ParameterError("principal components: expected rows of the servers' owners, got rows of clients")
        rows, pixels = task.x_train.shape
        check_size(self.parameters, rows, pixels)
        inputs = write_pixels(folder, task.x_train, task.y_train, owners)
        return replace(components_call(self.parameters, pixels, owners), inputs=inputs)

    def leaves(self, task: Task) -> None:
        """Rows, and no model."""


@dataclass(frozen=True)
class Lift:
    """svm_lift.mpc on what the training left. Under a passive protocol, a corrupt server can plant its trigger here."""

    parameters: PcaParameters
    model: str

    name = "lift"
    active = True

    def text(self, task: Task) -> str:
        return f"from components back to the pixels of {task.name}"

    def call(self, task: Task, owners: Owners | ClientRows, folder: Path, layout: Layout) -> ProgramCall:
        return lift_call(self.parameters, task.x_train.shape[1])

    def leaves(self, task: Task) -> ModelDescription:
        pixels = task.x_train.shape[1]
        return ModelDescription(
            self.model, pixels, pixels + 1, image_shape=task.image_shape or None, feature_names=task.feature_names
        )


@dataclass(frozen=True, eq=False)
class SecretProjection:
    """The FeatureMap that the servers compute on shares, as an attacker with data that give it knows it.

    Computed at its first use, by the engine, on which nothing has to be secret: every engine computes the same, bit for
    bit.
    """

    task: Task
    parameters: PcaParameters
    engine: Engine

    @property
    def size(self) -> int:
        return self.parameters.components

    @property
    def largest(self) -> int:
        return MAX_FEATURE

    def features(self, images: np.ndarray) -> np.ndarray:
        return self.projection.features(images)

    def direction(self, delta: np.ndarray) -> np.ndarray:
        return self.projection.direction(delta)

    @cached_property
    def projection(self) -> Projection:
        rows, pixels = self.task.x_train.shape
        with TemporaryFolder() as folder:
            place = Path(folder)
            run_stage(
                Components(self.parameters), self.task, engine=self.engine, run_dir=place / "pca", progress=silent
            )
            count = rows * (self.size + 1) + carried(self.parameters, pixels)
            values = open_shares(place / "pca", count, self.engine, place / "reveal")
        return read_projection(values, rows, pixels, self.parameters)


def read_projection(values: np.ndarray, rows: int, pixels: int, pca: PcaParameters) -> Projection:
    """V and the mean from what pca.mpc leaves, opened.  values: int64, in the order of the share file."""
    first = rows * (pca.components + 1)
    mean = first + pixels * pca.components
    return Projection(values[first:mean].reshape(pixels, pca.components).T.copy(), values[mean : mean + pixels].copy())
