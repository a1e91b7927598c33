"""A training as the corrupt server sees it: what attacks and defences tell each other.

A defence changes a Scenario, an attack looks at it and answers with an Attempt. The attacker knows the program, the
parameters and the defence (Kerckhoffs), and rehearses on data like those of the owners; here on the very data, which is
the worst case. Attacks on a countermeasure that changes the task go through `features` and `site`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from mpc_tamper.datasets.task import Task
from mpc_tamper.models.linear_svm.bounds import FixedPoint, fixed_point
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.features import FeatureMap, Pixels
from mpc_tamper.scenarios.metrics import Metrics
from mpc_tamper.scenarios.trigger import Trigger


class UpdateSite(StrEnum):
    """The last multiplication of a training step, behind which nothing of the defence stands."""

    GRADIENT = "GRADIENT"  # errors at the gradient's scale, times the rows of the batch
    CLIP = "CLIP"  # where the update is clipped, behind the clamp: errors at the scale of the weights


@dataclass(frozen=True, eq=False)
class Scenario:
    """task: images as their owners have them, before any feature map.

    features: from images to what the rows of svm_train.mpc hold.
    components: how many principal components the servers compute and train on; None where the owners enter features.
    protocol: of the training.  corrupt_party: who adds errors, if anybody does.
    fit: how owners make the features from their training images, (m, n); None where those do not depend on them. An
    owner who poisons its images poisons this as well.
    """

    task: Task
    parameters: SvmParameters
    features: FeatureMap
    site: UpdateSite = UpdateSite.GRADIENT
    components: int | None = None
    protocol: ProtocolName = ProtocolName.RING
    corrupt_party: int = 1
    fit: Callable[[np.ndarray], FeatureMap] | None = None

    @property
    def constants(self) -> FixedPoint:
        """Public integers of the training."""
        return fixed_point(self.parameters, len(self.task.x_train), self.features.size, self.features.largest)

    @classmethod
    def plain(cls, task: Task, parameters: SvmParameters) -> Scenario:
        """No defence."""
        return cls(task, parameters, Pixels(task.x_train.shape[1]))


Setting = float | int | str | list[int]


@dataclass(frozen=True, eq=False)
class Attempt:
    """What an attack does to one scenario.

    plan: additive errors in the training, or None.  trigger: what success is measured with.
    task: the training data, poisoned by its owner or as they were.
    settings: what was chosen, such as {"strength": 0.6}; JSON types, for the record.
    insecure_fixed_seed: of the pads, where an outcome depends on them; None for fresh ones.
    analysis_plan: additive errors in pca.mpc, where the servers compute the components; or None.
    """

    plan: AdditiveErrorPlan | None
    trigger: Trigger
    task: Task
    settings: Mapping[str, Setting] = field(default_factory=dict)
    insecure_fixed_seed: int | None = None
    analysis_plan: AdditiveErrorPlan | None = None

    @property
    def plans(self) -> tuple[AdditiveErrorPlan, ...]:
        """Those that there are; none for an attack on the data alone."""
        return tuple(plan for plan in (self.analysis_plan, self.plan) if plan is not None)


Trial = Callable[[Attempt], Metrics]
"""What an attempt comes to, on the clear engine: how an attacker with data of its own rehearses."""


class Attack(Protocol):
    @property
    def additive(self) -> bool:
        """Errors of a corrupt server, not of a data owner."""
        ...

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt: ...
