"""The price of a verified or an actively trained model, from costs.json: tables and a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.costs import COSTS
from mpc_tamper.report.costs_figure import draw
from mpc_tamper.report.tables import environment_line

COSTS_JSON, COSTS_MARKDOWN, COSTS_PNG = "costs.json", "costs.md", "costs.png"
FILES = (COSTS_JSON, COSTS_MARKDOWN, COSTS_PNG)
Record = Mapping[str, Any]


def write_report(folder: Path) -> None:
    """Read costs.json of a folder; write costs.md and costs.png beside it."""
    path = folder / COSTS_JSON
    record = COSTS.read(path)
    with COSTS.fitting(path):
        text, picture = tables(record), draw(record)
    write_atomically(folder / COSTS_MARKDOWN, text, public=True)
    write_atomically(folder / COSTS_PNG, picture, public=True)


def tables(record: Record) -> str:
    networks = [network["name"] for network in record["networks"]]
    environment = record["environment"]
    parts = [
        f"Training on {record['dataset']}, {record['columns']} columns, and verification of the secret model: one bit, "
        "accuracy >= threshold. Per party; seconds on loopback, three parties on one machine. Passive protocols give "
        "no guarantee against a corrupt party.",
        *_table(
            [
                "engine",
                "protocol",
                "security",
                "what",
                "seconds",
                "MB",
                "rounds",
                *(f"{n}, predicted" for n in networks),
            ],
            (_run_cells(run, networks) for run in record["runs"]),
            text_columns=4,
        ),
        *_networks(record),
    ]
    if record["ratios"]:
        parts += [
            "Ratios. Active: active training / passive training. Verified: (passive training + active verification) / "
            "active training, with public examples.",
            *_table(
                ["engine", "active protocol", "rows", "T", "examples", *_ratio_heads(networks)],
                (_ratio_cells(ratio, networks) for ratio in record["ratios"]),
                text_columns=2,
            ),
        ]
    else:
        parts += [
            "No engine of this run has an active protocol, so there is nothing to compare passive training with.",
            "",
        ]
    if record["checks"]:
        parts += [
            "The model against runs through delaying relays, all on one machine.",
            *_table(
                ["engine", "protocol", "what", "network", "predicted, s", "measured, s", "measured / predicted"],
                (_check_cells(check) for check in record["checks"]),
                text_columns=4,
            ),
        ]
    parts.append(environment_line(environment))
    return "\n".join(_spaced(parts)) + "\n"


def what(run: Record) -> str:
    """Of a run or a check: 'training, 1,000 rows, T = 3' or 'verification, 200 public examples'."""
    if run["phase"] == "train":
        return f"training, {run['rows']:,} rows, T = {run['iterations']}"
    return f"verification, {run['rows']:,} {run['examples']} examples"


def _run_cells(run: Record, networks: Sequence[str]) -> list[str]:
    return [
        run["engine"],
        run["protocol"],
        "active" if run["active"] else "passive",
        what(run),
        seconds_text(run["seconds"]),
        f"{run['bytes_per_party'] / 1e6:,.2f}",
        f"{run['common_rounds']:,}",
        *(seconds_text(run["predicted_seconds"][name]) for name in networks),
    ]


def _ratio_heads(networks: Sequence[str]) -> list[str]:
    quantities = ["seconds", "bytes", *networks]
    return [f"active: {name}" for name in quantities] + [f"verified: {name}" for name in quantities]


def _ratio_cells(ratio: Record, networks: Sequence[str]) -> list[str]:
    quantities = ["seconds", "bytes", *networks]
    verified = ratio["verified_over_active"].get("public", {})
    return [
        ratio["engine"],
        ratio["protocol"],
        f"{ratio['rows']:,}",
        str(ratio["iterations"]),
        f"{ratio['examples'].get('public', 0):,}",
        *(f"{ratio['active_over_passive'][name]:.2f}" for name in quantities),
        *(f"{verified[name]:.2f}" if name in verified else "-" for name in quantities),
    ]


def _check_cells(check: Record) -> list[str]:
    return [
        check["engine"],
        check["protocol"],
        what(check),
        check["network"],
        seconds_text(check["predicted_seconds"]),
        seconds_text(check["measured_seconds"]),
        f"{check['measured_over_predicted']:.2f}",
    ]


def _networks(record: Record) -> list[str]:
    return [
        f"Predicted seconds are rounds x latency + bytes / bandwidth + seconds on loopback; rounds of the party that "
        f"counts fewest, as what others count beyond goes one way and does not wait. {described_networks(record)}.",
        "",
    ]


def described_networks(record: Record) -> str:
    """The latency and the bandwidth of each, without a full stop."""
    return "; ".join(
        f"{n['name']}: {n['latency_seconds'] * 1e3:g} ms one way, {n['bits_per_second'] / 1e6:,.0f} Mbit/s"
        for n in record["networks"]
    )


def _table(heads: list[str], rows: Iterable[list[str]], *, text_columns: int) -> list[str]:
    marks = ["---" if i < text_columns else "---:" for i in range(len(heads))]
    return ["", f"| {' | '.join(heads)} |", f"|{'|'.join(marks)}|", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _spaced(lines: Sequence[str]) -> list[str]:
    """Without two empty lines in a row."""
    return [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]


def seconds_text(value: float) -> str:
    """Three digits, or whole seconds from 100 on."""
    return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
