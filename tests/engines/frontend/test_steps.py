"""Steps: the current site, its occurrence, the numbers of its outputs, and its cost."""

from __future__ import annotations

import pytest

from mpc_tamper.core.errors import CompileTimeState
from mpc_tamper.engines.frontend.steps import StepClock
from mpc_tamper.runs.result import Cost, StepRecord


def test_outputs_are_numbered_from_each_start() -> None:
    clock = StepClock({1: "MARGINS"})
    assert (clock.current, clock.number, clock.take(5)) == (None, None, 0)
    clock.start(1)
    assert (clock.current, clock.number, clock.occurrence) == ("MARGINS", 1, 0)
    assert [clock.take(5), clock.take(2), clock.take(1)] == [0, 5, 7]
    clock.stop(1)
    clock.start(1)
    assert (clock.occurrence, clock.take(3)) == (1, 0)


def test_the_current_site_was_started_last() -> None:
    clock = StepClock({1: "OUTER", 2: "INNER"})
    clock.start(1)
    assert clock.take(4) == 0
    clock.start(2)
    assert (clock.current, clock.take(1)) == ("INNER", 0)
    clock.stop(1)
    assert (clock.current, clock.take(1)) == ("INNER", 1)
    clock.start(1)
    assert (clock.current, clock.occurrence) == ("OUTER", 1)
    clock.stop(1)
    clock.stop(2)
    assert clock.current is None


def test_an_outer_step_goes_on_counting() -> None:
    clock = StepClock({})
    clock.start(1)
    clock.take(4)
    clock.start(2)
    clock.take(9)
    clock.stop(2)
    assert (clock.current, clock.take(1)) == ("1", 4)


def test_records_hold_differences_of_cost() -> None:
    costs = iter([Cost(10.0, 5, 1), Cost(11.0, 100, 2), Cost(13.5, 350, 7)])
    clock = StepClock({3: "GRADIENT"}, lambda: next(costs))
    clock.start(3)
    clock.stop(3)
    assert clock.records == [StepRecord("GRADIENT", 0, 1.0, Cost(2.5, 250, 5))]


def test_timers_start_once_and_stop_once() -> None:
    clock = StepClock({3: "GRADIENT"})
    with pytest.raises(CompileTimeState, match="GRADIENT"):
        clock.stop(3)
    clock.start(3)
    with pytest.raises(CompileTimeState, match="GRADIENT"):
        clock.start(3)
    with pytest.raises(CompileTimeState, match="timer 0"):
        clock.start(0)
