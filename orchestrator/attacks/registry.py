"""The attacks by name. An attack is one file and one line here; the shared tests run each that is listed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from orchestrator.additive_errors import AdditiveErrorPlan
from orchestrator.attacks.backdoor import backdoor_plan
from orchestrator.svm import SvmParameters
from orchestrator.trigger import Trigger


class Attack(Protocol):
    """Errors for svm_train.mpc that make a trigger turn images into its target."""

    def __call__(
        self, trigger: Trigger, parameters: SvmParameters, rows: int, *, strength: float
    ) -> AdditiveErrorPlan: ...


ATTACKS: Mapping[str, Attack] = MappingProxyType({"backdoor": backdoor_plan})
