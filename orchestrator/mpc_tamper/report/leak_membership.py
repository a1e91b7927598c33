"""What one label each told of the members of a training and of others: a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.leaks import LEAK_MEMBERSHIP
from mpc_tamper.report.leak_reconstruct import said
from mpc_tamper.report.names import DATASETS, DEFENCES

LEAK_MEMBERSHIP_JSON, LEAK_MEMBERSHIP_MARKDOWN = "leak-membership.json", "leak-membership.md"


def write_leak_membership(folder: Path) -> None:
    """Read leak-membership.json of a folder; write the table beside it. Raises DataError."""
    path = folder / LEAK_MEMBERSHIP_JSON
    record = LEAK_MEMBERSHIP.read(path)
    with LEAK_MEMBERSHIP.fitting(path):
        table = leak_membership_table(record)
    write_atomically(folder / LEAK_MEMBERSHIP_MARKDOWN, table, public=True)


def leak_membership_table(record: Mapping[str, Any]) -> str:
    parameters, count = record["parameters"], record["count"]
    plain = record["defences"][0]
    lines = [
        "# Members of a training, by one label each of a network that stays secret",
        "",
        f"{DATASETS.get(record['dataset'], record['dataset'])}, {record['rows']:,} rows, engine {record['engine']}, "
        f"protocol {record['protocol']}: party {record['corrupt_party']} adds {record['errors']:,} errors to a "
        f"training of {parameters['hidden']} neurons and {parameters['epochs']} epochs, with "
        f"{record['own_rows']:,} images of its own, and asks for the class of {2 * count} images. "
        f"{plain['members_right']} of {count} members and {plain['others_right']} of {count} others are told rightly. "
        f"Test accuracy {record['accuracy']:.2%}, honest {record['honest_accuracy']:.2%}.",
        "",
        "| defence | accuracy | the check | members right | others right |",
        "|---|---:|---|---:|---:|",
        *(_line(row, count) for row in record["defences"]),
        "",
        "Nothing is opened: the label of an image is what a client of the served network is told.",
        "",
    ]
    return "\n".join(lines)


def _line(row: Mapping[str, Any], count: int) -> str:
    name = DEFENCES.get(row["defence"], row["defence"])
    if row["aborted"]:
        return f"| {name} | | aborts | nothing to ask | |"
    right = " | ".join(f"{row[key]} of {count}" for key in ("members_right", "others_right"))
    return f"| {name} | {row['accuracy']:.2%} | {said(row['passed'])} | {right} |"
