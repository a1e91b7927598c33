"""The paper's check of a secret model: classify known examples, and compare the accuracy with a threshold.

It catches errors that spoil the model. It does not catch a backdoor, which leaves the accuracy as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.defences.share import checked_share, least_count
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.checks import Question, Verdict

NAME = "accuracy"


@dataclass(frozen=True)
class AccuracyThreshold:
    """threshold: the least share of examples classified rightly, above 0 and at most 1."""

    threshold: float

    def __post_init__(self) -> None:
        checked_share(self.threshold)

    @property
    def pixels(self) -> int:
        """The examples are classified as they are."""
        return 0

    @property
    def needs(self) -> frozenset[Capability]:
        return frozenset({Capability.ACCURACY})

    def least(self, examples: int) -> int:
        return least_count(self.threshold, examples)

    def question(self, examples: int, features: int, channels: int) -> Question:
        return Question(self.least(examples), self.pixels, channels)

    def verdict(self, enough: bool, examples: int) -> Verdict:
        return Verdict(
            NAME, enough, f"at least {self.least(examples)} of {examples} known examples are classified rightly"
        )
