"""A process that owes an answer is given up for its own silence, not for that of a busy machine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mpc_tamper.engines.rep3.silence import TICK_SECONDS, Silence


@dataclass
class Machine:
    """now, and how long the process has been ready to run without a processor; None where the system does not say."""

    now: float = 1000.0
    waited: float | None = 5.0

    def silence(self) -> Silence:
        return Silence(lambda: self.waited, lambda: self.now)

    def ticks_until_too_long(self, silence: Silence, *, waiting: float = 0.0, most: int = 10_000) -> int | None:
        for tick in range(most):
            self.now += TICK_SECONDS
            if self.waited is not None:
                self.waited += waiting
            if silence.lasts() > 60:
                return tick + 1
        return None


def test_a_process_that_runs_or_sleeps_has_its_limit() -> None:
    machine = Machine()
    assert machine.ticks_until_too_long(machine.silence()) == 61


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_only_its_share_of_a_busy_machine_counts(share: float) -> None:
    """At a tenth of a processor, ten times as long."""
    machine = Machine()
    ticks = machine.ticks_until_too_long(machine.silence(), waiting=1 - share)
    assert ticks == pytest.approx(60 / share, abs=2)


def test_a_process_that_gets_no_processor_is_waited_for() -> None:
    machine = Machine()
    assert machine.ticks_until_too_long(machine.silence(), waiting=TICK_SECONDS) is None


def test_a_sign_of_life_begins_the_count_anew() -> None:
    machine = Machine()
    silence = machine.silence()
    for _ in range(10):
        assert machine.ticks_until_too_long(silence, most=59) is None
        silence.broken()


def test_one_who_was_stopped_is_no_witness() -> None:
    """The command was stopped for an hour, and maybe the process with it."""
    machine = Machine()
    silence = machine.silence()
    machine.now += 3600
    assert silence.lasts() <= 2 * TICK_SECONDS
    assert machine.ticks_until_too_long(silence) == 59


def test_where_the_system_keeps_no_account_the_limit_is_ten_times_as_long() -> None:
    machine = Machine(waited=None)
    assert machine.ticks_until_too_long(machine.silence()) == pytest.approx(601, abs=1)
