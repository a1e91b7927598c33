"""What a defence is: a change of the training, a question about the secret model, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Check
from mpc_tamper.scenarios.scenario import Scenario

Change = Callable[[Scenario], Scenario]
"""The training with a defence, from the one without."""


def unchanged(scenario: Scenario) -> Scenario:
    return scenario


def together(*changes: Change) -> Change:
    """One after the other: what a later one does after the training comes after what an earlier one does."""

    def change(scenario: Scenario) -> Scenario:
        for each in changes:
            scenario = each(scenario)
        return scenario

    return change


@dataclass(frozen=True)
class Defence:
    """change: of the training.  check: of the model that comes out.  asks: what the change needs of a model.

    examples: about so many test images are the check's; all where None.
    """

    change: Change = unchanged
    check: Check | None = None
    asks: frozenset[Capability] = frozenset()
    examples: int | None = None

    @property
    def needs(self) -> frozenset[Capability]:
        """Of the change and of the check."""
        return self.asks | (frozenset() if self.check is None else self.check.needs)
