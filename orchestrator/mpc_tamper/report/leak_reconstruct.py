"""Rows that were read off one opened network: a table, and each row beside its reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.leaks import LEAK_RECONSTRUCT
from mpc_tamper.report.leak_row import draw, rows_read, unit_of
from mpc_tamper.report.names import DATASETS, DEFENCES

LEAK_RECONSTRUCT_JSON, LEAK_RECONSTRUCT_MARKDOWN = "leak-reconstruct.json", "leak-reconstruct.md"
LEAK_RECONSTRUCT_PICTURE = "leak-reconstruct.png"
ADVERSARIES = {
    "off": "plain: neurons that go off",
    "capped": "knows of pruning: neurons that are always on",
    "quiet_off": "knows of the certificate: small weights, alike for all classes",
    "quiet_capped": "knows of both: small weights, always on",
}


def write_leak_reconstruct(folder: Path) -> None:
    """Read leak-reconstruct.json of a folder; write the table and the picture beside it. Raises DataError."""
    path = folder / LEAK_RECONSTRUCT_JSON
    record = LEAK_RECONSTRUCT.read(path)
    with LEAK_RECONSTRUCT.fitting(path):
        table, png = leak_reconstruct_table(record), draw(record)
    write_atomically(folder / LEAK_RECONSTRUCT_MARKDOWN, table, public=True)
    write_atomically(folder / LEAK_RECONSTRUCT_PICTURE, png, public=True)


def leak_reconstruct_table(record: Mapping[str, Any]) -> str:
    parameters, found = record["parameters"], record["found"]
    whole = sum(row["exact"] == row["pixels"] for row in found)
    labelled = sum(row["label"] == row["true_label"] for row in found)
    lines = [
        "# Training rows, read off one opened network",
        "",
        f"{DATASETS.get(record['dataset'], record['dataset'])}, {record['rows']:,} rows, engine {record['engine']}, "
        f"protocol {record['protocol']}: party {record['corrupt_party']} adds {record['errors']} errors to a training "
        f"of {parameters['hidden']} neurons and {parameters['epochs']} epochs, and the network is opened. "
        f"{whole} of {len(found)} chosen rows are exact in every {unit_of(record)}, {labelled} labels are right. Test "
        f"accuracy {record['accuracy']:.2%}, honest {record['honest_accuracy']:.2%}.",
        "",
        *rows_read(found, unit_of(record)),
        "",
        "## Against defences",
        "",
        "| defence | attacker | errors | accuracy | the check | rows exact, if the model is opened |",
        "|---|---|---:|---:|---|---:|",
        *(_line(row) for row in record["defences"]),
        "",
        "A model that is never opened shows no weights, and a model that fails its check is not opened.",
        "",
    ]
    return "\n".join(lines)


def _line(row: Mapping[str, Any]) -> str:
    name, adversary = DEFENCES.get(row["defence"], row["defence"]), ADVERSARIES.get(row["adversary"], row["adversary"])
    if row["aborted"]:
        return f"| {name} | {adversary} | | | aborts | nothing to open |"
    return (
        f"| {name} | {adversary} | {row['errors']:,} | {row['accuracy']:.2%} | {said(row['passed'])} "
        f"| {row['exact']} of {row['rows']} |"
    )


def said(passed: bool | None) -> str:
    """A check's verdict in a table."""
    return "-" if passed is None else "passes" if passed else "fails"
