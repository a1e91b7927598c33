"""Table 1 as text and Figure 1 as a picture, from the records of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError
from orchestrator.files import write_atomically
from orchestrator.report.figure1 import draw
from orchestrator.report.tables import csv_table, markdown_table

TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN = "table1.json", "table1.csv", "table1.md"
FIGURE_JSON, FIGURE_PNG = "figure1.json", "figure1.png"
FILES = (TABLE_JSON, TABLE_CSV, TABLE_MARKDOWN, FIGURE_JSON, FIGURE_PNG)


def write_report(folder: Path) -> None:
    """Read table1.json and figure1.json of a folder; write table1.csv, table1.md and figure1.png beside them."""
    table = read_record(folder / TABLE_JSON)
    figure = read_record(folder / FIGURE_JSON)
    try:
        csv, markdown, picture = csv_table(table), markdown_table(table), draw(figure)
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(
            f"{folder}: expected the records of a run of reproduce, got some without {exc}. Run it again"
        ) from exc
    write_atomically(folder / TABLE_CSV, csv)
    write_atomically(folder / TABLE_MARKDOWN, markdown)
    write_atomically(folder / FIGURE_PNG, picture)


def read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a JSON record of a run: {exc}. Run reproduce first") from exc
    if not isinstance(record, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(record).__name__}. Run reproduce again")
    return record
