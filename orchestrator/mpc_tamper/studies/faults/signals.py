"""Signals: to a party, the fork server and the command."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import Self

from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.studies.faults.fault import SECONDS_TO_APPEAR, Fault, Place, Right, appeared, moment, now, wait
from mpc_tamper.studies.faults.processes import COMMAND, FORK_SERVER, PARTY, Running, send
from mpc_tamper.studies.faults.work import RunProgram, Verify

_DEADLY = ("SIGKILL", "SIGTERM", "SIGSEGV")
_POLITE = ("SIGINT", "SIGTERM", "SIGHUP")
_SHORT_TIMEOUT = 4.0
_STUCK_SECONDS = 0.3  # before the interrupt comes


@dataclass(frozen=True)
class _ToParty(Fault):
    """after: seconds since the party appeared."""

    party: int
    after: float

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randrange(PARTIES), moment(rng))

    def _reach(self, running: Running) -> int | None:
        pid = appeared(running, f"{PARTY}{self.party}")
        return pid if pid is not None and wait(running, self.after) else None


@dataclass(frozen=True)
class KillParty(_ToParty):
    """A party is killed."""

    signal: str = ""
    name = "kill a party"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randrange(PARTIES), moment(rng), rng.choice(_DEADLY))

    def expected_cause(self) -> str:
        return f"party {self.party} was killed by {self.signal}"

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        return now() if pid is not None and send(pid, signal.Signals[self.signal]) else None


@dataclass(frozen=True)
class FreezeParty(_ToParty):
    """A party is stopped for good: the others wait for it as long as the time-out says."""

    name = "stop a party for good"
    works = (RunProgram, Verify)  # they take a time-out
    timeout_seconds = _SHORT_TIMEOUT
    waits_for_timeout = True

    def expected_cause(self) -> str:
        return f"party {self.party}"

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        return now() if pid is not None and send(pid, signal.SIGSTOP) else None


@dataclass(frozen=True)
class PauseParty(_ToParty):
    """A party is stopped and continued."""

    seconds: float = 0.0
    name = "stop and continue a party"
    right = Right.GOES_ON

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randrange(PARTIES), moment(rng), round(rng.uniform(0.1, 3), 2))

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        return None if pid is None else _pause(running, pid, self.seconds)


@dataclass(frozen=True)
class KillForkServer(Fault):
    """The process that starts the parties is killed."""

    after: float
    signal: str
    name = "kill the fork server"
    cause = "process that starts the parties"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(moment(rng), rng.choice(_DEADLY))

    def strike(self, running: Running, place: Place) -> float | None:
        pid = appeared(running, FORK_SERVER)
        if pid is None or not wait(running, self.after):
            return None
        return now() if send(pid, signal.Signals[self.signal]) else None


@dataclass(frozen=True)
class PauseForkServer(Fault):
    """The process that starts the parties is stopped and continued."""

    after: float
    seconds: float
    name = "stop and continue the fork server"
    right = Right.GOES_ON

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(moment(rng), round(rng.uniform(0.1, 3), 2))

    def strike(self, running: Running, place: Place) -> float | None:
        pid = appeared(running, FORK_SERVER)
        return _pause(running, pid, self.seconds) if pid is not None and wait(running, self.after) else None


@dataclass(frozen=True)
class _ToCommand(Fault):
    """after: seconds since the command has reached its own code."""

    after: float

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(2 * moment(rng))

    def _reach(self, running: Running) -> int | None:
        reached = running.wait_for(running.takes_signals, SECONDS_TO_APPEAR) and wait(running, self.after)
        return running.pid_of(COMMAND) if reached else None


@dataclass(frozen=True)
class _SignalToCommand(_ToCommand):
    """signal: its name."""

    signal: str = ""

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        return now() if pid is not None and send(pid, signal.Signals[self.signal]) else None


@dataclass(frozen=True)
class KillCommand(_SignalToCommand):
    """The command is killed, without a chance to end anything."""

    name = "kill the command"
    right = Right.KILLED

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(2 * moment(rng), rng.choice(("SIGKILL", "SIGSEGV")))


@dataclass(frozen=True)
class PauseCommand(_ToCommand):
    """The command is stopped and continued, as by Ctrl-Z and fg."""

    seconds: float = 0.0
    name = "stop and continue the command"
    right = Right.GOES_ON

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(2 * moment(rng), round(rng.uniform(0.1, 3), 2))

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        return None if pid is None else _pause(running, pid, self.seconds)


@dataclass(frozen=True)
class Interrupt(_SignalToCommand):
    """The command is asked to end: Ctrl-C, kill, a terminal that closes."""

    name = "interrupt the command"
    cause = "interrupted"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(2 * moment(rng), rng.choice(_POLITE))


@dataclass(frozen=True)
class InterruptTwice(_ToCommand):
    """The command is asked to end, and at once again, by somebody impatient."""

    again_after: float = 0.0
    name = "interrupt the command twice"
    cause = "interrupted"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(2 * moment(rng), round(rng.uniform(0, 0.3), 3))

    def strike(self, running: Running, place: Place) -> float | None:
        pid = self._reach(running)
        if pid is None or not send(pid, signal.SIGINT):
            return None
        struck = now()
        if wait(running, self.again_after):
            send(pid, signal.SIGINT)
        return struck


@dataclass(frozen=True)
class InterruptStuck(_ToCommand):
    """A party or the fork server is stopped for good, and the command is then asked to end."""

    role: str = ""
    name = "interrupt the command while a process is stuck"
    cause = "interrupted"

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(moment(rng) / 3, rng.choice((FORK_SERVER, *(f"{PARTY}{party}" for party in range(PARTIES)))))

    def strike(self, running: Running, place: Place) -> float | None:
        stuck = appeared(running, self.role)
        command = self._reach(running)
        if stuck is None or command is None or not send(stuck, signal.SIGSTOP):
            return None
        return now() if wait(running, _STUCK_SECONDS) and send(command, signal.SIGINT) else None


def _pause(running: Running, pid: int, seconds: float) -> float | None:
    """The time at which the process goes on."""
    if not send(pid, signal.SIGSTOP):
        return None
    wait(running, seconds)
    return now() if send(pid, signal.SIGCONT) else None
