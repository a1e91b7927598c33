"""Questions about a secret model that are answered by one opened bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mpc_tamper.models.capabilities import Capability


@dataclass(frozen=True)
class Question:
    """Are at least `threshold` of the examples classified rightly, whatever `pixels` pixels of each are changed?

    pixels: 0 asks about the examples as they are.  channels: of an image; a pixel is a position with all its channels.
    """

    threshold: int
    pixels: int = 0
    channels: int = 1


class Check(Protocol):
    """What is asked of a trained model. pixels: how many an attacker may change; 0 for the examples as they are."""

    @property
    def pixels(self) -> int: ...

    @property
    def needs(self) -> frozenset[Capability]:
        """What a model has to be capable of."""
        ...

    def least(self, examples: int) -> int:
        """How many of so many examples have to do well for a pass."""
        ...

    def verdict(self, enough: bool, examples: int) -> Verdict: ...


@dataclass(frozen=True)
class Verdict:
    """What a check found out about a model.

    check: its name.  statement: what was asked, such as "at least 2094 of 2115 examples classified rightly".
    """

    check: str
    passed: bool
    statement: str

    @property
    def found(self) -> str:
        """The statement where it holds, else its opposite."""
        return self.statement if self.passed else self.statement.replace("at least", "fewer than", 1)
