"""matrix.jsonl: a line for each study, each environment and each cell of the attack x defence matrix.

{"kind": "study", "study": id, "dataset": name, ...}: data, parameters and thresholds that cells have in common.
{"kind": "environment", "environment": id, ...}: what cells were run on.
{"kind": "configuration", "configuration": id, "options": {...}}: the options of the command that ran cells.
{"kind": "cell", "study": id, "environment": id, "configuration": id, "dataset", "attack", "defence", ...}: after the
lines that it names. One that no command ran names no configuration.

A cell of a study with several seeds has a line for each, with "seed"; together they are one cell (seeds.py).

An id is a digest of the facts that its line states. Lines are in the order of writing; of two cells of the same attack
and defence the later one counts. A cell whose verdict is "n/a" was not run, and says the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.json_lines import read_lines
from mpc_tamper.records.matrix import MATRIX as SCHEMA_OF_LINES
from mpc_tamper.records.schema import SCHEMA
from mpc_tamper.report.names import ATTACKS, DEFENCES
from mpc_tamper.report.seeds import SEED, over_seeds

Record = Mapping[str, Any]

MATRIX = "matrix"  # what the files of a matrix are called, where there is no other name
LINES = ".jsonl"  # after the name
MATRIX_LINES = MATRIX + LINES
STUDY, ENVIRONMENT, CONFIGURATION, CELL = "study", "environment", "configuration", "cell"
NOT_APPLICABLE = "n/a"
SECONDS = ("seconds", "seconds_to_abort")  # None in a cell that ran "beside_others", of which they would say nothing
_DIGITS = 16  # of an id
_NOT_OF_A_CELL = (SCHEMA, "kind", STUDY, ENVIRONMENT, CONFIGURATION)


def fact_line(kind: str, facts: Record) -> dict[str, Any]:
    """kind: STUDY, ENVIRONMENT or CONFIGURATION."""
    return {"kind": kind, kind: _identity(facts), **facts}


def cell_line(study: Record, environment: Record, cell: Record, configuration: Record | None = None) -> dict[str, Any]:
    """study, environment, configuration: their lines; no configuration where no command ran the cell."""
    named = {} if configuration is None else {CONFIGURATION: configuration[CONFIGURATION]}
    return {"kind": CELL, STUDY: study[STUDY], ENVIRONMENT: environment[ENVIRONMENT], **named, **cell}


def read_matrix(path: Path) -> dict[str, Any]:
    """What assemble makes of a file, and "torn": what to say of a line that was cut short, or None.

    Raises DataError where there is no such file, or it is not of a matrix.
    """
    if not path.exists():
        raise DataError(f"{path}: expected a record of mpc-tamper matrix, got no such file; run it first")
    lines = read_lines(path)
    return assemble(lines.records, path) | {"torn": lines.torn}


def assemble(lines: Iterable[Record], path: Path) -> dict[str, Any]:
    """{"datasets": {name: facts}, "cells": [...], "environments": [...], "configurations": {id: options}}.

    Cells are without their ids.

    Data sets are in the order of their lines, cells in that of the tables, with unlisted names in the order of their
    lines at the end. environments: what cells were run on, each with the commit that ran them.
    """
    studies: dict[str, dict[str, Any]] = {}
    environments: dict[str, dict[str, Any]] = {}
    configurations: dict[str, dict[str, Any]] = {}
    runs: dict[tuple[str, str, str], dict[int | None, dict[str, Any]]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            if line["kind"] == CELL:
                named = studies[line[STUDY]], environments[line[ENVIRONMENT]]
                if line.get(CONFIGURATION) not in (None, *configurations):
                    raise KeyError(line[CONFIGURATION])
                cell = {key: value for key, value in line.items() if key not in _NOT_OF_A_CELL}
                if cell["dataset"] != named[0]["dataset"]:
                    raise ValueError(f"a cell of {cell['dataset']} that names a study of {named[0]['dataset']}")
                key = cell["dataset"], cell["attack"], cell["defence"]
                runs.setdefault(key, {})[cell.get(SEED)] = cell | {ENVIRONMENT: named[1]}
            else:
                known = {STUDY: studies, ENVIRONMENT: environments, CONFIGURATION: configurations}[line["kind"]]
                facts = {key: value for key, value in line.items() if key not in (SCHEMA, "kind", line["kind"])}
                known[_checked(line[line["kind"]], facts)] = facts
            SCHEMA_OF_LINES.check(line, f"{path}: line {number}")
        except (KeyError, TypeError, ValueError) as exc:
            said = f"one in which {exc} is missing or unknown" if isinstance(exc, KeyError) else str(exc)
            raise DataError(
                f"{path}: line {number}: expected a study, an environment, or a cell after the lines it names, got "
                f"{said}. Restore this line, or move the file away to start anew"
            ) from exc
    options = {identity: facts["options"] for identity, facts in configurations.items()}
    return {"datasets": _by_dataset(studies.values(), path), "configurations": options} | _in_order(runs)


def _in_order(runs: Mapping[tuple[str, str, str], Mapping[int | None, dict[str, Any]]]) -> dict[str, Any]:
    datasets, attacks, defences = (
        {name: place for place, name in enumerate(dict.fromkeys([*listed, *(key[part] for key in runs)]))}
        for part, listed in enumerate(((), ATTACKS, DEFENCES))
    )
    keys = sorted(runs, key=lambda key: (datasets[key[0]], attacks[key[1]], defences[key[2]]))
    environments: list[dict[str, Any]] = []
    chosen = []
    for key in keys:
        of_cell = runs[key]
        for run in of_cell.values():
            environment = run.pop(ENVIRONMENT) | {"commit": run.get("commit")}
            if run.get("verdict") != NOT_APPLICABLE and environment not in environments:
                environments.append(environment)
        alone = None in of_cell
        chosen.append(
            of_cell[None] if alone else over_seeds([run for seed, run in of_cell.items() if seed is not None])
        )
    return {"cells": chosen, "environments": environments}


def _by_dataset(studies: Iterable[dict[str, Any]], path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for study in studies:
        name = study["dataset"]
        if name in found:
            raise DataError(f"{path}: expected one study of {name}, got two; move the cells of one to another file")
        found[name] = {key: value for key, value in study.items() if key != "dataset"}
    return found


def _checked(identity: str, facts: Record) -> str:
    if identity != _identity(facts):
        raise ValueError(f"one whose id {identity} is not that of its facts, {_identity(facts)}: it was edited")
    return identity


def _identity(facts: Record) -> str:
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
