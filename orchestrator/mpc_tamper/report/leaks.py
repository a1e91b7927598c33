"""All leaks against all defences that they were tried with: one table, from the records that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.leaks import LEAK_MEMBERSHIP, LEAK_RECONSTRUCT, LEAK_ROW
from mpc_tamper.report.leak_membership import LEAK_MEMBERSHIP_JSON
from mpc_tamper.report.leak_reconstruct import LEAK_RECONSTRUCT_JSON
from mpc_tamper.report.leak_row import LEAK_ROW_JSON
from mpc_tamper.report.names import DEFENCES

LEAKS_MARKDOWN = "leaks.md"
_NONE, _ACTIVE = "none", "active"
_SCHEMAS = {
    LEAK_ROW_JSON: LEAK_ROW,
    LEAK_RECONSTRUCT_JSON: LEAK_RECONSTRUCT,
    LEAK_MEMBERSHIP_JSON: LEAK_MEMBERSHIP,
}
_UNTRIED = ""

Record = Mapping[str, Any]


def write_leaks(folder: Path) -> None:
    """Read the records of leaks in a folder, those that are there; write the table beside them. Raises DataError."""
    records = [schema.read(folder / name) if (folder / name).exists() else None for name, schema in _SCHEMAS.items()]
    try:
        table = leaks_table(*records)
    except (KeyError, TypeError, IndexError) as exc:
        raise DataError(f"{folder}: expected records of mpc-tamper leak, got others: {exc!r}; run it again") from exc
    write_atomically(folder / LEAKS_MARKDOWN, table, public=True)


def leaks_table(row: Record | None, reconstruct: Record | None, membership: Record | None) -> str:
    """A line for each defence, a column for each leak."""
    tables = [record["defences"] for record in (reconstruct, membership) if record is not None]
    names = list(dict.fromkeys([_NONE, *(line["defence"] for table in tables for line in table)]))
    lines = [
        "# What a cheating server learns of training rows, and what stops it",
        "",
        "| defence | a row off a linear model | rows off a network | members, by one label each |",
        "|---|---|---|---|",
    ]
    for name in names:
        cells = (_row(row, name), _reconstructed(reconstruct, name), _members(membership, name))
        lines.append(f"| {DEFENCES.get(name, name)} | {' | '.join(cells)} |")
        if name == _NONE:
            lines.append(f"| The model is never opened | no weights | no weights | {_members(membership, name)} |")
    lines += [
        "",
        "Rows: exact in every pixel, of those that were chosen, if a model that passes is opened. "
        "Members: those told rightly, and others told rightly. A model that is never opened shows no weights; what its "
        "labels could tell of pixels was not tried.",
        "",
    ]
    return "\n".join(lines)


def _row(record: Record | None, defence: str) -> str:
    if record is None:
        return _UNTRIED
    if defence == _NONE:
        found = record["found"]
        return f"{sum(row['exact'] == row['pixels'] for row in found)} of {len(found)}"
    if defence == _ACTIVE and record["active"] is not None:
        return "aborts" if record["active"]["aborted"] else "does not abort"
    return _UNTRIED


def _reconstructed(record: Record | None, defence: str) -> str:
    """The plain attack, and the best of those by an attacker who knows the defence."""
    tried = _lines(record, defence)
    if not tried:
        return _UNTRIED
    plain, *knowing = tried
    text = _exact(plain)
    if knowing:
        best = max(knowing, key=lambda line: (line["passed"] is not False, line["exact"], line["accuracy"]))
        text += f"; {_exact(best)} by one who knows of it, at {best['accuracy']:.1%} accuracy"
    return text


def _exact(line: Record) -> str:
    if line["aborted"]:
        return "aborts"
    found = f"{line['exact']} of {line['rows']}"
    return "does not pass" if line["passed"] is False else found


def _members(record: Record | None, defence: str) -> str:
    tried = _lines(record, defence)
    if record is None or not tried:
        return _UNTRIED
    line = tried[0]
    if line["aborted"]:
        return "aborts"
    count = record["count"]
    told = f"{line['members_right']} and {line['others_right']} of {count} each"
    return "does not pass" if line["passed"] is False else told


def _lines(record: Record | None, defence: str) -> Sequence[Record]:
    return [] if record is None else [line for line in record["defences"] if line["defence"] == defence]
