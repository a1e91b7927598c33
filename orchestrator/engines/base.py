"""An engine runs one .mpc program for three parties."""

from __future__ import annotations

from typing import Protocol

from orchestrator.records import EngineName, ProtocolName, RunResult, RunSpec


class Engine(Protocol):
    """Blocking; raises a TamperError of the first cause. Leaves no process behind, however it ends."""

    name: EngineName
    protocols: frozenset[ProtocolName]

    def run(self, spec: RunSpec) -> RunResult: ...
