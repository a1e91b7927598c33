"""Which step a program is in: the sites of additive errors, and what each step costs.

A site is a timer. Its occurrence counts how often the timer was started before; a multiplication's outputs are
numbered from the start of the timer on. The current site is the timer started last that still runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mpc_tamper.core.errors import CompileTimeState
from mpc_tamper.runs.result import Cost, StepRecord

MAX_APART = 1 << 17


@dataclass
class _Running:
    number: int
    occurrence: int
    began: Cost
    outputs: int = 0


def wall_clock() -> Cost:
    return Cost(seconds=time.perf_counter())


class StepClock:
    """sites: the names of timers.  measure: the cost so far; seconds from any origin.

    records: of the occurrences that ended, in the order in which they ended. From MAX_APART on, those of a site are
    one record: a run may take hours.
    """

    def __init__(self, sites: Mapping[int, str], measure: Callable[[], Cost] = wall_clock) -> None:
        self._sites = sites
        self._measure = measure
        self._origin = measure()
        self._running: list[_Running] = []
        self._started: dict[int, int] = {}
        self.records: list[StepRecord] = []
        self._together: dict[str, int] = {}  # where in records the occurrences of a site are counted together

    def start(self, number: int) -> None:
        if number == 0 or any(step.number == number for step in self._running):
            raise CompileTimeState(
                f"expected timer {self.name(number)} to be stopped, got start_timer while it runs"
                + ("; timer 0 runs from the start of the program: use another number" if number == 0 else "")
            )
        occurrence = self._started.get(number, 0)
        self._started[number] = occurrence + 1
        self._running.append(_Running(number, occurrence, self._measure()))

    def stop(self, number: int) -> None:
        step = next((step for step in self._running if step.number == number), None)
        if step is None:
            raise CompileTimeState(f"expected timer {self.name(number)} to run, got stop_timer before start_timer")
        self._running.remove(step)
        now, began = self._measure(), step.began
        cost = Cost(now.seconds - began.seconds, now.bytes_sent - began.bytes_sent, now.rounds - began.rounds)
        start = began.seconds - self._origin.seconds
        self._keep(StepRecord(self.name(number), step.occurrence, start, cost))

    def _keep(self, record: StepRecord) -> None:
        """Apart, or in a long run with the later ones of its site."""
        if len(self.records) < MAX_APART:
            self.records.append(record)
            return
        at = self._together.setdefault(record.site, len(self.records))
        if at == len(self.records):
            self.records.append(record)
        else:
            first = self.records[at]
            self.records[at] = replace(first, times=first.times + 1, cost=first.cost + record.cost)

    def name(self, number: int) -> str:
        return self._sites.get(number, str(number))

    @property
    def current(self) -> str | None:
        """The site's name, or its number as text where the program gives no name."""
        return self.name(self._running[-1].number) if self._running else None

    @property
    def number(self) -> int | None:
        return self._running[-1].number if self._running else None

    @property
    def occurrence(self) -> int:
        return self._running[-1].occurrence if self._running else 0

    def take(self, count: int) -> int:
        """The index of the first of the next `count` outputs; 0 outside every step."""
        if not self._running:
            return 0
        step = self._running[-1]
        start, step.outputs = step.outputs, step.outputs + count
        return start
