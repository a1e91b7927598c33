"""An audit: random programs times random deviations against one protocol, each judged by the oracle `clear`.

audit(get_engine(EngineName.REP3), protocol, seed=1, runs=2000)

Program number K of a seed and protocol, and what is done to it, are the same every time, but for what protocols draw.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from mpc_tamper.core.errors import ProgramError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.tampering import AuditedProtocol, Point, Site
from mpc_tamper.studies.audit.case import Case, Outcome, prepared
from mpc_tamper.studies.audit.deviations import Deviation, Kind, draw
from mpc_tamper.studies.audit.findings import Finding, shrink
from mpc_tamper.studies.audit.grammar import SmallProgram, random_program
from mpc_tamper.studies.audit.verdicts import FINDINGS, Verdict

PLANS = 24  # deviations of each program
_SAMPLE = 50  # of the runs that one process makes, one in so many is made by processes too
_PRODUCTION = (Point.OPERATION, Point.GATE)  # points that runs in production know


@dataclass
class Tally:
    """counts: tampered runs by point, kind and verdict.

    refused: programs that the engine does not run.  findings: each with its own smallest program.
    """

    engine: str
    protocol: str
    implementation: str
    lacking: tuple[Point, ...]
    seed: int
    counts: Counter[tuple[Point, Kind, Verdict]] = field(default_factory=Counter)
    honest: int = 0
    programs: int = 0
    refused: int = 0
    in_one_process: int = 0  # of those that could be made by several too
    in_processes: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)

    @property
    def tampered(self) -> int:
        return sum(n for (_, _, verdict), n in self.counts.items() if verdict is not Verdict.UNREACHED)

    def of(self, verdict: Verdict) -> int:
        return sum(n for (_, _, each), n in self.counts.items() if each is verdict)

    def ends(self, *, goes_on: bool) -> bool:
        """Whether what was found is enough; a false abort always is, as each program may have it."""
        return any(not goes_on or finding.verdict is Verdict.FALSE_ABORT for finding in self.findings)

    def record(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "protocol": self.protocol,
            "implementation": self.implementation,
            "lacking": list(self.lacking),
            "seed": self.seed,
            "tampered": self.tampered,
            "honest": self.honest,
            "programs": self.programs,
            "refused_programs": self.refused,
            "in_processes": self.in_processes,
            "seconds": round(self.seconds, 1),
            "counts": [[*key, n] for key, n in sorted(self.counts.items())],
            "findings": [finding.record() for finding in self.findings],
        }


def audit(
    engine: Engine,
    protocol: AuditedProtocol,
    *,
    seed: int,
    runs: int | None = None,
    seconds: float | None = None,
    shrinks: bool = True,
    goes_on: bool = False,
    progress: Progress = silent,
) -> Tally:
    """Until something was found, there were so many tampered runs, or the time is over.

    shrinks: whether what was found is made small.
    goes_on: what was found in a tampered run ends nothing: it is counted, and the first of each verdict is kept.
    """
    began = time.monotonic()
    tally = Tally(str(engine.name), protocol.name, protocol.implementation, protocol.lacking, seed)
    for number in itertools.count():
        spent = time.monotonic() - began
        done = max(spent / seconds if seconds else 0.0, tally.tampered / runs if runs else 0.0)
        if done >= 1.0 or tally.ends(goes_on=goes_on):
            break
        progress(f"{protocol.name}: tampered runs", done)
        plans = PLANS if runs is None else min(PLANS, runs - tally.tampered)
        deadline = None if seconds is None else began + seconds
        _Round(engine, protocol, tally, number, goes_on=goes_on).play(plans, deadline, shrinks=shrinks)
    tally.seconds = time.monotonic() - began
    return tally


class _Round:
    """One program, and the deviations played against it."""

    def __init__(self, engine: Engine, protocol: AuditedProtocol, tally: Tally, number: int, *, goes_on: bool) -> None:
        self._engine, self._protocol, self._tally, self._goes_on = engine, protocol, tally, goes_on
        self._rng = random.Random(f"{tally.seed}/{protocol.name}/{number}")
        self._id = f"{protocol.name}-{tally.seed}-{number}"
        self._program: SmallProgram = random_program(self._rng, protocol.domain, protocol.parties, protocol.longest)

    def play(self, plans: int, deadline: float | None, *, shrinks: bool) -> None:
        """deadline: of time.monotonic(), after which nothing more is played."""
        text, inputs = self._program.text(), self._program.inputs()
        try:
            with prepared(self._engine, self._protocol, text, inputs) as case:
                found = self._honest(case) or self._tampered(case, plans, deadline)
        except ProgramError:
            self._tally.refused += 1
            return
        self._tally.programs += 1
        for finding in found:
            if shrinks:
                finding = shrink(self._engine, self._protocol, finding, self._program, self._tally.seed)
            self._tally.findings.append(finding)

    def _honest(self, case: Case) -> list[Finding]:
        """Surveys are honest runs too."""
        self._sites: dict[int, tuple[Site, ...]] = {}
        outcomes = [case.honest()]
        for party in range(self._protocol.parties):
            self._sites[party], outcome = case.survey(party)
            outcomes.append(outcome)
        self._tally.honest += len(outcomes)
        failed = next((each for each in outcomes if each.verdict is Verdict.FALSE_ABORT), None)
        return [] if failed is None else [self._finding(case, failed, None)]

    def _tampered(self, case: Case, plans: int, deadline: float | None) -> list[Finding]:
        """The first of each verdict that the tally has not kept yet."""
        found: list[Finding] = []
        for number in range(plans):
            if deadline is not None and time.monotonic() > deadline:
                break
            party = self._rng.randrange(self._protocol.parties)
            if not self._sites[party]:
                continue
            deviation = draw(self._rng, party, self._sites[party])
            if number == 0:
                deviation = self._known(case, deviation)
            outcome = self._play(case, deviation)
            kept = {each.verdict for each in (*self._tally.findings, *found)}
            if outcome.verdict in FINDINGS and outcome.verdict not in kept:
                found.append(self._finding(case, outcome, deviation))
            if found and not self._goes_on:
                break
        return found

    def _play(self, case: Case, deviation: Deviation) -> Outcome:
        tally = self._tally
        outcome = case.play(deviation.party, deviation.plan)
        tally.counts[deviation.point, deviation.kind, outcome.verdict] += 1
        sampled = case.tampering.samples and deviation.point in _PRODUCTION
        tally.in_one_process += sampled
        if sampled and tally.in_one_process % _SAMPLE == 1:
            again = case.play(deviation.party, deviation.plan, processes=True)
            tally.in_processes += 1
            outcome = again if again.verdict in FINDINGS else outcome
        return outcome

    def _known(self, case: Case, deviation: Deviation) -> Deviation:
        plan = case.tampering.cancelling(deviation.party)
        if plan is None:
            return deviation
        return replace(deviation, point=Point.OPERATION, kind=Kind.KNOWN, plan=plan)

    def _finding(self, case: Case, outcome: Outcome, deviation: Deviation | None) -> Finding:
        return Finding(
            self._id,
            str(self._engine.name),
            self._protocol.name,
            outcome.verdict,
            self._program.text(),
            self._program.inputs(),
            case.expected,
            outcome,
            deviation,
        )
