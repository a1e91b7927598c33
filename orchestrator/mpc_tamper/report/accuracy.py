"""Test accuracy at default settings beside LinearSVC's, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mpc_tamper.report.tables import environment_line

ACCURACY_JSON, ACCURACY_CSV, ACCURACY_MARKDOWN = "accuracy.json", "accuracy.csv", "accuracy.md"


def csv_table(record: Mapping[str, Any]) -> str:
    """A line per data set; single values only."""
    lines = [{key: value for key, value in line.items() if not isinstance(value, dict)} for line in record["data_sets"]]
    return pd.DataFrame(lines, dtype=object).to_csv(index=False, lineterminator="\n")


def markdown_table(record: Mapping[str, Any]) -> str:
    parameters = record["parameters"]
    lines = [
        "Test accuracy in percent of the linear SVM at its default settings, and of scikit-learn's LinearSVC at the C "
        "of a grid that does best on the test rows themselves. Tables: means over random splits.",
        "",
        "| data set | classes | features | rows | splits | engine | here | LinearSVC | its C | difference |",
        "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
        *map(_line, record["data_sets"]),
        "",
        "The defaults were chosen with the data sets marked * in sight; the others were only measured.",
        "",
        f"{parameters['iterations']} passes, lambda {parameters['regularisation']:g}, step size from public bounds.",
        "",
        environment_line(record["environment"]),
    ]
    return "\n".join(lines) + "\n"


def _line(line: Mapping[str, Any]) -> str:
    here, theirs = 100 * line["test_accuracy"], 100 * line["linear_svc"]
    cells = [
        f"{line['data_set']}{' *' if line['chosen_on'] else ''}",
        str(line["classes"]),
        str(line["features"]),
        f"{line['rows']:,}",
        str(line["splits"]),
        line["engine"],
        f"{here:.2f}",
        f"{theirs:.2f}",
        f"{line['linear_svc_c']:g}",
        f"{here - theirs:+.2f}",
    ]
    return f"| {' | '.join(cells)} |"
