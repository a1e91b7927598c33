"""One program under one protocol: its oracle, and a deviation played against it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import PlanError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.tampering import MESSAGE, AuditedProtocol, PartyEnd, Site, Tampering
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.studies.audit.verdicts import Verdict, of_honest, of_tampered, outputs, wrong_lines


@dataclass(frozen=True)
class Outcome:
    """opened: wrong lines that honest parties printed.  said: why the first honest party gave up, empty if none did."""

    verdict: Verdict
    opened: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class Case:
    """expected: the oracle's lines.  owners: who enters inputs."""

    tampering: Tampering
    expected: tuple[str, ...]
    owners: frozenset[int]

    def survey(self, party: int) -> tuple[tuple[Site, ...], Outcome]:
        sites, ends = self.tampering.survey(party)
        return sites, self._outcome_of(ends, None)

    def honest(self, *, processes: bool = False) -> Outcome:
        return self._outcome_of(self.tampering.run(None, None, processes=processes), None)

    def play(self, party: int, plan: AdditiveErrorPlan, *, processes: bool = False) -> Outcome:
        try:
            ends = self.tampering.run(party, plan, processes=processes)
        except PlanError as exc:
            return Outcome(Verdict.UNREACHED, said=str(exc))
        messages = any(site.startswith(MESSAGE) for site in plan.sites())
        return self._outcome_of(ends, party, own_input=messages and party in self.owners)

    def _outcome_of(self, raw: Sequence[PartyEnd], corrupt: int | None, *, own_input: bool = False) -> Outcome:
        ends = [outputs(end) for end in raw]
        if corrupt is None:
            verdict = of_honest(self.expected, ends)
        else:
            verdict = of_tampered(self.expected, ends, corrupt, own_input=own_input)
        honest = [end for party, end in enumerate(ends) if party != corrupt]
        opened = tuple(dict.fromkeys(line for end in honest for line in wrong_lines(self.expected, end)))
        said = next((end.failure for end in honest if end.failure is not None), "")
        return Outcome(verdict, opened, said)


@contextmanager
def prepared(engine: Engine, protocol: AuditedProtocol, text: str, inputs: Mapping[int, str]) -> Iterator[Case]:
    """In a folder of its own, in memory where the system has such a place. Raises what the oracle raises."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-audit-", dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        program = folder / "audited.mpc"
        program.write_text(text, encoding="utf-8")
        files = {}
        for owner, content in inputs.items():
            files[owner] = folder / f"input-{owner}.txt"
            files[owner].write_text(content, encoding="utf-8")
        spec = RunSpec(
            program, inputs={owner: InputFiles(text=path) for owner, path in files.items()}, run_dir=folder / "oracle"
        )
        expected = get_engine(EngineName.CLEAR).run(spec).lines
        with engine.tampering(protocol, program, files, folder) as tampering:
            yield Case(tampering, expected, frozenset(inputs))
