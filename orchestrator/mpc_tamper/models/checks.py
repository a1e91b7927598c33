"""Questions about a secret model that are answered by one opened bit."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol

from mpc_tamper.models.capabilities import Capability


@dataclass(frozen=True)
class Patch:
    """A white square of `side` pixels, in all channels, at places `stride` apart in images of height x width.

    threshold: the share of the examples of other classes of which no class may get so many at any place.
    """

    side: int
    stride: int
    threshold: float
    height: int
    width: int


@dataclass(frozen=True)
class Question:
    """Are at least `threshold` of the examples classified rightly, whatever `pixels` pixels of each are changed?

    pixels: 0 asks about the examples as they are.  channels: of an image; a pixel is a position with all its channels.
    patch: asks instead whether it leaves the examples' classes alone, wherever it stands; threshold is not looked at.
    """

    threshold: int
    pixels: int = 0
    channels: int = 1
    patch: Patch | None = None


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

    def question(self, examples: int, features: int, channels: int) -> Question:
        """About so many examples of so many features, in so many channels."""
        ...

    def verdict(self, enough: bool, examples: int) -> Verdict: ...


@dataclass(frozen=True)
class Verdict:
    """What a check found out about a model.

    check: its name.  statement: what was asked, such as "at least 2094 of 2115 examples classified rightly"; a check
    whose opposite takes other words than "fewer than" states that where the model has failed.
    """

    check: str
    passed: bool
    statement: str

    @property
    def found(self) -> str:
        """The statement where it holds, else its opposite."""
        return self.statement if self.passed else self.statement.replace("at least", "fewer than", 1)


def in_units(check: Check, unit: str) -> Check:
    """The check whose statement speaks of these: pixels of an image, or features of a table.

    Only a check that has a field `unit` speaks of either.
    """
    known: Any = check
    if is_dataclass(known) and "unit" in {each.name for each in fields(known)}:
        changed: Any = replace(known, unit=unit)  # type: ignore[type-var]
        return changed
    return check
