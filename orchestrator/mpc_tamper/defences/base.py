"""What a defence is: a change of the training, a question about the secret model, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mpc_tamper.models.checks import Check
from mpc_tamper.scenarios.scenario import Scenario

Change = Callable[[Scenario], Scenario]
"""The training with a defence, from the one without."""


def unchanged(scenario: Scenario) -> Scenario:
    return scenario


@dataclass(frozen=True)
class Defence:
    """change: of the training.  check: of the model that comes out."""

    change: Change = unchanged
    check: Check | None = None
