"""What each way to a model costs, measured or counted."""

from __future__ import annotations

import msgspec

from mpc_tamper.records.fields import Environment, Network, StudyRecord
from mpc_tamper.records.schema import Schema


class Phase(msgspec.Struct, kw_only=True):
    """phase: train or verify.  examples: public or secret, of a verification.  active: of the protocol."""

    engine: str
    protocol: str
    phase: str
    rows: int
    iterations: int | None
    examples: str | None
    active: bool


class Counted(Phase, kw_only=True):
    columns: int
    bytes_per_party: int
    rounds: int
    common_rounds: int
    least_seconds: dict[str, float]


class Measured(Phase, kw_only=True):
    columns: int
    seconds: float
    bytes_per_party: int
    rounds: int
    common_rounds: int
    repeats: int
    predicted_seconds: dict[str, float]


class Ratio(msgspec.Struct, kw_only=True):
    """By quantity: seconds, bytes, rounds, and the seconds of each network."""

    engine: str
    protocol: str
    passive_protocol: str
    rows: int
    iterations: int
    examples: dict[str, int]
    active_over_passive: dict[str, float]
    verified_over_active: dict[str, dict[str, float]]


class Check(Phase, kw_only=True):
    """The model against a run through the relay."""

    network: str
    predicted_seconds: float
    measured_seconds: float
    measured_over_predicted: float


class Costs(StudyRecord, kw_only=True):
    dataset: str
    columns: int
    networks: list[Network]
    model: str
    runs: list[Measured]
    ratios: list[Ratio]
    checks: list[Check]
    environment: Environment


class Counts(StudyRecord, kw_only=True):
    dataset: str
    columns: int
    networks: list[Network]
    runs: list[Counted]
    left_out: list[str]
    environment: Environment


COSTS = Schema("costs", "mpc-tamper costs", ("costs.json",), (Costs,))
COUNTS = Schema("costs-counts", "mpc-tamper costs --jobs N", ("costs-counts.json",), (Counts,))
