"""Table 1 as text and Figures 1 and 2 as pictures, from the records of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.report.figure1 import draw
from mpc_tamper.report.tables import csv_table, markdown_table

TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN = "table1.json", "table1.csv", "table1.md"
FIGURE_JSON, FIGURE_PNG = "figure1.json", "figure1.png"
FIGURE_2_JSON, FIGURE_2_PNG = "figure2.json", "figure2.png"
FILES = (TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN, FIGURE_JSON, FIGURE_PNG)
CIFAR10_FILES = (FIGURE_2_JSON, FIGURE_2_PNG)


def write_report(folder: Path) -> tuple[str, ...]:
    """Read table1.json, figure1.json and, where there is one, figure2.json of a folder; write table1.csv, table1.md and
    a .png of each figure beside them. Returns the names of what was written."""
    table = read_record(folder / TABLE_JSON)
    figures = {FIGURE_PNG: read_record(folder / FIGURE_JSON)}
    if (folder / FIGURE_2_JSON).exists():
        figures[FIGURE_2_PNG] = read_record(folder / FIGURE_2_JSON)
    files: dict[str, str | bytes] = {}
    try:
        files[TABLE_CSV], files[TABLE_MARKDOWN] = csv_table(table), markdown_table(table)
        files |= {name: draw(figure) for name, figure in figures.items()}
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(
            f"{folder}: expected the records of a run of reproduce, got some without {exc}. Run it again"
        ) from exc
    for name, content in files.items():
        write_atomically(folder / name, content, public=True)
    return tuple(files)


def read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a JSON record of a run: {exc}. Run reproduce first") from exc
    if not isinstance(record, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(record).__name__}. Run reproduce again")
    return record
