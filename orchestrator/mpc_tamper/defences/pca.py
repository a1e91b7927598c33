"""Training on principal components: a trigger of few pixels lies mostly outside the space that they span.

    features(x) = round((x - mean) V),   V (n, k) with nearly orthonormal columns

Either the servers compute V on shares (pca.mpc), and nobody knows it, or a data owner computes it on its own images and
publishes it. An attacker who knows V plants the part of its trigger that lies in the space, V'delta.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.features import Pixels
from mpc_tamper.models.pca.bounds import check_size, max_row_norm
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.program import carried
from mpc_tamper.models.pca.projection import Projection, principal_components
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.components import Components, Lift, SecretProjection


def pca_in_mpc(scenario: Scenario, parameters: PcaParameters | None = None) -> Scenario:
    """The servers compute V on shares. In the worst case the attacker has data that give it."""
    parameters = parameters or PcaParameters()
    pixels = scenario.task.x_train.shape[1]
    return replace(
        _bounded(scenario, parameters),
        features=SecretProjection(scenario.task, parameters, get_engine(EngineName.CLEAR)),
        before=(Components(parameters),),
        carry=carried(parameters, pixels),
        after=(Lift(parameters, scenario.model.name),),
        scored=Pixels(pixels),
    )


def pca_by_owner(scenario: Scenario, parameters: PcaParameters | None = None) -> Scenario:
    """The owner of the images computes V, and enters rows of components. V is public."""
    parameters = parameters or PcaParameters()

    def fit(images: np.ndarray) -> Projection:
        return principal_components(images, parameters.components)

    return replace(_bounded(scenario, parameters), features=fit(scenario.task.x_train), fit=fit)


def _bounded(scenario: Scenario, parameters: PcaParameters) -> Scenario:
    rows, pixels = scenario.task.x_train.shape
    check_size(parameters, rows, pixels)
    bound = max_row_norm(parameters, rows, pixels)
    return replace(scenario, parameters=scenario.model.with_row_norm(scenario.parameters, bound))
