"""From images and labels to the integers that owners and clients enter into the training of a network.

A row is attribute 0 (constant, 2^8) and the pixels, at scale 2^8. Its labels are -1 or 1, one for each output.

Whatever order the owners keep, no batch is of one class: each shuffles its rows before it enters them, with a public
seed, and the program deals the rows of all owners to the batches in proportion (mlp_train.mpc). Of a class with a share
p of the rows a batch of B rows has none with probability below exp(-p B), for any order fixed before the seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import numpy as np

from mpc_tamper.models.encoding import Rows, check_counts, signed_labels, write_owners
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.spec import InputFiles


def shuffled(rows: int, random_state: int, owner: int) -> np.ndarray:
    """(rows,) indices: in which order an owner or client, by its number, enters its rows. No two shuffle alike."""
    draw = Random(f"{random_state} {owner}").random
    return np.argsort([draw() for _ in range(rows)], kind="stable")


def training_order(owners: Sequence[int], batch: int, random_state: int) -> np.ndarray:
    """(m,): which row of the data stands at each position of the training.  owners: how many rows each has, in order.

    As mlp_train.mpc deals them: row i of an owner of m_o rows stands at floor((2 i + 1) m / m_o), within a batch by
    owner.
    """
    total = sum(owners)
    dealt = sorted(((2 * i + 1) * total // count, owner, i) for owner, count in enumerate(owners) for i in range(count))
    firsts = np.concatenate([[0], np.cumsum(owners)])
    orders = [firsts[owner] + shuffled(count, random_state, owner) for owner, count in enumerate(owners)]
    order = []
    for base in range(0, total, batch):
        order += sorted((owner, i) for _, owner, i in dealt[base : base + batch])
    return np.array([orders[owner][i] for owner, i in order])


def write_rows(
    folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, classes: int, batch: int, random_state: int
) -> Mapping[int, InputFiles]:
    """Each owner's binary input for mlp_train.mpc.

    x: (m, n) uint8 or int32.  y: (m,) labels.  Raises DataError where they do not fit each other or the owners.
    """
    check_counts(x, y, owners)
    labels = signed_labels(y, classes)
    blocks: dict[int, list[Rows | np.ndarray]] = {}
    first = 0
    for party, count in enumerate(owners.row_counts):
        order, own = shuffled(count, random_state, party), slice(first, first + count)
        rows = Rows(x[own], order=order)
        blocks[party] = [rows, labels[own][order]] if owners.labels is None else [rows]
        first += count
    if owners.labels is not None:
        order = training_order(owners.row_counts, batch, random_state)
        blocks.setdefault(owners.labels, []).append(labels[order])
    return write_owners(folder, blocks)
