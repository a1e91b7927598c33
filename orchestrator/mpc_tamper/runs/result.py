"""What a run cost, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.runs.spec import RunSpec


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

    start: seconds since the party's program began.  times: how many occurrences this is, from this one on; more than
    one where a long run counts them together.
    """

    site: str
    occurrence: int
    start: float
    cost: Cost
    times: int = 1


@dataclass(frozen=True)
class PartyReport:
    """What one party measured of itself.

    soundness_error: of an active run of rep3, an upper bound on the probability that a wrong message was accepted: the
    largest of its batches of proofs, as a rejection is final.
    cpu_seconds: of its process, all threads together; None where the engine does not measure it.
    """

    party_id: int
    cost: Cost
    steps: tuple[StepRecord, ...]
    peak_rss_bytes: int
    soundness_error: float | None = None
    batches: int | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class RunResult:
    """What a run printed and opened, and what it cost.

    lines: what the program printed.  binary_output: the integers of binary_output(), in order; a tuple of Python ints
    keeps the record hashable and exact.
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
    def cpu_seconds(self) -> float | None:
        """Of all parties that were run; None where one of them was not measured."""
        found = [p.cpu_seconds for p in self.parties if p.cpu_seconds is not None]
        return sum(found) if len(found) == len(self.parties) else None

    @property
    def soundness_error(self) -> float | None:
        """Of an active run of rep3; None elsewhere."""
        return max((p.soundness_error for p in self.parties if p.soundness_error is not None), default=None)
