"""Bytes and rounds of each way to a model, from costs-counts.json: a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.costs import COUNTS
from mpc_tamper.report.costs import described_networks, seconds_text, what
from mpc_tamper.report.tables import environment_line

COUNTS_JSON, COUNTS_MARKDOWN = "costs-counts.json", "costs-counts.md"
FILES = (COUNTS_JSON, COUNTS_MARKDOWN)
Record = Mapping[str, Any]


def write_counts(folder: Path) -> None:
    """Read costs-counts.json of a folder; write costs-counts.md beside it."""
    path = folder / COUNTS_JSON
    record = COUNTS.read(path)
    with COUNTS.fitting(path):
        text = table(record)
    write_atomically(folder / COUNTS_MARKDOWN, text, public=True)


def table(record: Record) -> str:
    networks = [network["name"] for network in record["networks"]]
    lines = [
        f"Training on {record['dataset']}, {record['columns']} columns, and verification of the secret model. Per "
        "party. These runs took place beside each other, so their seconds were not taken; a network takes rounds x "
        f"latency + bytes / bandwidth at the least. {described_networks(record)}.",
        "",
        f"| engine | protocol | what | MB | rounds | {' | '.join(f'{name}, at least, s' for name in networks)} |",
        f"|---|---|---|---:|---:|{'---:|' * len(networks)}",
    ]
    for run in record["runs"]:
        least = (seconds_text(run["least_seconds"][name]) for name in networks)
        lines.append(
            f"| {run['engine']} | {run['protocol']} | {what(run)} | {run['bytes_per_party'] / 1e6:,.2f} "
            f"| {run['common_rounds']:,} | {' | '.join(least)} |"
        )
    lines += ["", *(f"Left out: {reason}" for reason in record["left_out"]), environment_line(record["environment"])]
    return "\n".join(lines) + "\n"
