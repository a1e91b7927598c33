"""The records that pass between layers: what to run, what it cost, what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.additive_errors import AdditiveErrorPlan

PARTIES = 3
MAX_TIMEOUT_SECONDS = 86_400.0


class EngineName(StrEnum):
    CLEAR = "clear"
    REP3 = "rep3"
    MP_SPDZ = "mp-spdz"


class ProtocolName(StrEnum):
    """MP-SPDZ's script names."""

    RING = "ring"
    PS_REP_RING = "ps-rep-ring"
    MAL_REP_RING = "mal-rep-ring"
    SY_REP_RING = "sy-rep-ring"
    SHAMIR = "shamir"
    MAL_SHAMIR = "mal-shamir"
    REP_FIELD = "rep-field"
    MAL_REP_FIELD = "mal-rep-field"


@dataclass(frozen=True)
class InputFiles:
    """One data owner's private input, in MP-SPDZ's two formats.

    text: decimal integers between white space.  binary: little-endian int64, no header.
    """

    text: Path | None = None
    binary: Path | None = None


@dataclass(frozen=True)
class RunSpec:
    """One run of one .mpc program by three parties.

    run_dir: a folder of this run's own; the engine writes Persistence/, Player-Data/ and logs below it.
    shares_from: the run_dir of an earlier run whose share files this program reads, or None.
    plan, corrupt_party: additive errors, and who adds them; both or neither.
    timeout_seconds: how long a party waits for a message.
    port_base: parties listen on port_base + party_id of 127.0.0.1; None lets the system choose.
    """

    program: Path
    args: tuple[str, ...] = ()
    protocol: ProtocolName = ProtocolName.RING
    inputs: Mapping[int, InputFiles] = field(default_factory=dict)
    run_dir: Path = Path("runs/last")
    shares_from: Path | None = None
    plan: AdditiveErrorPlan | None = None
    corrupt_party: int | None = None
    timeout_seconds: float = 60.0
    port_base: int | None = None


@dataclass(frozen=True)
class Cost:
    """seconds: wall clock.  bytes_sent: by one party, frame headers included, TLS records not.  rounds: of messages."""

    seconds: float = 0.0
    bytes_sent: int = 0
    rounds: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.bytes_sent + other.bytes_sent, self.rounds + other.rounds)


@dataclass(frozen=True)
class StepRecord:
    """One occurrence of a named step (start_timer .. stop_timer) at one party.

    start: seconds since the party's program began.
    """

    site: str
    occurrence: int
    start: float
    cost: Cost


@dataclass(frozen=True)
class PartyReport:
    """What one party measured of itself.

    soundness_error: of an active run of rep3, an upper bound on the probability that a wrong message was accepted, over
    all its batches of proofs.
    """

    party_id: int
    cost: Cost
    steps: tuple[StepRecord, ...]
    peak_rss_bytes: int
    soundness_error: float | None = None
    batches: int | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run printed and opened, and what it cost.

    lines: what the program printed.  opened: the integers of binary_output(), in order (int64 as Python list is
    never needed: a tuple of ints keeps the record hashable and exact).
    """

    spec: RunSpec
    lines: tuple[str, ...]
    binary_output: tuple[int, ...]
    parties: tuple[PartyReport, ...]

    @property
    def seconds(self) -> float:
        """The slowest party's."""
        return max(p.cost.seconds for p in self.parties)

    @property
    def bytes_per_party(self) -> int:
        """The busiest party's."""
        return max(p.cost.bytes_sent for p in self.parties)

    @property
    def rounds(self) -> int:
        return max(p.cost.rounds for p in self.parties)

    @property
    def soundness_error(self) -> float | None:
        """Of an active run of rep3; None elsewhere."""
        return max((p.soundness_error for p in self.parties if p.soundness_error is not None), default=None)


@dataclass(frozen=True)
class Verdict:
    """What a check found out about a model.

    check: its name.  statement: what was asked, such as "at least 2094 of 2115 examples classified rightly".
    """

    check: str
    passed: bool
    statement: str
