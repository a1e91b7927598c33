"""matrix.json and matrix-weights.json: what was run, a record per cell, each file written whole."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.report.matrix import MATRIX_JSON, WEIGHTS_JSON, write_matrix_report
from mpc_tamper.studies.environment import environment


class MatrixRecord:
    """The files of a matrix in one folder."""

    def __init__(
        self,
        folder: Path,
        matrix: dict[str, Any],
        weights: dict[str, Any],
        attacks: Sequence[str],
        defences: Sequence[str],
    ) -> None:
        self._folder = folder
        self._matrix = matrix
        self._weights = weights
        self._attacks, self._defences = list(attacks), list(defences)

    @classmethod
    def open(
        cls, folder: Path, datasets: Mapping[str, Any], attacks: Sequence[str], defences: Sequence[str]
    ) -> MatrixRecord:
        """What the folder holds, and room for these data sets. attacks, defences: the order of the cells.

        Raises ParameterError where the folder's cells are of the same data set, trained or checked otherwise.
        """
        check_folder(folder)
        matrix = _read(folder / MATRIX_JSON) or {"environment": environment(), "datasets": {}, "cells": []}
        for name, record in datasets.items():
            known = matrix["datasets"].setdefault(name, record)
            differing = [key for key in record if known.get(key) != record[key]]
            if differing:
                raise ParameterError(
                    f"{folder / MATRIX_JSON}: expected cells of {name} with the same {', '.join(differing)}, got "
                    f"{known.get(differing[0])} there, {record[differing[0]]} here; choose another --out, or remove it"
                )
        return cls(folder, matrix, _read(folder / WEIGHTS_JSON) or {}, attacks, defences)

    def has(self, dataset: str, attack: str, defence: str) -> bool:
        key = (dataset, attack, defence)
        return any((cell["dataset"], cell["attack"], cell["defence"]) == key for cell in self._matrix["cells"])

    def add(self, cell: dict[str, Any], picture: dict[str, Any] | None = None) -> None:
        """picture: {"image_shape", "test_image", "weights"} of a model without a defence, to be drawn; or None."""
        datasets = list(self._matrix["datasets"])
        self._matrix["cells"].append(cell)
        self._matrix["cells"].sort(
            key=lambda c: (
                datasets.index(c["dataset"]),
                _place(c["attack"], self._attacks),
                _place(c["defence"], self._defences),
            )
        )
        if picture is not None:
            images = {key: picture[key] for key in ("image_shape", "test_image")}
            drawn = self._weights.setdefault(cell["dataset"], images | {"attacks": {}})["attacks"]
            drawn[cell["attack"]] = {key: cell[key] for key in ("trigger_pixels", "trigger_level")} | {
                "weights": picture["weights"]
            }
            write_atomically(self._folder / WEIGHTS_JSON, json.dumps(self._weights) + "\n")
        write_atomically(self._folder / MATRIX_JSON, json.dumps(self._matrix, indent=1) + "\n")

    def report(self) -> None:
        """Tables and pictures of what is there."""
        if self._matrix["cells"]:
            write_matrix_report(self._folder)


def read_cells(path: Path) -> dict[str, Any]:
    """matrix.json. Raises DataError where it is none."""
    matrix = _read(path)
    if matrix is None:
        raise DataError(f"{path}: expected a record of mpc-tamper matrix, got no such file; run it first")
    return matrix


def _place(name: str, order: Sequence[str]) -> int:
    """Of a name that is no longer registered: the last."""
    return order.index(name) if name in order else len(order)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a record of mpc-tamper matrix: {exc}. Move it away to start anew") from exc
    if not isinstance(record, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(record).__name__}. Move it away to start anew")
    return record
