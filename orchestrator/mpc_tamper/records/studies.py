"""Accuracy, pruning, benchmarks and faults."""

from __future__ import annotations

from typing import Any

import msgspec

from mpc_tamper.records.fields import Environment, Parameters, Record, StudyRecord
from mpc_tamper.records.schema import Schema


class DataSet(msgspec.Struct, kw_only=True):
    """linear_svc: the accuracy of LinearSVC at its best C, linear_svc_c.  chosen_on: the defaults were chosen on it."""

    data_set: str
    classes: int
    features: int
    rows: int
    test_rows: int
    splits: int
    chosen_on: bool
    engine: str
    test_accuracy: float
    linear_svc: float
    linear_svc_c: float
    linear_svc_of_c: dict[str, float]
    data_sha256: str
    weights_sha256: str


class Accuracy(StudyRecord, kw_only=True):
    parameters: Parameters
    data_sets: list[DataSet]
    environment: Environment


class Pruned(msgspec.Struct, kw_only=True):
    """errors: how many planted the backdoor."""

    seed: int
    attack: str
    defence: str
    errors: int
    test_accuracy: float
    attack_success_rate: float
    attack_success_rate_clipped: float


class Pruning(StudyRecord, kw_only=True):
    """clean_rows: how many of the rows the defender knows to be clean."""

    dataset: str
    data_sha256: str
    rows: int
    clean_rows: int
    test_images: int
    engine: str
    corrupt_party: int
    parameters: Parameters
    seeds: list[int]
    found: list[Pruned]
    environment: Environment


class Bench(StudyRecord, kw_only=True):
    """What is measured beside these fields depends on the engines that are there."""

    dataset: str
    rows: int
    columns: int
    iterations: int
    engine: str
    environment: Environment
    networks: dict[str, Any] | None = None
    start_up: dict[str, Any] | None = None


class Campaign(StudyRecord, kw_only=True):
    """The first line of faults.jsonl. left_out: kinds of faults that cannot happen there, each with the reason."""

    seed: int
    minutes: float
    jobs: int
    environment: Environment
    left_out: list[list[str]]


class Fault(Record, kw_only=True):
    """Every other line. fault: what was drawn.  known_moment: whether it is known when the fault is felt."""

    number: int
    kind: str
    fault: dict[str, Any]
    work: str
    protocol: str
    struck: bool
    seconds_to_end: float | None
    limit_seconds: float
    known_moment: bool
    exit_code: int
    said: str
    violations: list[str]


ACCURACY = Schema("accuracy", "mpc-tamper accuracy", ("accuracy.json",), (Accuracy,))
PRUNING = Schema("pruning", "mpc-tamper pruning", ("pruning.json",), (Pruning,))
BENCH = Schema("bench", "mpc-tamper bench", ("bench.json",), (Bench,))
CAMPAIGN = Schema("faults", "mpc-tamper faults", ("faults.jsonl",), (Campaign,))
FAULT = Schema("fault", "mpc-tamper faults", ("faults.jsonl",), (Fault,))
