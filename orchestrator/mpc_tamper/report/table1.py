"""Table 1 as text and Figures 1 and 2 as pictures, from the records of a run."""

from __future__ import annotations

from pathlib import Path

from mpc_tamper.core.files import write_atomically
from mpc_tamper.records.tables import FIGURE, TABLE_1
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
    table = TABLE_1.read(folder / TABLE_JSON)
    figures = {FIGURE_JSON: FIGURE_PNG} | ({FIGURE_2_JSON: FIGURE_2_PNG} if (folder / FIGURE_2_JSON).exists() else {})
    with TABLE_1.fitting(folder / TABLE_JSON):
        files: dict[str, str | bytes] = {TABLE_CSV: csv_table(table), TABLE_MARKDOWN: markdown_table(table)}
    for name, picture in figures.items():
        figure = FIGURE.read(folder / name)
        with FIGURE.fitting(folder / name):
            files[picture] = draw(figure)
    for name, content in files.items():
        write_atomically(folder / name, content, public=True)
    return tuple(files)
