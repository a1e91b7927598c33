"""Which defence stops which backdoor, in words, from the cells of one data set.

A backdoor is an attack that, without a defence, turns at least 90% of the test rows of other classes with its trigger,
and leaves the model at least half of what an honest one has above guessing. A defence stops it if no model is
delivered, or one that is wrong at most ten points more often than the honest model, trigger or not. What is neither
stopped nor a backdoor any more is weakened: a model is delivered, and it is a bad one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc_tamper.core.counted import counted
from mpc_tamper.report.heat_map import harm
from mpc_tamper.report.matrix_cells import Grid, Outcome, outcome
from mpc_tamper.report.matrix_record import Record
from mpc_tamper.report.names import ATTACKS, DEFENCES, HONEST, NO_DEFENCE, title

SUCCESS = 0.9
ABOVE_GUESSING = 0.5  # of what the honest model has
AS_GOOD = 0.1
_DELIVERED_NONE = (Outcome.REJECTED, Outcome.ABORTED, Outcome.FALSE_ALARM)


@dataclass(frozen=True)
class Verdict:
    """What a defence did to the backdoors that it was tried with, by the attacks' titles."""

    name: str
    defence: str
    stopped: tuple[str, ...]
    weakened: tuple[str, ...]
    through: tuple[str, ...]
    false_alarm: bool

    @property
    def tried(self) -> int:
        return len(self.stopped) + len(self.weakened) + len(self.through)

    @property
    def said(self) -> str:
        """'stops all 9', 'stops none of 9' or 'stops 4 of 9'."""
        if len(self.stopped) == self.tried:
            return f"stops all {self.tried}" if self.tried > 1 else "stops the one that was tried"
        return f"stops {len(self.stopped) or 'none'} of {self.tried}"

    @property
    def detail(self) -> str:
        """Which, where that is not all or none of them; and what else the defence did."""
        parts = []
        if self.stopped and len(self.stopped) < len(self.through):
            parts.append(f"Stopped: {_listed(self.stopped)}.")
        elif self.through and (self.stopped or self.weakened):
            parts.append(f"{counted(len(self.through), 'gets', 'get')} through: {_listed(self.through)}.")
        if self.weakened:
            parts.append(f"{counted(len(self.weakened), 'leaves', 'leave')} a bad model that nobody rejects.")
        if self.false_alarm:
            parts.append("It rejects the honest model as well.")
        return " ".join(parts)


def backdoors(grid: Grid, dataset: Record) -> tuple[str, ...]:
    """The names of the attacks that are backdoors; none where nothing was run without a defence."""
    honest = grid.measured(HONEST, NO_DEFENCE)
    if honest is None:
        return ()
    found = ((attack, grid.measured(attack, NO_DEFENCE)) for attack in grid.attacks if attack != HONEST)
    return tuple(attack for attack, cell in found if cell is not None and _is_backdoor(cell, honest, dataset))


def verdicts(grid: Grid, dataset: Record) -> Sequence[Verdict]:
    """In the order of the columns, without "no defence"."""
    planted, honest = backdoors(grid, dataset), grid.measured(HONEST, NO_DEFENCE)
    of_table = bool(dataset.get("feature_names"))
    found = []
    for defence in grid.defences:
        fates: dict[str, list[str]] = {"stopped": [], "weakened": [], "through": []}
        for attack in planted if defence != NO_DEFENCE and honest is not None else ():
            fate = _fate(grid.cell(attack, defence), honest, dataset)
            if fate is not None:
                fates[fate].append(title(attack, ATTACKS, of_table=of_table))
        if any(fates.values()):
            called = title(defence, DEFENCES, of_table=of_table)
            alarm = outcome(grid.cell(HONEST, defence)) is Outcome.FALSE_ALARM
            stopped, weakened, through = (tuple(names) for names in fates.values())
            found.append(Verdict(defence, called, stopped, weakened, through, alarm))
    return found


def _is_backdoor(cell: Record, honest: Record, dataset: Record) -> bool:
    guessing = 1 / len(dataset["classes"])
    left, had = cell["clean_accuracy"] - guessing, honest["clean_accuracy"] - guessing
    return bool(cell["attack_success_rate"] >= SUCCESS and left >= ABOVE_GUESSING * had)


def _fate(cell: Record | None, honest: Record | None, dataset: Record) -> str | None:
    kind = outcome(cell)
    if kind in _DELIVERED_NONE:
        return "stopped"
    if cell is None or honest is None or kind is not Outcome.DELIVERED or cell.get("clean_accuracy") is None:
        return None
    if harm(cell) <= harm(honest) + AS_GOOD:
        return "stopped"
    return "through" if _is_backdoor(cell, honest, dataset) else "weakened"


def _listed(names: Sequence[str]) -> str:
    """Titles have commas of their own."""
    return "; ".join(names)
