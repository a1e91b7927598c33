"""What a cell of the matrix came to, and what data sets, attacks and defences are called in text.

The names are for readers: one that is not listed is shown as it is in the record, so a new attack needs no line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Record = Mapping[str, Any]

HONEST = NO_DEFENCE = "none"
DATASETS = MappingProxyType(
    {"mnist_0_1": "MNIST, 0 or 1", "cifar10_airplane_automobile": "CIFAR-10, airplane or automobile"}
)
ATTACKS = MappingProxyType(
    {
        HONEST: "No attack",
        "backdoor_1": "Backdoor, 1 pixel",
        "backdoor_4": "Backdoor, 4 pixels",
        "backdoor_16": "Backdoor, 16 pixels",
        "backdoor_64": "Backdoor, 64 pixels",
        "backdoor_stealthy": "Backdoor of inconspicuous weights",
        "gradient_zeroing": "Gradient zeroing: rows left out",
        "gradient_zeroing_gate": "Gradient zeroing inside the comparison",
        "gradient_scaling": "Gradient scaling: rows counted often",
        "sabotage": "Sabotage: random errors",
        "overflow": "Overflow: one huge error",
        "comparison_probing": "Comparison probing",
        "poisoning_1": "Data poisoning, 1% of rows",
        "poisoning_5": "Data poisoning, 5% of rows",
    }
)
DEFENCES = MappingProxyType(
    {
        "none": "No defence",
        "accuracy": "Accuracy threshold",
        "certificate_1": "1-pixel certificate",
        "certificate_4": "4-pixel certificate",
        "certificate_16": "16-pixel certificate",
        "certificate_64": "64-pixel certificate",
        "low_variance": "Low-variance pixels removed",
        "pca": "PCA by the servers in MPC",
        "pca_by_owner": "PCA by the data owner",
        "clipping": "Updates clipped",
        "active": "Active training",
    }
)


class Outcome(StrEnum):
    DELIVERED = "delivered"
    REJECTED = "rejected"
    ABORTED = "aborted"
    FALSE_ALARM = "false alarm"
    NOT_RUN = "not run"


def outcome(cell: Record | None) -> Outcome:
    """A false alarm is an honest run whose model was rejected, or that aborted."""
    if cell is None:
        return Outcome.NOT_RUN
    stopped = Outcome.ABORTED if cell["aborted"] else Outcome.REJECTED if cell["verdict"] == "fail" else None
    if stopped is None:
        return Outcome.DELIVERED
    return Outcome.FALSE_ALARM if cell["attack"] == HONEST else stopped


def percent(share: float) -> str:
    """One decimal, and never 100% or 0% where it is not."""
    text = f"{share:.1%}"
    return "100%" if share == 1 else "0%" if share == 0 else {"100.0%": ">99.9%", "0.0%": "<0.1%"}.get(text, text)


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


def grids(record: Record) -> Iterator[Grid]:
    """A grid for each data set that the record describes, with what has been run of it."""
    for name in record["datasets"]:
        cells = [cell for cell in record["cells"] if cell["dataset"] == name]
        if cells:
            yield Grid(
                name,
                tuple(dict.fromkeys(cell["attack"] for cell in cells)),
                tuple(dict.fromkeys(cell["defence"] for cell in cells)),
                {(cell["attack"], cell["defence"]): cell for cell in cells},
            )
