"""A training as the corrupt server sees it: what attacks and defences tell each other.

A defence changes a Scenario, an attack looks at it and answers with an Attempt. The attacker knows the programs, the
parameters and the defence (Kerckhoffs), and rehearses on data like those of the owners; here on the very data, which is
the worst case. A defence may change the parameters, what the rows hold, the protocol, and which programs run before and
after the training; what an attack may rely on is in `features` and in the errors that the model offers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.models.base import DataSize, Errors, Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.features import FeatureMap, Pixels
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.workflows.stages import TRAIN, Stage, Training

Setting = float | int | str | list[int]


@dataclass(frozen=True, eq=False)
class Scenario:
    """task: images as their owners have them, before any feature map.  parameters: the model's.

    features: from images to what the rows of the training hold, and what the attacker knows of it.
    before, after: stages around the training, such as principal components and the way back to pixels.
    carry: how many shares the last stage before leaves after its rows, for the first stage after.
    scored: what the finished model weighs, where that is not `features`.
    protocol: of the training.  corrupt_party: who adds errors, if anybody does.
    fit: how owners make the features from their training images, (m, n); None where those do not depend on them. An
    owner who poisons its images poisons this as well.
    settings: what a defence chose besides, for the record; JSON types.
    """

    task: Task
    parameters: Any
    features: FeatureMap
    model: Model = field(default_factory=get_model)
    before: tuple[Stage, ...] = ()
    after: tuple[Stage, ...] = ()
    carry: int | None = None
    scored: FeatureMap | None = None
    protocol: ProtocolName = ProtocolName.RING
    corrupt_party: int = 1
    fit: Callable[[np.ndarray], FeatureMap] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @classmethod
    def plain(cls, task: Task, parameters: Any, model: Model | None = None) -> Scenario:
        """No defence."""
        return cls(task, parameters, Pixels(task.x_train.shape[1]), model or get_model())

    @property
    def size(self) -> DataSize:
        classes = len(self.task.classes)
        return DataSize(len(self.task.x_train), self.features.size, self.features.largest, classes)

    @property
    def constants(self) -> Any:
        """Public integers of the training."""
        return self.model.constants(self.parameters, self.size)

    @property
    def errors(self) -> Errors:
        """Where additive errors enter the training."""
        return self.model.errors(self.parameters, self.size)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All of them, in order."""
        return (*self.before, self.training, *self.after)

    @property
    def training(self) -> Training:
        return Training(self.model, self.parameters, self.features, self.carry)


@dataclass(frozen=True, eq=False)
class Attempt:
    """What an attack does to one scenario.

    trigger: what success is measured with.  task: the training data, poisoned by its owner or as they were.
    plans: additive errors by the name of the stage that they enter; none for an attack on the data alone.
    settings: what was chosen, such as {"strength": 0.6}; JSON types, for the record.
    insecure_fixed_seed: of the pads, where an outcome depends on them; None for fresh ones.
    """

    trigger: Trigger
    task: Task
    plans: Mapping[str, AdditiveErrorPlan] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    insecure_fixed_seed: int | None = None

    @classmethod
    def in_training(
        cls,
        plan: AdditiveErrorPlan,
        trigger: Trigger,
        task: Task,
        settings: Mapping[str, Setting] | None = None,
        insecure_fixed_seed: int | None = None,
    ) -> Attempt:
        """Errors in the training alone."""
        return cls(trigger, task, {TRAIN: plan}, settings or {}, insecure_fixed_seed)

    def same_errors(self, other: Attempt) -> bool:
        """Whether both come to the same model; what their success is measured with may differ."""
        mine, theirs = ({name: plan.sha256() for name, plan in a.plans.items()} for a in (self, other))
        return mine == theirs and self.task is other.task and self.insecure_fixed_seed == other.insecure_fixed_seed


Trial = Callable[[Attempt], Metrics]
"""What an attempt comes to, on the clear engine: how an attacker with data of its own rehearses."""


class Attack(Protocol):
    """additive: errors of a corrupt server, not of a data owner.  needs: what it asks of the model."""

    @property
    def additive(self) -> bool: ...

    @property
    def needs(self) -> frozenset[Capability]: ...

    def prepare(self, scenario: Scenario, trial: Trial) -> Attempt: ...
