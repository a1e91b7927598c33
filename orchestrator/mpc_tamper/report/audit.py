"""What audits found: audit.jsonl as tables, protocols by points and kinds of deviations, and as a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.core.json_lines import read_lines
from mpc_tamper.records.audits import AUDIT
from mpc_tamper.report.audit_figure import draw
from mpc_tamper.report.tables import environment_line

AUDIT_LINES, AUDIT_MARKDOWN, AUDIT_PNG = "audit.jsonl", "audit.md", "audit.png"
NOTICED, LATE, OWN_INPUT, STALLED, RIGHT, WRONG, UNREACHED = (
    "noticed",
    "noticed late",
    "another own input",
    "no end",
    "right output",
    "WRONG OUTPUT ACCEPTED",
    "not reached",
)
POINTS = ("operation", "gate", "background", "message")
FALSE_ABORT = "false abort"
Record = Mapping[str, Any]


class Protocol:
    """All audits of one protocol of one implementation. counts: by point, kind and verdict."""

    def __init__(self, records: Sequence[Record]) -> None:
        first = records[0]
        self.name, self.implementation = first["protocol"], first["implementation"]
        self.lacking = tuple(first["lacking"])
        self.counts: Counter[tuple[str, str, str]] = Counter()
        for record in records:
            for point, kind, verdict, n in record["counts"]:
                self.counts[point, kind, verdict] += n
        self.honest = sum(record["honest"] for record in records)
        self.programs = sum(record["programs"] for record in records)
        self.in_processes = sum(record["in_processes"] for record in records)
        self.findings = [finding for record in records for finding in record["findings"]]

    @property
    def title(self) -> str:
        return f"{self.name} ({self.implementation})"

    def of(self, verdict: str, point: str | None = None) -> int:
        return sum(n for (where, _, each), n in self.counts.items() if each == verdict and point in (None, where))

    @property
    def tampered(self) -> int:
        return sum(n for (_, _, verdict), n in self.counts.items() if verdict != UNREACHED)

    @property
    def false_aborts(self) -> int:
        return sum(finding["verdict"] == FALSE_ABORT for finding in self.findings)


def protocols(records: Sequence[Record]) -> list[Protocol]:
    """Of the last audit of each seed: one that is run again takes the place of the earlier one."""
    latest = {(r["engine"], r["implementation"], r["protocol"], r["seed"]): r for r in records}
    groups: dict[tuple[str, str], list[Record]] = {}
    for (_, implementation, name, _), record in latest.items():
        groups.setdefault((implementation, name), []).append(record)
    ordered = sorted(groups, key=lambda each: (each[0] != "rep3", each))
    return [Protocol(groups[key]) for key in ordered]


def read_audits(path: Path) -> list[dict[str, Any]]:
    """The records of audit.jsonl, but for a last line that was cut short. Raises DataError for a damaged one."""
    lines = enumerate(read_lines(path).records, start=1)
    return [AUDIT.check(record, f"{path}: line {number}") for number, record in lines]


def write_report(folder: Path) -> None:
    """Read audit.jsonl of a folder; write audit.md and audit.png beside it."""
    path = folder / AUDIT_LINES
    records = read_audits(path)
    with AUDIT.fitting(path):
        found = protocols(records)
        text, picture = tables(found, records), draw(found)
    write_atomically(folder / AUDIT_MARKDOWN, text, public=True)
    write_atomically(folder / AUDIT_PNG, picture, public=True)


def tables(found: Sequence[Protocol], records: Sequence[Record]) -> str:
    lines = [
        "# Audit",
        "",
        "`mpc-tamper audit`: random small programs; in each tampered run one corrupt party deviates at random places "
        "of its own state or messages, and the oracle `clear` says what the output has to be. "
        "[docs/audit.md](../docs/audit.md) says what the words mean.",
        "",
        "| protocol | tampered runs | noticed | noticed late | another own input | no end | right output | "
        "wrong output accepted | not reached | honest runs | false aborts |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(each) for each in found),
        "",
        "## Where the deviation was",
        "",
        "Tampered runs, and in brackets those of which the output was right although nobody noticed. A dash: the "
        "point cannot be addressed there, or no program of the audit had it; nothing is known of it.",
        "",
        f"| protocol | {' | '.join(POINTS)} |",
        "|---|" + "---:|" * len(POINTS),
        *(f"| {each.title} | {' | '.join(_point(each, point) for point in POINTS)} |" for each in found),
        "",
        *_kinds(found),
        *_findings(found),
        environment_line(records[-1]["environment"]),
    ]
    return "\n".join(lines) + "\n"


def _row(each: Protocol) -> str:
    counts = [each.of(verdict) for verdict in (NOTICED, LATE, OWN_INPUT, STALLED, RIGHT, WRONG, UNREACHED)]
    cells = [each.title, each.tampered, *counts, each.honest, each.false_aborts]
    return f"| {' | '.join(f'{c:,}' if isinstance(c, int) else c for c in cells)} |"


def _point(each: Protocol, point: str) -> str:
    here = sum(n for (where, _, verdict), n in each.counts.items() if where == point and verdict != UNREACHED)
    return f"{here:,} ({each.of(RIGHT, point):,})" if here else "-"


def _kinds(found: Sequence[Protocol]) -> list[str]:
    kinds = sorted({kind for each in found for _, kind, _ in each.counts})
    rows = []
    for each in found:
        cells = []
        for kind in kinds:
            here = {
                v: sum(n for (_, k, w), n in each.counts.items() if k == kind and w == v) for v in (WRONG, UNREACHED)
            }
            total = sum(n for (_, k, _), n in each.counts.items() if k == kind) - here[UNREACHED]
            cells.append(f"{total:,}" + (f" (**{here[WRONG]} accepted**)" if here[WRONG] else "") if total else "-")
        rows.append(f"| {each.title} | {' | '.join(cells)} |")
    head = [f"| protocol | {' | '.join(kinds)} |", "|---|" + "---:|" * len(kinds)]
    return ["## What was added", "", *head, *rows, ""]


def _findings(found: Sequence[Protocol]) -> list[str]:
    findings = [(each, finding) for each in found for finding in each.findings]
    if not findings:
        return []
    lines = ["## Findings", ""]
    for each, finding in findings:
        plan = "" if finding["plan"] is None else f" by party {finding['corrupt_party']} with the plan"
        lines += [
            f"`{finding['id']}`, {each.title}: {finding['verdict']}{plan}",
            "",
            *(f"    {line}" for line in (finding["plan"] or [])[1:]),
            "",
            *(f"    {line}" for line in finding["program"]),
            "",
            f"The oracle prints {' '.join(finding['expected'])}, the parties printed {' '.join(finding['opened'])}.",
            "",
        ]
    return lines
