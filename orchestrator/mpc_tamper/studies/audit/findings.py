"""What an audit finds, kept so that one command plays it again, and made as small as it goes.

The shrinker is our own and not hypothesis's: a deviation addresses places of one program (message 17, AND gate 212), so
a smaller program needs a fresh survey and a few fresh deviations of the same kind, and a run may cost a quarter of a
second. hypothesis would be a dependency of the installed software, and replay choices that mean nothing there.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mpc_tamper.core.errors import DataError, TamperError
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.tampering import AuditedProtocol
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.studies.audit.case import Case, Outcome, prepared
from mpc_tamper.studies.audit.deviations import Deviation, Kind, draw
from mpc_tamper.studies.audit.grammar import SmallProgram, valid
from mpc_tamper.studies.audit.verdicts import FINDINGS, Verdict

_TRIES = 4  # deviations of the same kind against a smaller program
_CANDIDATES = 200  # programs, at most
_REPLAYS = 10


@dataclass(frozen=True)
class Finding:
    """id: protocol, seed and number of the run.  deviation: None for a false abort."""

    id: str
    engine: str
    protocol: str
    verdict: Verdict
    program: str
    inputs: Mapping[int, str]
    expected: tuple[str, ...]
    outcome: Outcome
    deviation: Deviation | None

    def record(self) -> dict[str, Any]:
        done = self.deviation
        return {
            "id": self.id,
            "engine": self.engine,
            "protocol": self.protocol,
            "verdict": self.verdict,
            "program": self.program.splitlines(),
            "inputs": {str(owner): text for owner, text in self.inputs.items()},
            "expected": list(self.expected),
            "opened": list(self.outcome.opened),
            "said": self.outcome.said,
            "corrupt_party": None if done is None else done.party,
            "point": None if done is None else done.point,
            "kind": None if done is None else done.kind,
            "plan": None if done is None else done.plan.text().splitlines(),
        }


def shrink(engine: Engine, protocol: AuditedProtocol, finding: Finding, program: SmallProgram, seed: int) -> Finding:
    """The finding with the smallest program for which a deviation of the same kind has the same verdict."""
    best, smallest = finding, program
    left = _CANDIDATES
    progress = True
    while progress and left:
        progress = False
        for candidate in smallest.smaller():
            if not left:
                break
            if not valid(candidate):
                continue
            left -= 1
            found = _again(engine, protocol, best, candidate, random.Random(seed + left))
            if found is not None:
                best, smallest, progress = found, candidate, True
                break
    return best


def _again(
    engine: Engine, protocol: AuditedProtocol, finding: Finding, program: SmallProgram, rng: random.Random
) -> Finding | None:
    """The finding on this program, or None where it does not show."""
    try:
        with prepared(engine, protocol, program.text(), program.inputs()) as case:
            found = _played(case, finding, rng)
    except TamperError:  # a program that the engine or the oracle refuses
        return None
    if found is None:
        return None
    deviation, outcome = found
    return replace(
        finding,
        program=program.text(),
        inputs=program.inputs(),
        expected=case.expected,
        deviation=deviation,
        outcome=outcome,
    )


def _played(case: Case, finding: Finding, rng: random.Random) -> tuple[Deviation | None, Outcome] | None:
    if finding.deviation is None:
        outcome = case.honest()
        return (None, outcome) if outcome.verdict is finding.verdict else None
    party, kind = finding.deviation.party, finding.deviation.kind
    sites, honest = case.survey(party)
    if honest.verdict is not Verdict.HONEST or not sites:
        return None
    for number in range(_TRIES):
        if kind is Kind.KNOWN:
            plan = case.tampering.cancelling(party)
            deviation = None if plan is None else replace(finding.deviation, plan=plan)
        elif number == 0:
            deviation = finding.deviation  # as it was
        else:
            simple = Kind.ONE if number == 1 and kind in (Kind.RANDOM, Kind.TOP) else kind
            deviation = draw(rng, party, sites, (finding.deviation.point, simple))
        if deviation is None:
            return None
        outcome = case.play(party, deviation.plan)
        if outcome.verdict is finding.verdict:
            return deviation, outcome
    return None


def replay(engine: Engine, protocol: AuditedProtocol, record: Mapping[str, Any]) -> Outcome:
    """What becomes of a recorded finding now, in the first of some runs in which it shows, as what protocols draw may
    hide it. Raises DataError for a record of something else.
    """
    try:
        text = "\n".join(record["program"]) + "\n"
        inputs = {int(owner): content for owner, content in record["inputs"].items()}
        party = record["corrupt_party"]
        plan = None if record["plan"] is None else AdditiveErrorPlan.parse("\n".join(record["plan"]))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise DataError(f"expected a finding as audit.jsonl holds it, got one without or with a wrong {exc}") from exc
    with prepared(engine, protocol, text, inputs) as case:
        for _ in range(_REPLAYS):
            outcome = case.honest() if plan is None else case.play(party, plan)
            if outcome.verdict in FINDINGS:
                break
        return outcome
