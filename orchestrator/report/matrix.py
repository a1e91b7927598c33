"""The attack x defence matrix from matrix.json: tables, and a heat map and a gallery for each data set.

{"environment": {...}, "datasets": {name: {...}}, "cells": [{"dataset", "attack", "defence", ...}]}
matrix-weights.json, for the gallery: {dataset: {"image_shape", "test_image", "attacks": {attack: {...}}}}
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from orchestrator.errors import DataError
from orchestrator.files import write_atomically
from orchestrator.report import gallery, heat_map
from orchestrator.report.matrix_cells import ATTACKS, DEFENCES, Grid, Outcome, Record, grids, outcome
from orchestrator.report.table1 import read_record
from orchestrator.report.tables import environment_line

MATRIX_JSON, WEIGHTS_JSON = "matrix.json", "matrix-weights.json"
MATRIX_CSV, MATRIX_MARKDOWN = "matrix.csv", "matrix.md"
EXPLANATION = (
    "Each cell: accuracy on test images / attack success rate (ASR: the share of test images of the other class that the "
    "model takes for the target once the trigger is added), and what became of the model. Rejected: a check of the "
    "secret model said no; its numbers are the experimenter's, who opens it all the same. Aborted: there is no model. "
    "False alarm: nobody cheated, and the model was rejected or the run aborted."
)


def write_matrix_report(folder: Path) -> tuple[str, ...]:
    """Read matrix.json of a folder, and matrix-weights.json where there is one; write the tables and pictures beside.

    Returns the names of the files written: matrix.csv, matrix.md, matrix-<dataset>.png and, with weights,
    gallery-<dataset>.png. Raises DataError for records that are missing or not those of a matrix; then none is written.
    """
    record = read_record(folder / MATRIX_JSON)
    weights = read_record(folder / WEIGHTS_JSON) if (folder / WEIGHTS_JSON).exists() else {}
    files: dict[str, str | bytes] = {}
    try:
        files[MATRIX_CSV], files[MATRIX_MARKDOWN] = csv_table(record), markdown(record)
        by_dataset = {grid.dataset: grid for grid in grids(record)}
        for name, grid in by_dataset.items():
            files[f"matrix-{name}.png"] = heat_map.draw(grid, record["datasets"][name])
        for name, shown in weights.items():
            files[f"gallery-{name}.png"] = gallery.draw(name, shown, by_dataset.get(name))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
        raise DataError(
            f"{folder}: expected the records of a run of matrix, got some without {exc}. Run it again"
        ) from exc
    for name, content in files.items():
        write_atomically(folder / name, content)
    return tuple(files)


def csv_table(record: Record) -> str:
    """A line per cell; lists and nested records as JSON text."""
    rows = [
        {key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in cell.items()}
        | {"outcome": str(outcome(cell))}
        for cell in record["cells"]
    ]
    return pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")


def markdown(record: Record) -> str:
    parts = ["# Attacks and defences", "", EXPLANATION, ""]
    for grid in grids(record):
        parts += [*_table(grid, record["datasets"][grid.dataset]), ""]
    return "\n".join([*parts, environment_line(record["environment"])]) + "\n"


def _table(grid: Grid, dataset: Record) -> Iterator[str]:
    yield f"## {grid.title}"
    yield ""
    yield f"| attack | {' | '.join(DEFENCES.get(d, d) for d in grid.defences)} |"
    yield "|---" * (1 + len(grid.defences)) + "|"
    for attack in grid.attacks:
        cells = (_text(grid.cell(attack, defence)) for defence in grid.defences)
        yield f"| {ATTACKS.get(attack, attack)} | {' | '.join(cells)} |"
    yield ""
    runs = sorted({(cell["engine"], cell["protocol"]) for cell in grid.cells.values()})
    yield (
        f"{dataset['rows']:,} training rows, {dataset['parameters']['iterations']} iterations, engine and protocol "
        f"{', '.join(f'{engine} {protocol}' for engine, protocol in runs)}. Data: {dataset['source']}, sha256 "
        f"{dataset['data_sha256'][:12]}."
    )


def _text(cell: Record | None) -> str:
    kind = outcome(cell)
    if cell is None or cell["clean_accuracy"] is None:
        return str(kind)
    numbers = f"{cell['clean_accuracy']:.2%} / {cell['attack_success_rate']:.2%}"
    if kind is Outcome.DELIVERED:
        return f"{numbers}, passed" if cell["verdict"] == "pass" else numbers
    return f"{numbers}, **{kind}**"
