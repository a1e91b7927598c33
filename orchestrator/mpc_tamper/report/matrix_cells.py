"""The cells of the matrix, data set by data set, and what each came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mpc_tamper.report.matrix_record import NOT_APPLICABLE, Record
from mpc_tamper.report.names import DATASETS, HONEST


class Outcome(StrEnum):
    DELIVERED = "delivered"
    REJECTED = "rejected"
    ABORTED = "aborted"
    FALSE_ALARM = "false alarm"
    NOT_RUN = "not run"
    NOT_APPLICABLE = NOT_APPLICABLE  # there can be no such cell


def outcome(cell: Record | None) -> Outcome:
    """A false alarm is an honest run whose model was rejected, or that aborted."""
    if cell is None:
        return Outcome.NOT_RUN
    if cell["verdict"] == NOT_APPLICABLE:
        return Outcome.NOT_APPLICABLE
    stopped = Outcome.ABORTED if cell["aborted"] else Outcome.REJECTED if cell["verdict"] == "fail" else None
    if stopped is None:
        return Outcome.DELIVERED
    return Outcome.FALSE_ALARM if cell["attack"] == HONEST else stopped


def percent(share: float) -> str:
    """One decimal, and never 100% or 0% where it is not."""
    text = f"{share:.1%}"
    return "100%" if share == 1 else "0%" if share == 0 else {"100.0%": ">99.9%", "0.0%": "<0.1%"}.get(text, text)


def passes(dataset: Record, unit: str) -> str:
    """ ", 100 iterations" or ", 5 epochs" for a model that is trained in passes over its rows; nothing for another."""
    parameters = dataset["parameters"]
    if "epochs" in parameters:
        return f", {parameters['epochs']} epochs"
    count = parameters.get("iterations")
    return "" if count is None else f", {count} {unit}"


@dataclass(frozen=True)
class Grid:
    """The cells of one data set: rows are attacks, columns defences, both in the order of the record."""

    dataset: str
    attacks: tuple[str, ...]
    defences: tuple[str, ...]
    cells: Mapping[tuple[str, str], Record]

    @property
    def title(self) -> str:
        return DATASETS.get(self.dataset, self.dataset)

    def cell(self, attack: str, defence: str) -> Record | None:
        return self.cells.get((attack, defence))

    def measured(self, attack: str, defence: str) -> Record | None:
        """The cell, if it came to a model."""
        cell = self.cell(attack, defence)
        return None if cell is None or cell.get("clean_accuracy") is None else cell


def grids(record: Record) -> Iterator[Grid]:
    """A grid for each data set that the record describes, with what has been run of it, and what cannot be."""
    for name, dataset in record["datasets"].items():
        cells = [cell for cell in record["cells"] if cell["dataset"] == name]
        if cells:
            attacks = tuple(dict.fromkeys(cell["attack"] for cell in cells))
            yield Grid(
                name,
                attacks,
                tuple(dict.fromkeys(cell["defence"] for cell in cells)),
                {
                    **{
                        (attack, no["defence"]): no | {"attack": attack}
                        for no in _refused(cells, dataset)
                        for attack in attacks
                    },
                    **{(cell["attack"], cell["defence"]): cell for cell in cells},
                },
            )


def _refused(cells: Sequence[Record], dataset: Record) -> list[dict[str, Any]]:
    """A cell of each check that these data leave no threshold: whatever the attack, there can be none to be run."""
    without = dataset.get("calibration", {}).get("checks", {}).keys() - dataset.get("thresholds", {}).keys()
    no = [cell for cell in cells if cell["verdict"] == NOT_APPLICABLE and cell["defence"] in without]
    return [dict(cell) for cell in {cell["defence"]: cell for cell in no}.values()]
