"""On three hosts: each party says in public how large its data are, and keeps to itself what they are.

A program's arguments are public and the same at all parties, and depend on how many rows each owner has. Each host
knows its own alone, so before a training the three tell each other these numbers (agree.mpc).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, HandshakeError, ParameterError, ShareFolderError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.models.description import FILE, ModelDescription
from mpc_tamper.models.encoding import write_owners
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.runs.spec import RunSpec

_DIMENSIONS = 3  # of an image, at most
_LARGEST = 1 << 40  # of a number that another party may say
_NAME_BYTES = 5


@dataclass(frozen=True)
class _Facts:
    """What a party says of its data. image_shape: () for rows that are no images.

    names: the beginning of a hash of what features and classes are called, and of the rule by which they are encoded.
    """

    rows: int
    features: int
    classes: int
    image_shape: tuple[int, ...]
    names: int

    def numbers(self) -> list[int]:
        padded = (*self.image_shape, *[0] * _DIMENSIONS)[:_DIMENSIONS]
        return [self.rows, self.features, self.classes, *padded, self.names]

    @classmethod
    def of(cls, numbers: Sequence[int]) -> _Facts:
        rows, features, classes, *shape, names = numbers
        return cls(rows, features, classes, tuple(length for length in shape if length), names)


def exchange(
    engine: Engine, numbers: Sequence[int], protocol: ProtocolName = ProtocolName.RING
) -> list[tuple[int, ...]]:
    """Each party's public numbers, as many from each. The engine has a host. Raises what the engine raises."""
    assert engine.host is not None
    with TemporaryFolder() as folder:
        inputs = write_owners(Path(folder), {engine.host.party_id: [np.array(numbers, np.int64)]})
        result = engine.run(
            RunSpec(
                program=bundle.program("agree.mpc"),
                args=(f"values={len(numbers)}",),
                protocol=protocol,
                inputs=inputs,
                run_dir=Path(folder, "agree"),
            )
        )
    said = result.binary_output
    if len(said) != PARTIES * len(numbers):
        raise HandshakeError(f"expected {len(numbers)} numbers of each party, got {len(said)}; start all three again")
    for party in range(PARTIES):
        if not all(0 <= number <= _LARGEST for number in said[party * len(numbers) : (party + 1) * len(numbers)]):
            raise HandshakeError(f"expected sizes from party {party}, got a number that is none; it cheats", party)
    return [tuple(said[party * len(numbers) : (party + 1) * len(numbers)]) for party in range(PARTIES)]


def own_rows(
    task: Task | None, engine: Engine, protocol: ProtocolName = ProtocolName.RING, progress: Progress = silent
) -> tuple[Task, Owners]:
    """The task of a training to which each host brings rows of its own, and how many rows each brings.

    task: this host's; None where it brings none.  Returned is one in which the others' rows are zeros that never leave
    this host, as a training takes all rows and enters its own party's.

    Raises DataError where the owners' data do not fit together, ParameterError where they stand in the wrong order.
    """
    assert engine.host is not None
    own = engine.host.party_id
    facts = _Facts(0, 0, 0, (), 0) if task is None else _facts(task)
    progress("asking the other hosts how many rows they have")
    said = [_Facts.of(numbers) for numbers in exchange(engine, facts.numbers(), protocol)]
    counts = tuple(each.rows for each in said)
    progress("rows of parties 0, 1 and 2: " + ", ".join(f"{count:,}" for count in counts))
    first = next((party for party in range(PARTIES) if counts[party]), None)
    if first is None:
        raise DataError(
            "expected rows of one party at least, got none of any; give --data FILE on a host that has some"
        )
    for party in range(PARTIES):
        if counts[party] and replace(said[party], rows=0) != replace(said[first], rows=0):
            raise DataError(
                f"expected data of one kind from all owners, got {_in_words(said[first])} from party {first} and "
                f"{_in_words(said[party])} from party {party}; bring the same columns and classes; tables by one "
                "schema, which all give (--schema)"
            )
    owners = _owners(counts)
    if task is None:
        task = _unseen(said[first])
    return _spread(task, owners, own), owners


def unseen_examples(engine: Engine, shares_from: Path, owner: int) -> tuple[np.ndarray, np.ndarray, ModelDescription]:
    """On the hosts of the others: zeros in the place of the owner's examples, as many, with labels that mean nothing.

    Raises ShareFolderError without a description of the model.
    """
    described = ModelDescription.read(shares_from)
    if described is None:
        raise ShareFolderError(
            f"{shares_from}: expected the folder of a training, with its description {FILE}, got none; give the run "
            "folder of mpc-tamper train"
        )
    count = exchange(engine, [0])[owner][0]
    if count < described.classes:
        raise DataError(f"expected examples of party {owner}, got {count}; it has to give --secret-owner {owner} too")
    labels = (np.arange(count) % described.classes).astype(np.uint8)
    return np.zeros((count, described.features), np.uint8), labels, described


def tell_examples(engine: Engine, count: int) -> None:
    """On the owner's host: how many there are."""
    exchange(engine, [count])


def _facts(task: Task) -> _Facts:
    public = repr((task.feature_names, task.classes, task.schema)).encode()
    names = int.from_bytes(hashlib.sha256(public).digest()[:_NAME_BYTES], "little")
    return _Facts(len(task.x_train), task.x_train.shape[1], len(task.classes), task.image_shape, names)


def _in_words(facts: _Facts) -> str:
    shape = f" ({' x '.join(map(str, facts.image_shape))})" if facts.image_shape else ""
    return f"{facts.features} features{shape} of {facts.classes} classes, with names of hash {facts.names:x}"


def _owners(counts: Sequence[int]) -> Owners:
    """Without the parties at the end that have no rows."""
    last = max(party for party in range(PARTIES) if counts[party])
    if 0 in counts[:last]:
        raise ParameterError(
            f"expected parties with rows before those without, got {', '.join(map(str, counts))} rows of parties 0, 1 "
            "and 2; change who is which party: the lines of the hosts file, and the certificates"
        )
    return Owners(tuple(counts[: last + 1]))


def _unseen(facts: _Facts) -> Task:
    """A task of this kind without a single row."""
    nothing, no_labels = np.zeros((0, facts.features), np.uint8), np.zeros(0, np.uint8)
    return Task(
        "none",
        nothing,
        no_labels,
        nothing,
        no_labels,
        facts.image_shape,
        tuple(map(str, range(facts.classes))),
        "no rows of this host's own",
        sha256="",
        feature_names=() if facts.image_shape else tuple(f"x{j}" for j in range(facts.features)),
    )


def _spread(task: Task, owners: Owners, own: int) -> Task:
    """With zeros in the place of the others' rows."""
    x = np.zeros((sum(owners.row_counts), task.x_train.shape[1]), task.x_train.dtype)
    y = np.zeros(len(x), task.y_train.dtype)
    if own < len(owners.row_counts):
        first = sum(owners.row_counts[:own])
        x[first : first + len(task.x_train)] = task.x_train
        y[first : first + len(task.y_train)] = task.y_train
    return replace(task, x_train=x, y_train=y)
