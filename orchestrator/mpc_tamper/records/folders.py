"""Files of a run's folder that later commands, and clients, read."""

from __future__ import annotations

import msgspec

from mpc_tamper.records.fields import Parameters, Record
from mpc_tamper.records.schema import Schema

_HANDED_OUT = "get the servers' folder clients/ again"


class Model(Record, kw_only=True):
    """What the shares beside it are."""

    model: str
    features: int
    shares: int
    protocol: str
    passive: bool
    of_clients: bool
    image_shape: list[int] | None = None
    classes: int = 2
    architecture: dict[str, int] = msgspec.field(default_factory=dict)
    feature_names: list[str] = msgspec.field(default_factory=list)


class Reading(msgspec.Struct, kw_only=True):
    """How tables became a task."""

    label: str | None
    schema: str | None
    tests: str | None
    test_share: float
    seed: int
    fill: str | None
    categories: list[str]
    ignored: list[str]


class Data(Record, kw_only=True):
    """The data set of a training. classes: those of many that were chosen, or "all"."""

    data: str
    classes: str | list[str] | None
    root: str | None
    owner_data: list[str]
    reading: Reading
    sha256: str


class Service(Record, kw_only=True):
    """What clients who ask for classes are told. score_bits: scores have scale 2^score_bits."""

    model: str
    features: int
    classes: int
    score_bits: int
    answer: str
    engine: str
    protocol: str
    image_shape: list[int] | None = None
    feature_names: list[str] = msgspec.field(default_factory=list)


class Invitation(Record, kw_only=True):
    """What clients who bring rows are told. rows: of each."""

    model: str
    features: int
    classes: int
    rows: list[int]
    parameters: Parameters


MODEL = Schema(
    "model",
    "mpc-tamper train",
    ("model.json",),
    (Model,),
    what="the description that a training leaves with its shares",
    advice="restore the file or train again",
)
DATA = Schema(
    "data",
    "mpc-tamper train",
    ("data.json",),
    (Data,),
    what="the data set that a training remembered",
    advice="restore the file, or name the data with --data",
)
SERVICE = Schema(
    "service",
    "mpc-tamper serve",
    ("service.json",),
    (Service,),
    what="the description of a service",
    advice=_HANDED_OUT,
)
INVITATION = Schema(
    "training-of-clients",
    "mpc-tamper train --clients",
    ("training.json",),
    (Invitation,),
    what="the description of a training",
    advice=_HANDED_OUT,
)
