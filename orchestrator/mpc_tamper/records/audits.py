"""What audits of active protocols counted and found."""

from __future__ import annotations

from mpc_tamper.records.fields import Environment, Record, StudyRecord
from mpc_tamper.records.schema import Schema

Count = tuple[str, str, str, int]  # point and kind of the deviation, verdict, and how many runs


class Finding(Record, kw_only=True):
    """All that a finding is played again with, and what came of it. corrupt_party, point, kind, plan: null of an honest
    run that aborted.  expected: what the oracle prints.  opened: what honest parties printed instead.  said: by the
    first of them that gave up."""

    id: str
    engine: str
    protocol: str
    verdict: str
    program: list[str]
    inputs: dict[str, str]
    expected: list[str]
    opened: list[str]
    said: str
    corrupt_party: int | None
    point: str | None
    kind: str | None
    plan: list[str] | None


class Audit(StudyRecord, kw_only=True):
    """A line of audit.jsonl: one protocol of one call. lacking: points that could not be tampered with.  honest: honest
    runs.  in_processes: of the tampered runs, how many were made by processes too."""

    engine: str
    protocol: str
    implementation: str
    lacking: list[str]
    seed: int
    tampered: int
    honest: int
    programs: int
    refused_programs: int
    in_processes: int
    seconds: float
    counts: list[Count]
    findings: list[Finding]
    environment: Environment


AUDIT = Schema("audit", "mpc-tamper audit", ("audit.jsonl",), (Audit,), advice="restore or remove this line")
FINDING = Schema(
    "audit-finding",
    "mpc-tamper audit",
    (),
    (Finding,),
    what="a finding as audit.jsonl holds it",
    advice="copy it again, or give its id",
)
