"""What a defence is: a change of the training, a question about the secret model, or both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.records import Verdict
from orchestrator.scenario import Scenario


class Check(Protocol):
    """A question about a secret model, asked by svm_verify.mpc under an active protocol, with one bit for an answer.

    pixels: how many pixels an attacker may change at will; 0 asks about the examples as they are.
    """

    @property
    def pixels(self) -> int: ...

    def least(self, examples: int) -> int:
        """How many of so many examples have to do well for a pass."""
        ...

    def verdict(self, enough: bool, examples: int) -> Verdict: ...


Change = Callable[[Scenario], Scenario]
"""The training with a defence, from the one without."""


def unchanged(scenario: Scenario) -> Scenario:
    return scenario


@dataclass(frozen=True)
class Defence:
    """change: of the training.  check: of the model that comes out."""

    change: Change = unchanged
    check: Check | None = None
