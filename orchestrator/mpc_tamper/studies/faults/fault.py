"""What a kind of fault is: how it is drawn, how it changes the command or strikes it, and what is right afterwards."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Self

from mpc_tamper.studies.faults.processes import Launch, Running
from mpc_tamper.studies.faults.work import KINDS, Work

SECONDS_TO_APPEAR = 60.0  # for a process of the run
_LATEST_SECONDS = 1.2  # after a process has appeared: few runs take longer


class Right(StrEnum):
    """What is right once a fault has struck. In any case a run that ends with exit code 0 has the right result."""

    GOES_ON = "the right result"
    ENDS = "an error of one line, or the right result where the run was past what the fault touches"
    KILLED = "the end of all processes; a command that the system kills says nothing"


@dataclass
class Place:
    """folder: where the command runs.  note: where what runs beside it writes when it struck.  stack: what lasts until
    all is observed."""

    folder: Path
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def note(self) -> Path:
        return self.folder.with_name("struck")


@dataclass(frozen=True)
class Fault(ABC):
    """A new kind is a class with a docstring that says what happens, and a line in registry.py.

    cause: a regular expression that the line on standard error matches.  foreign: one for lines of a library that
    complains by itself, and may end the process, which nothing in Python can prevent.  works: what it can strike.
    known_moment: False where nobody knows when it strikes, as with a limit; then the whole run is timed.
    timeout_seconds: for a message; also what a fault that only a time-out can find may take.
    """

    name: ClassVar[str]
    right: ClassVar[Right] = Right.ENDS
    works: ClassVar[tuple[type[Work], ...]] = KINDS
    known_moment: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 60.0
    waits_for_timeout: ClassVar[bool] = False
    cause: ClassVar[str] = ""
    foreign: ClassVar[str | None] = None

    @classmethod
    @abstractmethod
    def draw(cls, rng: random.Random) -> Self: ...

    @classmethod
    def impossible(cls) -> str | None:
        """Why this machine or user cannot make it happen."""
        return None

    def expected_cause(self) -> str:
        return self.cause

    def launch(self, launch: Launch, place: Place) -> Launch:
        """The command with what the fault takes; may prepare the folder."""
        return launch

    @abstractmethod
    def strike(self, running: Running, place: Place) -> float | None:
        """When it struck, in monotonic seconds; None where the run ended before."""


def moment(rng: random.Random) -> float:
    """Seconds to wait after a process has appeared: often none at all."""
    return 0.0 if rng.random() < 0.2 else round(rng.uniform(0, _LATEST_SECONDS), 3)


def wait(running: Running, seconds: float) -> bool:
    """Whether the command still runs after that time."""
    running.wait_for(lambda: False, seconds)
    return running.exit_code is None


def appeared(running: Running, role: str) -> int | None:
    """The process id of that role as soon as there is one; None where the command ends first."""
    found: list[int] = []

    def look() -> bool:
        pid = running.pid_of(role)
        found.extend([] if pid is None else [pid])
        return bool(found)

    return found[0] if running.wait_for(look, SECONDS_TO_APPEAR) else None


def now() -> float:
    return time.monotonic()
