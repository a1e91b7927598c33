"""An engine runs one .mpc program for three parties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

OnStep = Callable[[str, int], None]  # told the site and the occurrence of a step that begins, not of each


class Engine(Protocol):
    """Blocking; raises a TamperError of the first cause. Leaves no process behind, however it ends."""

    name: EngineName
    protocols: frozenset[ProtocolName]

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult: ...
