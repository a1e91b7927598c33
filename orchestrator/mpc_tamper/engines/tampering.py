"""What an audit asks of an engine: one program under an active protocol, run again and again, each time with another
deviation of one party.

A deviation is an additive-error plan (runs/plan.py). Besides a program's own sites it may name two more:

background  outputs of multiplications that belong to no operation of a step: preprocessing, checks, called tapes.
            occurrence 0; index: their running count.
message     what the corrupt party sends, in its order. occurrence: number of the message; index: the byte at which a
            64-bit number, little-endian, gets the value added. A carry beyond it, or beyond the message's end, is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mpc_tamper.runs.plan import AdditiveErrorPlan

BACKGROUND = "background"
MESSAGE = "message"
STALLED = "nobody went on"  # the failure of a party that neither gave up nor came to an end


class Point(StrEnum):
    """Where a party can deviate."""

    OPERATION = "operation"
    GATE = "gate"
    BACKGROUND = "background"
    MESSAGE = "message"


class Domain(StrEnum):
    """What a protocol computes with. In a field, and on bits, a program has to keep its values in range."""

    RING = "ring"
    FIELD = "field"
    BITS = "bits"


@dataclass(frozen=True)
class AuditedProtocol:
    """name: MP-SPDZ's script name.  implementation: whose it is, with version and repairs, for records.

    longest: how many elements a program's vectors have at most, where a run of longer ones would take too long.
    problem: why it cannot be audited here, with the mend; None: it can.
    lacking: points that exist in the protocol but cannot be addressed, so that nothing is known of them.
    """

    name: str
    implementation: str
    domain: Domain
    parties: int = 3
    longest: int = 64
    problem: str | None = None
    lacking: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Site:
    """count: outputs, lanes of AND gates, or bytes of a message.  flips: whether errors are 0 and 1, added by xor."""

    name: str
    occurrence: int
    count: int
    point: Point
    flips: bool = False


@dataclass(frozen=True)
class PartyEnd:
    """lines: what the party printed.  failure: why it gave up; None: it accepted everything to the end."""

    lines: tuple[str, ...]
    failure: str | None


class Tampering(Protocol):
    """A program, its inputs and a protocol, ready to run: what can be done once has been done.

    samples: whether run() has two ways, one of them for a sample only.
    """

    samples: bool

    def survey(self, party: int) -> tuple[tuple[Site, ...], tuple[PartyEnd, ...]]:
        """Where this party can deviate, and the ends of the honest run that told."""
        ...

    def cancelling(self, party: int) -> AdditiveErrorPlan | None:
        """Errors that cancel under the weights of a run of this program that the party has seen; None: not known."""
        ...

    def run(self, party: int | None, plan: AdditiveErrorPlan | None, *, processes: bool = False) -> list[PartyEnd]:
        """How the parties end. Raises PlanError where an error met no output.

        processes: as in production, where it makes a difference; for plans without the sites of audits alone.
        """
        ...
