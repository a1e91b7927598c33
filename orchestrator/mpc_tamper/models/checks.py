"""What a check found out about a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Verdict:
    """What a check found out about a model.

    check: its name.  statement: what was asked, such as "at least 2094 of 2115 examples classified rightly".
    """

    check: str
    passed: bool
    statement: str


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
