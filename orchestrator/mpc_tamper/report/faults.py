"""The record of a fault campaign as a table: what was tried, how it ended, how long that took, what was wrong."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mpc_tamper.report.tables import environment_line

FAULTS_LINES, FAULTS_MARKDOWN = "faults.jsonl", "faults.md"
Record = Mapping[str, Any]


def faults_tables(head: Record, records: Sequence[Record]) -> str:
    """head: the first line of faults.jsonl; records: the others."""
    kinds = list(dict.fromkeys(record["kind"] for record in records))
    wrong = [record for record in records if record["violations"]]
    slowest = max((record["limit_seconds"] for record in records), default=0.0)
    lines = [
        "# Faults",
        "",
        f"`mpc-tamper faults --minutes {head['minutes']:g} --seed {head['seed']}`: {len(records)} faults, "
        f"{len(wrong)} with violations. Each strikes a random program, a small training or a verification, "
        "under `ring` or `mal-rep-ring`, and is followed by an honest run.",
        "",
        "| fault | tried | too late | ended well | ended with an error | violations | median s to the end | largest |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(kind, [record for record in records if record["kind"] == kind]) for kind in kinds),
        _row("all", records),
        "",
        "Too late: the run was over before the fault struck; it counts as one that ended well. Seconds are of runs "
        "that a fault ended, from the fault to the end of the last process; in brackets, from the start of the command "
        "where nobody knows when the fault is felt. The limit is 5 s, with a time-out of 4 s on top where only a "
        "time-out can find the fault, and with the run where the moment is not known, times "
        f"how much slower than on an idle machine a run was at the time: {slowest:.0f} s at most.",
        "",
        *(f"Left out: {kind} ({why})." for kind, why in head["left_out"]),
        *_violations(head, wrong),
        environment_line(head["environment"]),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, records: Sequence[Record]) -> str:
    known = name == "all" or all(record["known_moment"] for record in records)
    counted = [r for r in records if r["exit_code"] != 0 and (r["known_moment"] or not known)]
    seconds = [r["seconds_to_end"] for r in counted if r["seconds_to_end"] is not None]
    median, largest = (f"{f(seconds):.1f}" if seconds else "-" for f in (statistics.median, max))
    cells = [
        name,
        len(records),
        sum(not record["struck"] for record in records),
        sum(record["exit_code"] == 0 for record in records),
        sum(record["exit_code"] != 0 for record in records),
        sum(bool(record["violations"]) for record in records),
        median if known else f"({median})",
        largest if known else f"({largest})",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _violations(head: Record, wrong: Sequence[Record]) -> list[str]:
    if not wrong:
        return []
    lines = ["## Violations", ""]
    for record in wrong:
        again = f"--seed {head['seed']} --only {record['number']}"
        seen = " ".join("; ".join(record["violations"]).split())
        lines.append(f"- `{again}`: {record['kind']} {record['fault']}, {record['work']} {record['protocol']}: {seen}")
    return [*lines, ""]
