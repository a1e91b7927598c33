"""Table 1: our rows beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mpc_tamper.report.names import DATASETS

Record = Mapping[str, Any]


def csv_table(record: Record) -> str:
    """A line per row; single values only, so that a spreadsheet reads it. The paper's figures are shares, like ours."""
    rows = [
        {key: value for key, value in row.items() if not isinstance(value, (dict, list))}
        | {f"paper_{key}": round(value / 100, 4) for key, value in _paper(record, row).items()}
        for row in record["rows"]
    ]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def markdown_table(record: Record) -> str:
    """Every pair of rows, unpoisoned and poisoned, has a line below the table that says how it was made."""
    rows = record["rows"]
    lines = [
        "| data | model | test accuracy | paper | backdoor: ASR | clipped | paper | mean w.(x+δ) | largest weight |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(_line(record, row) for row in rows),
        "",
        *(_made(row) for row in rows if row["model"] == "poisoned"),
        "",
        "ASR, attack success rate: the share of test images of the other class that the model takes for the target "
        "once the trigger is added; clipped: with pixels kept within [0, 1].",
        "",
        *(
            f"- {_subject(row)}, {row['model']}: {row['seconds']:.1f} s, {row['bytes_per_party'] / 1e6:.1f} MB and "
            f"{row['rounds']:,} rounds per party, weights {row['weights_sha256'][:16]}."
            for row in rows
        ),
        "",
        environment_line(record["environment"]),
    ]
    return "\n".join(lines) + "\n"


def environment_line(environment: Record) -> str:
    return (
        f"{environment['cpu']}, {environment['cores']} cores, {environment['os']}, Python {environment['python']}, "
        f"NumPy {environment['numpy']}, commit {environment['commit'] or 'unknown'}."
    )


def _line(record: Record, row: Record) -> str:
    paper = _paper(record, row)
    cells = [
        _subject(row),
        row["model"],
        f"{row['test_accuracy']:.2%}",
        f"{paper['test_accuracy']:g}%" if paper else "-",
        f"{row['attack_success_rate']:.2%}",
        f"{row['attack_success_rate_clipped']:.2%}",
        f"{paper['backdoor']:g}%" if paper else "-",
        f"{row['smoothed_bkd']:.3f}",
        f"{row['max_abs_weight']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _paper(record: Record, row: Record) -> Mapping[str, float]:
    """The paper's figures, in percent, for the data set that a row's name begins with; empty where it has none."""
    found = [models for name, models in record["paper"].items() if row["dataset"].startswith(name)]
    figures: Mapping[str, float] = found[0][row["model"]] if found else {}
    return figures


def _subject(row: Record) -> str:
    name = DATASETS.get(row["dataset"], row["dataset"])
    return name if row["training"] == "full" else f"{name}, {row['training']}"


def _made(row: Record) -> str:
    parameters = row["parameters"]
    return (
        f"- {_subject(row)}: {sum(row['rows_of_owners']):,} rows, {row['data_copy']}, sha256 "
        f"{row['data_sha256'][:12]}; engine {row['engine']}, protocol {row['protocol']}, "
        f"{row['iterations']} iterations, alpha {parameters['learning_rate']:g}, lambda "
        f"{parameters['regularisation']:g}. Corrupt in the poisoned run: party {row['corrupt_party']}, trigger of "
        f"amplitude {row['amplitude']:g} on {_pixels(row)}, strength {row['strength']:g}."
    )


def _pixels(row: Record) -> str:
    """A pixel of a colour image is a position, however many channels change there."""
    height, width = row["image_shape"][-2:]
    positions = sorted({pixel % (height * width) for pixel in row["trigger_pixels"]})
    at = f"pixel {divmod(positions[0], width)}" if len(positions) == 1 else f"{len(positions)} pixels"
    return at if len(row["image_shape"]) == 2 else f"{at} in {len(row['trigger_pixels']) // len(positions)} channels"
