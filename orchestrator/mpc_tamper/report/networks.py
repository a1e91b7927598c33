"""The Table 1 of networks as text, and a picture of what the planted neuron sees, from the records of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.tables import NETWORK_FIGURE, NETWORK_TABLE_1
from mpc_tamper.report.images import weights_and_images
from mpc_tamper.report.names import DATASETS
from mpc_tamper.report.tables import environment_line

TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN = "table1-mlp.json", "table1-mlp.csv", "table1-mlp.md"
FIGURE_JSON, FIGURE_PNG = "figure1-mlp.json", "figure1-mlp.png"
FILES = (TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN, FIGURE_JSON, FIGURE_PNG)

_NEURONS = {"A neuron of the training": "honest", "The planted neuron": "planted"}
_IMAGES = {"Poisoned network on a test image": "without_trigger", "The same image with the trigger": "with_trigger"}

Record = Mapping[str, Any]


def write_networks(folder: Path) -> tuple[str, ...]:
    """Read table1-mlp.json and figure1-mlp.json of a folder; write table1-mlp.csv, .md and figure1-mlp.png beside them.

    Returns the names of what was written.
    """
    table, figure = NETWORK_TABLE_1.read(folder / TABLE_JSON), NETWORK_FIGURE.read(folder / FIGURE_JSON)
    files: dict[str, str | bytes] = {TABLE_CSV: csv_table(table), TABLE_MARKDOWN: markdown_table(table)}
    with NETWORK_FIGURE.fitting(folder / FIGURE_JSON):
        files[FIGURE_PNG] = draw(figure)
    for name, content in files.items():
        write_atomically(folder / name, content, public=True)
    return tuple(files)


def csv_table(record: Record) -> str:
    """A line per row; single values only, so that a spreadsheet reads it."""
    rows = [{key: value for key, value in row.items() if not isinstance(value, (dict, list))} for row in record["rows"]]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def markdown_table(record: Record) -> str:
    rows = record["rows"]
    lines = [
        "| data | neurons | epochs | network | test accuracy | backdoor: ASR | clipped | errors | largest weight |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|",
        *(_line(row) for row in rows),
        "",
        "ASR, attack success rate: the share of test images of other classes that the network takes for the target "
        "once the trigger, a white patch of 2 x 2 pixels, is added; clipped: with pixels kept within [0, 1]. Errors: "
        "how many one server added to outputs of multiplications in the first step, to plant a dormant neuron.",
        "",
        *(
            f"- {_subject(row)}, {row['hidden']} neurons, {row['model']}: {sum(row['rows_of_owners']):,} rows, engine "
            f"{row['engine']}, protocol {row['protocol']}, {row['seconds']:.0f} s, {row['bytes_per_party'] / 1e6:,.0f} "
            f"MB and {row['rounds']:,} rounds per party, weights {row['weights_sha256'][:16]}."
            for row in rows
        ),
        "",
        environment_line(record["environment"]),
    ]
    return "\n".join(lines) + "\n"


def draw(record: Record) -> bytes:
    """A PNG of figure1-mlp.json."""
    weights = {title: np.array(record["neurons"][name]) for title, name in _NEURONS.items()}
    images = {
        f"{title}\nclass {record['classes'][record['found'][key]]}": record["images"][key]
        for title, key in _IMAGES.items()
    }
    return weights_and_images(weights, images, record["trigger_pixels"], tuple(record["image_shape"]))


def _line(row: Record) -> str:
    cells = [
        _subject(row),
        str(row["hidden"]),
        str(row["epochs"]),
        row["model"],
        f"{row['test_accuracy']:.2%}",
        f"{row['attack_success_rate']:.2%}",
        f"{row['attack_success_rate_clipped']:.2%}",
        str(row["errors"]),
        f"{row['max_abs_weight']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _subject(row: Record) -> str:
    return DATASETS.get(row["dataset"], row["dataset"])
