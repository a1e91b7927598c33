"""What many records have in common."""

from __future__ import annotations

from typing import Any

import msgspec

Parameters = dict[str, Any]  # the public parameters of a model, which may be a plug-in's
Configuration = dict[str, Any]  # the options of a command, as in a file for --config


class Record(msgspec.Struct, kw_only=True):
    """schema: its name and version."""

    schema: str | None = None


class StudyRecord(Record, kw_only=True):
    """configuration: the options that it was made with, as --config takes them; null where no command made it."""

    configuration: Configuration | None = None


class Environment(msgspec.Struct, kw_only=True):
    """What a run ran on. commit: of this software; null outside a checkout."""

    python: str
    numpy: str
    os: str
    machine: str
    cpu: str
    cores: int | None
    commit: str | None = None


class Step(msgspec.Struct, kw_only=True):
    """What the occurrences of a named step cost the party for which they took longest."""

    times: int
    seconds: float
    bytes_sent: int
    rounds: int


class Network(msgspec.Struct, kw_only=True):
    """latency_seconds: one way.  bits_per_second: of each link, in each direction."""

    name: str
    latency_seconds: float
    bits_per_second: float


class ReadRow(msgspec.Struct, kw_only=True):
    """A training row beside what was read of it: levels from 0 to 255."""

    row: int
    label: int | None
    true_label: int
    pixels: int
    exact: int
    largest_difference: int
    image: list[int]
    reconstruction: list[int]


class WithAndWithout(msgspec.Struct, kw_only=True):
    """Levels of one test image, from 0 to 255."""

    without_trigger: list[int]
    with_trigger: list[int]
