"""The network between the parties: what a relay does to a connection, and strangers at the parties' ports."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.studies.faults.fault import Fault, Place, Right, now
from mpc_tamper.studies.faults.processes import Launch, Running
from mpc_tamper.studies.faults.relay import Deed, Interference
from mpc_tamper.studies.faults.work import RunProgram, Verify

_BEHIND_RELAY = "mpc_tamper.studies.faults.behind_relay"
_CONNECTIONS = ((0, 0), (0, 1), (1, 0))  # at whose listener, and the how many-th there: parties dial those of lower ids
_LARGEST_PLACE = 20_000  # bytes into a connection; a handshake takes some 3,000
_SHORT_TIMEOUT = 4.0
_SECONDS_TO_STRIKE = 120.0  # or to end
_STRANGERS = 100
_STRANGERS_SECONDS = 60.0  # for the parties to listen


@dataclass(frozen=True)
class _OnConnection(Fault):
    deed: ClassVar[Deed]
    works = (RunProgram, Verify)
    cause = r"party [012]"
    listener: int
    connection: int
    forward: bool
    after: int
    amount: float

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        listener, connection = rng.choice(_CONNECTIONS)
        place = rng.randrange(_LARGEST_PLACE) if rng.random() < 0.7 else rng.randrange(4000)
        return cls(listener, connection, rng.random() < 0.5, place, cls.draw_amount(rng))

    @classmethod
    def draw_amount(cls, rng: random.Random) -> float:
        return float(rng.randint(1, 600))

    def launch(self, launch: Launch, place: Place) -> Launch:
        what = Interference(self.deed, self.listener, self.connection, self.forward, self.after, self.amount)
        return replace(launch, module=_BEHIND_RELAY, before=(what.written(place.note),))

    def strike(self, running: Running, place: Place) -> float | None:
        if not running.wait_for(place.note.exists, _SECONDS_TO_STRIKE) and not place.note.exists():
            return None
        return float(place.note.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class CutConnection(_OnConnection):
    """A connection between two parties closes."""

    name, deed = "cut a connection", Deed.CUT


@dataclass(frozen=True)
class DelayMessages(_OnConnection):
    """Bytes between two parties come later, and all of them."""

    name, deed, right = "delay messages", Deed.DELAY, Right.GOES_ON

    @classmethod
    def draw_amount(cls, rng: random.Random) -> float:
        return round(rng.uniform(0.1, 3), 2)


@dataclass(frozen=True)
class _FoundByTimeout(_OnConnection):
    """The receiver may be left to wait for the rest of a record."""

    timeout_seconds = _SHORT_TIMEOUT
    waits_for_timeout = True


@dataclass(frozen=True)
class StallConnection(_FoundByTimeout):
    """Nothing passes between two parties any more, as when a cable is pulled."""

    name, deed = "stall a connection", Deed.STALL


@dataclass(frozen=True)
class FlipBit(_FoundByTimeout):
    """A bit changes on the way between two parties."""

    name, deed = "flip a bit of a message", Deed.FLIP


@dataclass(frozen=True)
class DuplicateMessages(_FoundByTimeout):
    """Bytes between two parties come twice."""

    name, deed = "duplicate messages", Deed.DUPLICATE


@dataclass(frozen=True)
class TruncateMessages(_FoundByTimeout):
    """Bytes between two parties do not come; what follows does."""

    name, deed = "truncate messages", Deed.TRUNCATE


@dataclass(frozen=True)
class InsertBytes(_FoundByTimeout):
    """Bytes come that nobody sent."""

    name, deed = "insert bytes", Deed.INSERT


@dataclass(frozen=True)
class SilentStrangers(Fault):
    """A hundred strangers connect to the parties' ports as soon as they are open, and say nothing."""

    port_base: int
    name = "a hundred silent strangers"
    right = Right.GOES_ON
    works = (RunProgram,)  # it takes a port

    @classmethod
    def draw(cls, rng: random.Random) -> Self:
        return cls(rng.randrange(20_000, 31_000))

    def launch(self, launch: Launch, place: Place) -> Launch:
        return replace(launch, words=(*launch.words, "--port-base", str(self.port_base)))

    def strike(self, running: Running, place: Place) -> float | None:
        ports = [self.port_base + number % PARTIES for number in range(_STRANGERS)]
        deadline = now() + _STRANGERS_SECONDS
        came = [place.stack.enter_context(stranger) for stranger in _strangers(running, ports, deadline)]
        return now() if came else None


def _strangers(running: Running, ports: list[int], deadline: float) -> Iterator[socket.socket]:
    """Those who got in before the run was over. A full backlog keeps one waiting for a moment only."""
    while ports and running.exit_code is None and now() < deadline:
        sock = socket.socket()
        sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            try:
                sock.connect(("127.0.0.1", ports[-1]))
            except ConnectionError:
                sock.close()
                time.sleep(0.002)
                continue
        ports.pop()
        yield sock
