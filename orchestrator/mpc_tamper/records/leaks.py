"""What a cheating server read of the training data."""

from __future__ import annotations

import msgspec

from mpc_tamper.records.fields import Environment, Parameters, ReadRow, StudyRecord
from mpc_tamper.records.schema import Schema


class ActiveTraining(msgspec.Struct, kw_only=True):
    """The same errors under an active protocol. message: what the servers said."""

    protocol: str
    aborted: bool
    message: str


class LeakRow(StudyRecord, kw_only=True):
    """Rows that were read off models, an opened one for each. active: null where the engine has no such protocol."""

    dataset: str
    data_sha256: str
    rows: int
    image_shape: list[int]
    parameters: Parameters
    engine: str
    protocol: str
    corrupt_party: int
    seed: int
    honest_accuracy: float
    found: list[ReadRow]
    active: ActiveTraining | None
    environment: Environment


class Against(msgspec.Struct, kw_only=True):
    """An attack against a defence. passed: its check; null where it has none. What follows an abort is left out."""

    defence: str
    adversary: str
    aborted: bool
    accuracy: float | None = None
    passed: bool | None = None
    errors: int | None = None


class ReconstructedAgainst(Against, kw_only=True):
    """exact: of the rows, how many are read in every level."""

    rows: int | None = None
    exact: int | None = None


class MembersAgainst(Against, kw_only=True):
    """How many members, and how many others, are told rightly."""

    members_right: int | None = None
    others_right: int | None = None


class NetworkLeak(StudyRecord, kw_only=True):
    dataset: str
    data_sha256: str
    rows: int
    own_rows: int
    parameters: Parameters
    engine: str
    protocol: str
    corrupt_party: int
    seed: int
    honest_accuracy: float
    accuracy: float
    errors: int
    environment: Environment


class LeakReconstruct(NetworkLeak, kw_only=True):
    """Rows that were read off one opened network. count: how many were to be."""

    image_shape: list[int]
    found: list[ReadRow]
    defences: list[ReconstructedAgainst]
    count: int | None = None


class Candidate(msgspec.Struct, rename={"true_class": "class"}, kw_only=True):
    """An image that was asked about. member: whether it was trained on."""

    index: int
    true_class: int
    member: bool
    label: int
    said_member: bool


class LeakMembership(NetworkLeak, kw_only=True):
    """What one label each told of members and of as many others. count: of each."""

    count: int
    found: list[Candidate]
    defences: list[MembersAgainst]


class Gate(msgspec.Struct, kw_only=True):
    """changed: how often a flip changed the sign, by plane and size of the value."""

    gate: str
    changed: list[list[int]]


class VerdictLeak(msgspec.Struct, kw_only=True):
    """way: how the attacker asks.  leaked_bits: about a label, by one verdict."""

    way: str
    asked_of_class: list[int]
    failed_of_class: list[int]
    leaked_bits: float


class Probing(StudyRecord, kw_only=True):
    """Errors inside a comparison, and what a verdict then tells. width: of the compared values, in bits."""

    width: int
    repeats: int
    gates: list[Gate]
    dataset: str
    rows: int
    parameters: Parameters
    examples: int
    threshold: float
    asked_rows: int
    asked_rows_sha256: str
    corrupt_party: int
    engine: str
    leaks: list[VerdictLeak]
    seed: int
    environment: Environment


LEAK_ROW = Schema("leak-row", "mpc-tamper leak row", ("leak-row.json",), (LeakRow,))
LEAK_RECONSTRUCT = Schema(
    "leak-reconstruct", "mpc-tamper leak reconstruct", ("leak-reconstruct.json",), (LeakReconstruct,)
)
LEAK_MEMBERSHIP = Schema("leak-membership", "mpc-tamper leak membership", ("leak-membership.json",), (LeakMembership,))
PROBING = Schema("probing", "mpc-tamper probe", ("probing.json",), (Probing,))
