"""Rows that were read off opened models: a table, and each row beside its reconstruction."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.leaks import LEAK_ROW
from mpc_tamper.report.images import picture
from mpc_tamper.report.names import DATASETS

LEAK_ROW_JSON, LEAK_ROW_MARKDOWN, LEAK_ROW_PICTURE = "leak-row.json", "leak-row.md", "leak-row.png"
_DRAWN = 8  # rows at most


def write_leak_row(folder: Path) -> None:
    """Read leak-row.json of a folder; write the table and the picture beside it. Raises DataError."""
    path = folder / LEAK_ROW_JSON
    record = LEAK_ROW.read(path)
    with LEAK_ROW.fitting(path):
        table, png = leak_row_table(record), draw(record)
    write_atomically(folder / LEAK_ROW_MARKDOWN, table, public=True)
    write_atomically(folder / LEAK_ROW_PICTURE, png, public=True)


def leak_row_table(record: Mapping[str, Any]) -> str:
    parameters, found = record["parameters"], record["found"]
    within = sum(row["largest_difference"] <= 1 for row in found)
    active = record["active"]
    lines = [
        "# A training row, read off an opened model",
        "",
        f"{DATASETS.get(record['dataset'], record['dataset'])}, {record['rows']:,} rows, engine {record['engine']}, "
        f"protocol {record['protocol']}: party {record['corrupt_party']} adds errors at `MARGIN` alone, and the model "
        f"is opened. Batches of {parameters['batch_size']}, learning rate {parameters['learning_rate']:g}, "
        f"{parameters['iterations']} passes; honest test accuracy {record['honest_accuracy']:.2%}. "
        f"In {within} of {len(found)} trainings every {unit_of(record)} of the chosen row was read to within one "
        "level of 255.",
        "",
        *rows_read(found, unit_of(record)),
        "",
    ]
    if active is not None:
        ended = "aborts, and nothing is left to open" if active["aborted"] else "did not abort"
        lines += [f"The first of these attacks under `{active['protocol']}`: the training {ended}.", ""]
    return "\n".join(lines)


def unit_of(record: Mapping[str, Any]) -> str:
    """What a row consists of: pixels of an image, or features of a table."""
    return "pixel" if record["image_shape"] else "feature"


def rows_read(found: Sequence[Mapping[str, Any]], unit: str = "pixel") -> list[str]:
    """A table with a line for each row that was read."""
    return [
        f"| row | label | read as | {unit}s exact | largest difference, levels |",
        "|---:|---:|---:|---:|---:|",
        *(
            f"| {row['row']} | {row['true_label']} | {row['label']} | {row['exact']} of {row['pixels']} "
            f"| {row['largest_difference']} |"
            for row in found
        ),
    ]


def draw(record: Mapping[str, Any]) -> bytes:
    """A PNG: above the rows, below what was read; images, or a bar for each feature of a table."""
    shape, found = record["image_shape"], record["found"][:_DRAWN]
    figure = Figure(figsize=(1.45 * len(found) + 1.2, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(found), squeeze=False)
    for column, row in enumerate(found):
        for axis, key in zip(axes[:, column], ("image", "reconstruction"), strict=True):
            if shape:
                axis.imshow(picture(np.array(row[key]), shape), cmap="gray", vmin=0, vmax=255)
            else:
                axis.bar(np.arange(len(row[key])), row[key], width=1.0, color="black")
                axis.set_ylim(0, 255)
            axis.set_xticks([])
            axis.set_yticks([])
        axes[0, column].set_title(f"row {row['row']}", fontsize=9)
    axes[0, 0].set_ylabel("the owner's row")
    axes[1, 0].set_ylabel("read off the model")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return png.getvalue()
