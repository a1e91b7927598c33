"""A process that owes an answer is given up for its own silence, not for that of a busy machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc_tamper.engines.rep3 import silence
from mpc_tamper.engines.rep3.silence import TICK_SECONDS, Silence
from tests.support.processes import started


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


def test_what_one_of_several_had_waited_is_not_counted_when_it_ends() -> None:
    machine = Machine(waited=100.0)
    silence = machine.silence()
    machine.waited = 5.0
    assert machine.ticks_until_too_long(silence) == 61


STARTER = """
import subprocess, sys
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleep, process_group=0), subprocess.Popen(sleep, start_new_session=True)]
print(*[child.pid for child in children], flush=True)
children[0].wait()
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are looked up in /proc")
def test_a_server_waits_for_a_processor_with_the_process_that_compiles_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parties have sessions of their own."""
    with started(["setsid", "--wait", sys.executable, "-c", STARTER]) as process:
        assert process.stdout is not None
        compiler, party = map(int, process.stdout.readline().split())
        server = int(Path(f"/proc/{compiler}/stat").read_text().rpartition(")")[2].split()[1])
        waited = {server: 1.0, compiler: 2.0, party: 4.0}
        monkeypatch.setattr(silence, "seconds_without_processor", waited.get)
        assert silence.seconds_of_a_session_without_processor(server) == 3.0
        waited[compiler] = None
        assert silence.seconds_of_a_session_without_processor(server) == 1.0
        waited[server] = None
        assert silence.seconds_of_a_session_without_processor(server) is None
