"""The checks of a secret model by name. A check is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from orchestrator.defences import accuracy
from orchestrator.records import Verdict


class Check(Protocol):
    """A question about a secret model with one bit for an answer."""

    def verdict(self, enough: bool, examples: int) -> Verdict: ...


CHECKS: Mapping[str, Callable[[float], Check]] = MappingProxyType({accuracy.NAME: accuracy.AccuracyThreshold})
