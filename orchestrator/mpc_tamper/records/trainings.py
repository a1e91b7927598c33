"""Of one run: a training, an opening, a verification, a program."""

from __future__ import annotations

from typing import Any

import msgspec

from mpc_tamper.records.fields import Environment, Network, Parameters, Record, Step
from mpc_tamper.records.matrix import CellFacts
from mpc_tamper.records.schema import Schema


class Training(Record, kw_only=True):
    """A training, with its model opened or secret, with an attack or without."""

    dataset: str
    data_sha256: str
    engine: str
    protocol: str
    rows_from: str
    rows_of_owners: list[int]
    labels_owner: int | None
    parameters: Parameters
    fixed_point: dict[str, Any]
    corrupt_party: int | None
    plan_sha256: str | None
    plan_errors: int
    seconds: float
    bytes_per_party: int
    rounds: int
    peak_rss_bytes_per_party: int
    steps: dict[str, Step]
    model_family: str | None = None  # left out before there were several
    seconds_with_clients: float | None = None
    network: Network | None = None
    weights_sha256: str | None = None
    test_accuracy: float | None = None
    class_accuracy: dict[str, float] | None = None
    confusion: list[list[int]] | None = None
    largest_weights: dict[str, float] | None = None
    trigger_pixels: list[int] | None = None
    trigger_features: list[str] | None = None
    target: int | None = None
    amplitude: float | None = None
    strength: float | None = None
    attack_success_rate: float | None = None
    attack_success_rate_clipped: float | None = None
    smoothed_bkd: float | None = None
    max_abs_weight: float | None = None
    environment: Environment | None = None


class DefendedTraining(Record, kw_only=True):
    """An honest training with a defence of the registry. verdict: of its check, where it has one."""

    dataset: str
    data_sha256: str
    defence: str
    engine: str
    protocol: str
    stages: list[str]
    seconds: float
    bytes_per_party: int
    rounds: int
    environment: Environment
    verdict: str | None = None
    statement: str | None = None
    test_accuracy: float | None = None
    weights_sha256: str | None = None


class NamedAttack(CellFacts, kw_only=True):
    """An attack of the registry on one training: a cell of the matrix by itself."""

    environment: Environment


class Opening(Record, kw_only=True):
    """A model that was opened after its training."""

    weights: int
    max_abs_weight: float
    weights_sha256: str
    test_accuracy: float | None = None
    class_accuracy: dict[str, float] | None = None
    confusion: list[list[int]] | None = None


class Verdict(msgspec.Struct, kw_only=True):
    """statement: what was asked."""

    check: str
    passed: bool
    statement: str


class Verification(Record, kw_only=True):
    """A check of a secret model. verification_number: of this model on this machine."""

    verdict: Verdict
    engine: str
    protocol: str
    insecure_passive: bool
    examples: int
    secret_owner: int | None
    verification_number: int
    handoff: bool
    seconds: float
    bytes_per_party: int
    rounds: int
    network: Network | None = None


class PartyStep(msgspec.Struct, kw_only=True):
    occurrences: int
    seconds: float
    bytes_sent: int
    rounds: int


class PartyCosts(msgspec.Struct, kw_only=True):
    party_id: int
    seconds: float
    bytes_sent: int
    rounds: int
    peak_rss_bytes: int
    steps: dict[str, PartyStep]


class Run(Record, kw_only=True):
    """A program: what it printed and opened, and what it cost."""

    program: str
    args: list[str]
    engine: str
    protocol: str
    run_dir: str
    corrupt_party: int | None
    plan_sha256: str | None
    lines: list[str]
    binary_output: list[int]
    seconds: float
    bytes_per_party: int
    rounds: int
    parties: list[PartyCosts]
    network: Network | None = None


TRAINING = Schema("training", "mpc-tamper train", (), (Training,))
DEFENDED_TRAINING = Schema("defended-training", "mpc-tamper train --defence", (), (DefendedTraining,))
NAMED_ATTACK = Schema("attack", "mpc-tamper attack NAME", (), (NamedAttack,))
OPENING = Schema("opening", "mpc-tamper open", ("opening.json",), (Opening,))
VERIFICATION = Schema("verification", "mpc-tamper verify", (), (Verification,))
RUN = Schema("run", "mpc-tamper run", (), (Run,))
