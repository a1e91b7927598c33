"""A line of matrix*.jsonl: a study, an environment, a configuration, or a cell that names them."""

from __future__ import annotations

from typing import Any, Literal

from mpc_tamper.records.fields import Configuration, Parameters, Record
from mpc_tamper.records.schema import Schema


class CellFacts(Record, kw_only=True):
    """One attack on one defence. Null, or left out, is what a cell cannot have, or of which there was none."""

    dataset: str
    attack: str
    defence: str
    verdict: Literal["pass", "fail", "n/a"] | None
    reason: str | None = None
    clean_accuracy: float | None = None
    attack_success_rate: float | None = None
    attack_success_rate_clipped: float | None = None
    robust_accuracy: float | None = None
    honest_success_rate: float | None = None
    aborted: bool | None = None
    engine: str | None = None
    protocol: str | None = None
    check_protocol: str | None = None
    model: str | None = None
    corrupt_party: int | None = None
    seconds: float | None = None
    seconds_to_abort: float | None = None
    beside_others: bool | None = None
    bytes_per_party: int | None = None
    rounds: int | None = None
    weights_sha256: str | None = None
    max_abs_weight: float | None = None
    statement: str | None = None
    soundness_error: float | None = None
    stages: list[str] | None = None
    plans: dict[str, str] | None = None
    plan_errors: dict[str, int] | None = None
    settings: dict[str, Any] | None = None
    defence_settings: dict[str, Any] | None = None
    trigger_pixels: list[int] | None = None
    trigger_features: list[str] | None = None
    trigger_level: int | None = None
    target: int | None = None
    rows: int | None = None
    features: int | None = None
    sites: list[str] | None = None
    portable: bool | None = None
    parameters: Parameters | None = None
    insecure_fixed_seed: int | None = None
    seed: int | None = None
    commit: str | None = None


class StudyLine(Record, kw_only=True, tag_field="kind", tag="study"):
    """What cells have in common: data, parameters, thresholds. study: a digest of the facts of the line."""

    study: str
    dataset: str
    model: str | None = None
    image_shape: list[int] | None = None
    classes: list[str] | None = None
    feature_names: list[str] | None = None
    source: str | None = None
    data_sha256: str | None = None
    rows: int | None = None
    test_images: int | None = None
    parameters: Parameters | None = None
    thresholds: dict[str, int] | None = None
    calibration: dict[str, Any] | None = None


class EnvironmentLine(Record, kw_only=True, tag_field="kind", tag="environment"):
    """What cells were run on. environment: a digest of the facts of the line."""

    environment: str
    python: str | None = None
    numpy: str | None = None
    os: str | None = None
    machine: str | None = None
    cpu: str | None = None
    cores: int | None = None


class ConfigurationLine(Record, kw_only=True, tag_field="kind", tag="configuration"):
    """The options that cells were run with, as --config takes them. configuration: a digest of the options."""

    configuration: str
    options: Configuration


class CellLine(CellFacts, kw_only=True, tag_field="kind", tag="cell"):
    """A cell, after the lines that it names by their digests."""

    study: str
    environment: str
    configuration: str | None = None


MATRIX = Schema(
    "matrix",
    "mpc-tamper matrix",
    ("matrix*.jsonl",),
    (StudyLine | EnvironmentLine | ConfigurationLine | CellLine,),
    advice="restore or remove this line",
)
