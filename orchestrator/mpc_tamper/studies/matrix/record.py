"""The files of a matrix: a line of matrix.jsonl for each cell as soon as it is there, and the opened models' weights.

Several processes may work at one matrix, each at other attacks or data sets: writers take turns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.files import check_folder
from mpc_tamper.core.json_lines import appending
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.records.matrix import MATRIX as SCHEMA
from mpc_tamper.report.matrix import write_matrix_report
from mpc_tamper.report.matrix_record import (
    CELL,
    CONFIGURATION,
    ENVIRONMENT,
    LINES,
    MATRIX,
    NOT_APPLICABLE,
    STUDY,
    assemble,
    cell_line,
    fact_line,
    read_matrix,
)
from mpc_tamper.report.matrix_weights import WEIGHTS, OpenedModel, OpenedModels, read_weights, write_weights
from mpc_tamper.report.seeds import PER_SEED, SEED
from mpc_tamper.studies.environment import environment


class MatrixRecord:
    """The files of a matrix in one folder: <name>.jsonl and what is made of it."""

    def __init__(
        self,
        folder: Path,
        studies: Mapping[str, Any],
        cells: Sequence[Mapping[str, Any]],
        name: str = MATRIX,
    ) -> None:
        self._folder, self._name = folder, name
        self._studies = studies
        self._cells = {_key(run): run["verdict"] for cell in cells for run in cell.get(PER_SEED, (cell,))}
        self._facts = {key: value for key, value in environment().items() if key != "commit"}  # a cell's own

    @classmethod
    def open(
        cls, folder: Path, studies: Mapping[str, Any], progress: Progress = silent, name: str = MATRIX
    ) -> MatrixRecord:
        """What the folder holds, and room for cells of these studies, {data set: facts}. Writes nothing yet.

        Raises ParameterError where the folder's cells are of the same data set, trained or checked otherwise.
        """
        check_folder(folder)
        path = folder / f"{name}{LINES}"
        matrix = read_matrix(path) if path.exists() else assemble((), path) | {"torn": None}
        if matrix["torn"]:
            progress(f"{matrix['torn']}; its cell is run again")
        _check_studies(path, matrix["datasets"], studies)
        return cls(folder, studies, matrix["cells"], name)

    def has(self, dataset: str, attack: str, defence: str, seed: int | None = None) -> bool:
        """Whether the cell was run. One that could not be is looked at again: another engine may be able to.

        seed: of a study that has several.
        """
        return self._cells.get((dataset, attack, defence, seed), NOT_APPLICABLE) != NOT_APPLICABLE

    def takes(self, dataset: str, study: Mapping[str, Any]) -> bool:
        """Whether a cell of such a study belongs here.  study: the facts of it."""
        return dataset in self._studies and json.loads(json.dumps(self._studies[dataset])) == study

    def add(
        self,
        cell: dict[str, Any],
        picture: dict[str, Any] | None = None,
        facts: Mapping[str, Any] | None = None,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        """picture: {"image_shape", "test_image", "weights"} of a model without a defence, to be drawn; or None.

        facts: of the environment that the cell was run in; this one where None.  configuration: the options of the
        command that ran it; None where no command did.
        """
        if cell["verdict"] == NOT_APPLICABLE and _key(cell) in self._cells:
            return
        name, path = cell["dataset"], self._folder / f"{self._name}{LINES}"
        study = fact_line(STUDY, {"dataset": name, **self._studies[name]})
        ran_on = fact_line(ENVIRONMENT, facts or self._facts)
        asked = None if configuration is None else fact_line(CONFIGURATION, {"options": configuration})
        named = [line for line in (study, ran_on, asked) if line is not None]
        new = [SCHEMA.stamped(line, path) for line in (*named, cell_line(study, ran_on, cell, asked))]
        with appending(path) as lines:
            _check_studies(path, assemble(lines.records, path)["datasets"], {name: self._studies[name]})
            if picture is not None:  # first: a cell that is there is not run again to be drawn
                _add_weights(self._folder / f"{self._name}{WEIGHTS}", cell, picture)
            known = {(line["kind"], line.get(line["kind"])) for line in lines.records}
            for line in new:
                if line["kind"] == CELL or (line["kind"], line[line["kind"]]) not in known:
                    lines.append(line)
        self._cells[_key(cell)] = cell["verdict"]

    def report(self) -> None:
        """Tables and pictures of what is there, by this process and by others, none of whom adds anything meanwhile."""
        if not self._cells:
            return
        path = self._folder / f"{self._name}{LINES}"
        with appending(path) as lines:
            write_matrix_report(self._folder, self._name, assemble(lines.records, path))


def not_applicable(dataset: str, attack: str, defence: str, reason: str) -> dict[str, Any]:
    """The record of a cell that cannot be: the model lacks what the attack or the check needs.

    reason: a clause without a full stop, such as "the attack needs gates at a hinge, which this model has not".
    """
    names = {"dataset": dataset, "attack": attack, "defence": defence}
    return names | {"verdict": NOT_APPLICABLE, "reason": reason}


def _key(cell: Mapping[str, Any]) -> tuple[str, str, str, int | None]:
    return cell["dataset"], cell["attack"], cell["defence"], cell.get(SEED)


def _check_studies(path: Path, known: Mapping[str, Any], studies: Mapping[str, Any]) -> None:
    for name, record in studies.items():
        there = known.get(name, record)
        differing = [key for key in dict.fromkeys([*record, *there]) if there.get(key) != record.get(key)]
        if differing:
            raise ParameterError(
                f"{path}: expected cells of {name} with the same {', '.join(differing)}, got "
                f"{there.get(differing[0])} there, {record.get(differing[0])} here; choose another --out, or remove it"
            )


def _add_weights(path: Path, cell: Mapping[str, Any], picture: Mapping[str, Any]) -> None:
    """Nobody else does so meanwhile: the caller has locked the matrix."""
    datasets = read_weights(path)
    name = cell["dataset"]
    image = np.array(picture["test_image"], dtype=np.uint8).reshape(picture["image_shape"])
    model = OpenedModel(
        np.array(picture["weights"], dtype=np.float64),
        np.array(cell["trigger_pixels"], dtype=np.int64),
        cell["trigger_level"],
    )
    models = dict(datasets[name].models) if name in datasets else {}
    write_weights(path, datasets | {name: OpenedModels(image, models | {cell["attack"]: model})})
