"""The attack x defence matrix from matrix.jsonl: tables, and a heat map and a gallery for each data set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.report import gallery, heat_map
from mpc_tamper.report.matrix_cells import Grid, Outcome, grids, outcome, passes
from mpc_tamper.report.matrix_record import LINES, MATRIX, NOT_APPLICABLE, Record, read_matrix
from mpc_tamper.report.matrix_weights import WEIGHTS, read_weights
from mpc_tamper.report.names import ATTACKS, DEFENCES, HONEST, NO_DEFENCE, title
from mpc_tamper.report.seeds import explanation, interval_table, threshold_table, with_intervals
from mpc_tamper.report.tables import environment_line

CSV, MARKDOWN = ".csv", ".md"  # after the matrix's name
EXPLANATION = (
    "The attacker knows the defence, has data like the owners', and chooses strengths on the test images that success "
    "is measured on, the worst case; it does not adapt to checks. "
    "Each cell: accuracy on test images / attack success rate (ASR: the share of test images of the other class that "
    "the model takes for the target once the trigger is added), and what became of the model. Rejected: a check of the "
    "secret model said no; its numbers are the experimenter's, who opens it all the same. Aborted: there is no model. "
    "False alarm: nobody cheated, and the model was rejected or the run aborted."
)
OF_SEEDS = (
    "The attacker knows the defence and has data like the owners'; those that adapt know the check and its threshold "
    "as well. Each cell: mean accuracy on test rows / mean attack success rate (ASR: the share of test rows of the "
    "other class that the model takes for the target once the trigger is added, unclipped), and how many of the seeds' "
    "models the check rejects. Robust accuracy (BackdoorBench): the share of those rows that keep their right class. "
    "False alarm: nobody cheated, and most models were rejected. n/a: see the reasons below the table."
)


def write_matrix_report(folder: Path, name: str = MATRIX, record: Record | None = None) -> tuple[str, ...]:
    """Read <name>.jsonl of a folder, and <name>-weights.npz where there is one; write the tables and pictures beside.

    record: what the former holds, of a caller who keeps others from writing meanwhile; it is read where None.
    Returns the names of the files written: <name>.csv, <name>.md, matrix-<dataset>.png and, with weights,
    gallery-<dataset>.png; of a calibrated study matrix-own-<dataset>.png and gallery-own-<dataset>.png. Raises
    DataError for records that are missing or not those of a matrix; then none is written.
    """
    record = record or read_matrix(folder / f"{name}{LINES}")
    weights = read_weights(folder / f"{name}{WEIGHTS}")
    files: dict[str, str | bytes] = {}
    try:
        files[name + CSV], files[name + MARKDOWN] = csv_table(record), markdown(record)
        by_dataset = {grid.dataset: grid for grid in grids(record)}
        for dataset, grid in by_dataset.items():
            files[f"matrix-{_own(record, dataset)}{dataset}.png"] = heat_map.draw(grid, record["datasets"][dataset])
        for dataset, opened in weights.items():
            if opened.models:
                files[f"gallery-{_own(record, dataset)}{dataset}.png"] = gallery.draw(
                    dataset, opened, by_dataset.get(dataset)
                )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
        raise DataError(
            f"{folder}: expected the records of a run of matrix, got some without {exc}. Run it again"
        ) from exc
    for file, content in files.items():
        write_atomically(folder / file, content, public=True)
    return tuple(files)


def _own(record: Record, dataset: str) -> str:
    """What keeps the pictures of a calibrated study apart from those of the same data with fixed thresholds."""
    return "own-" if "calibration" in record["datasets"].get(dataset, {}) else ""


def csv_table(record: Record) -> str:
    """A line per cell; lists and nested records as JSON text. Columns are in the order of the cells that were run."""
    cells = [with_intervals(cell, record["datasets"].get(cell["dataset"], {})) for cell in record["cells"]]
    ran_first = sorted(cells, key=lambda cell: outcome(cell) is Outcome.NOT_APPLICABLE)
    columns = dict.fromkeys([*(key for cell in ran_first for key in cell), "outcome"])
    rows = [
        {key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in cell.items()}
        | {"outcome": str(outcome(cell))}
        for cell in cells
    ]
    return pd.DataFrame(rows, columns=list(columns), dtype=object).to_csv(index=False, lineterminator="\n")


def markdown(record: Record) -> str:
    calibrated = any("calibration" in dataset for dataset in record["datasets"].values())
    parts = ["# Attacks and defences", "", OF_SEEDS if calibrated else EXPLANATION, ""]
    for grid in grids(record):
        dataset = record["datasets"][grid.dataset]
        of_table = bool(dataset.get("feature_names"))
        parts += [f"## {grid.title}", "", *_outcomes(grid, of_table), "", *_reasons(grid)]
        if "calibration" in dataset:
            parts += [explanation(dataset), "", *threshold_table(dataset)]
            parts += interval_table(list(grid.cells.values()), dataset)
        parts += [_origin(grid, dataset), "", *_costs(grid)]
    return "\n".join([*parts, *map(environment_line, record["environments"])]) + "\n"


def _outcomes(grid: Grid, of_table: bool) -> Iterator[str]:
    yield f"| attack | {' | '.join(title(d, DEFENCES, of_table=of_table) for d in grid.defences)} |"
    yield "|---" * (1 + len(grid.defences)) + "|"
    for attack in grid.attacks:
        cells = (_text(grid.cell(attack, defence)) for defence in grid.defences)
        yield f"| {title(attack, ATTACKS, of_table=of_table)} | {' | '.join(cells)} |"


def _reasons(grid: Grid) -> Iterator[str]:
    """Why cells were not run, each reason once."""
    reasons = dict.fromkeys(cell["reason"] for cell in grid.cells.values() if cell["verdict"] == NOT_APPLICABLE)
    if reasons:
        yield from (f"- {NOT_APPLICABLE}: {reason}." for reason in reasons)
        yield ""


def _origin(grid: Grid, dataset: Record) -> str:
    engines = dict.fromkeys(cell["engine"] for cell in grid.cells.values() if cell["verdict"] != NOT_APPLICABLE)
    said = (
        f"{dataset['rows']:,} training rows{passes(dataset, 'iterations')}, engine "
        f"{', '.join(engines) or 'none'}. Data: {dataset['source']}, sha256 {dataset['data_sha256'][:12]}."
    )
    if names := dataset.get("feature_names"):
        said += f" A table of {len(names)} features."
    return said


def _costs(grid: Grid) -> Iterator[str]:
    """Of the honest runs that came to a model, beside the one without a defence."""
    bare = grid.measured(HONEST, NO_DEFENCE)
    if bare is None or not bare["bytes_per_party"]:  # the clear engine's, which say nothing of three parties
        return
    said = "What a defence costs when nobody cheats, per party; in brackets, times the run without a defence"
    shared = any((grid.measured(HONEST, defence) or {}).get("beside_others") for defence in grid.defences)
    yield said + (". Cells that ran beside others have no seconds:" if shared else ":")
    yield ""
    yield "| defence | protocol | seconds | MB | rounds |"
    yield "|---|---|---:|---:|---:|"
    for defence in grid.defences:
        cell = grid.measured(HONEST, defence)
        if cell is not None:
            protocols = (
                f"{cell['protocol']}, checked in {check}" if (check := cell.get("check_protocol")) else cell["protocol"]
            )
            yield (
                f"| {DEFENCES.get(defence, defence)} | {protocols} | {_beside(cell, bare, 'seconds', 1, '.1f')} "
                f"| {_beside(cell, bare, 'bytes_per_party', 1e6, '.1f')} | {_beside(cell, bare, 'rounds', 1, ',')} |"
            )
    yield ""


def _beside(cell: Record, bare: Record, key: str, unit: float, form: str) -> str:
    if cell[key] is None:
        return "-"
    value = format(cell[key] if unit == 1 else cell[key] / unit, form)
    return f"{value} ({cell[key] / bare[key]:.2f})" if bare[key] else value


def _text(cell: Record | None) -> str:
    kind = outcome(cell)
    if cell is None or cell.get("clean_accuracy") is None:
        return str(kind)
    numbers = f"{cell['clean_accuracy']:.2%} / {cell['attack_success_rate']:.2%}"
    if cell.get("passed") is not None:
        counted = f"rejected {cell['seeds'] - cell['passed']} of {cell['seeds']}"
        return f"{numbers}, **{counted}**" if kind is not Outcome.DELIVERED else f"{numbers}, {counted}"
    if kind is Outcome.DELIVERED:
        return f"{numbers}, passed" if cell["verdict"] == "pass" else numbers
    return f"{numbers}, **{kind}**"
