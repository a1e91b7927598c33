"""Runs of the active protocol in threads, of which each party's end is looked at by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.handshake import agree_on_keys
from mpc_tamper.engines.rep3.in_process import ends_in_threads
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.primitives.shift import right_shift
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveErrorPlan
from tests.support.shifts import shifted, shifted_in_clear

SITES = {4: "STEP"}
LANES = 6
SHIFTS = (0, 2**20, 2**64 - 2**41)


@dataclass
class End:
    """What a party opened, in order, and what ended it; None: the end of the program."""

    opened: list[np.ndarray]
    error: BaseException | None


Program = Callable[[Party, list[np.ndarray]], None]


def run(
    program: Program,
    *,
    corrupt_party: int | None = None,
    deviate: Callable[[Party], None] | None = None,
    plan: AdditiveErrorPlan | None = None,
    active_class: type[Active] = Active,
    every_class: type[Active] = Active,
    timeout_seconds: float = 60.0,
    insecure_fixed_seed: int | None = None,
) -> list[End]:
    """The corrupt party's object is changed by `deviate`, its gates by `plan`, its proofs by `active_class`.

    every_class: of the others.
    """
    opened: list[list[np.ndarray]] = [[], [], []]
    recorders: list[Active] = []

    def corruptible(party: Party) -> None:
        if deviate is not None and party.party_id == corrupt_party:
            deviate(party)
        program(party, opened[party.party_id])

    def recorder(channel: Channel, prss: Prss) -> Active:
        made = (active_class if channel.party_id == corrupt_party else every_class)(channel, prss, b"test")
        recorders.append(made)
        return made

    ends = ends_in_threads(
        corruptible,
        sites=SITES,
        corruption=None if plan is None or corrupt_party is None else Corruption(corrupt_party, plan),
        recorder=recorder,
        keys=partial(agree_on_keys, insecure_fixed_seed=insecure_fixed_seed),
        timeout_seconds=timeout_seconds,
    )
    for under_way in (each._under_way for each in recorders):
        if under_way is not None:  # of a run that has failed; a process would end now, this one has other tests
            under_way._thread.back()
    return [End(arrays, end.error) for arrays, end in zip(opened, ends, strict=True)]


def accepted_by_honest(ends: list[End], corrupt_party: int) -> bool:
    """Whether both honest parties go on to the end; else they have opened nothing, and one of them rejects a proof."""
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    if [end.error for end in honest] == [None, None]:
        return True
    assert all(end.opened == [] for end in honest)
    assert any(isinstance(end.error, ProofRejected) for end in honest)
    return False


def without_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Challenges, and with them weights, that do not depend on what they test: the same in each batch and run."""

    def challenge_part(key, session, prover, batch, hashes):
        return hashlib.sha256(bytes([prover, len(hashes)])).digest()

    monkeypatch.setattr(transcript, "challenge_part", challenge_part)


def kernel(words: np.ndarray) -> np.ndarray:
    """e in {0, 1}^n, not zero, with the sum of e_i words_i zero over GF(2): n words, more than bits in use."""
    pivots: dict[int, int] = {}
    for i, word in enumerate(words.tolist()):
        row = word | 1 << (64 + i)  # and which words it is the sum of
        while lowest := row & (2**64 - 1) & -row:
            if lowest not in pivots:
                pivots[lowest] = row
                break
            row ^= pivots[lowest]
        else:
            return np.array([row >> (64 + j) & 1 for j in range(len(words))], np.uint64)
    raise AssertionError("expected more words than they have bits")


def shared(party: Party, owner: int, values: np.ndarray) -> RepShare:
    flat, position = values.reshape(-1), [0]

    def read(count: int) -> np.ndarray:
        position[0] += count
        return flat[position[0] - count : position[0]]

    return share_input(party, owner, values.shape, read)


def small_program(party: Party, opened: list[np.ndarray]) -> None:
    """Each kind of gate, and two batches with an opening after each."""
    x = shared(party, 0, np.arange(1, 1 + LANES, dtype=np.uint64))
    y = shared(party, 1, np.array([3, 2**64 - 2] * (LANES // 2), np.uint64))
    party.steps.start(4)
    bits = alone(party, less_than_zero(party, passive.mul(party, x, y), 6))
    product = passive.matmul(party, x.reshape(2, 3), bits.reshape(3, 2))
    party.steps.stop(4)
    opened.append(open_to_all(party, product))
    opened.append(open_to_all(party, passive.trans_matmul(party, x.reshape(2, 3), product)))


def every_operation(party: Party, opened: list[np.ndarray]) -> None:
    """All primitives, at lengths for which the proofs have several levels over both rings."""
    rng = np.random.default_rng(1)
    x = shared(party, 2, rng.integers(0, 2**64, 3000, np.uint64))
    y = shared(party, 0, rng.integers(-(2**15), 2**15, 3000).view(np.uint64))
    z = passive.mul(party, x, y)
    matrix, vectors = y.reshape(50, 60), z[:180].reshape(60, 3)
    results = [
        z,
        passive.mul(party, z, z),
        passive.dot(party, x.reshape(50, 60), z.reshape(50, 60)),
        passive.dot(party, z.reshape(60, 50), z.reshape(60, 50)),
        alone(party, less_than_zero(party, z, 64)),
        alone(party, less_than_zero(party, y, 17)),
        alone(party, less_than_zero(party, shifted(party, z[:700], SHIFTS), 57)),
        alone(party, right_shift(party, z[:500], 13)),
        passive.matmul(party, matrix, vectors),
        passive.matmul(party, matrix, vectors),
        passive.trans_matmul(party, matrix, z[:50].reshape(50, 1)),
        passive.matmul(party, z.reshape(50, 60), vectors),
        passive.trans_matmul(party, z.reshape(60, 50), vectors),
    ]
    opened += [open_to_all(party, result) for result in results]


def every_operation_in_clear() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 2**64, 3000, np.uint64)
    y = rng.integers(-(2**15), 2**15, 3000).view(np.uint64)
    z = x * y
    matrix, vectors = y.reshape(50, 60), z[:180].reshape(60, 3)
    return [
        z,
        z * z,
        (x * z).reshape(50, 60).sum(axis=1, dtype=np.uint64),
        (z * z).reshape(60, 50).sum(axis=1, dtype=np.uint64),
        z >> np.uint64(63),
        (y >> np.uint64(16)) & np.uint64(1),
        (shifted_in_clear(z[:700], SHIFTS) >> np.uint64(56)) & np.uint64(1),
        (z[:500].view(np.int64) >> 13).view(np.uint64),
        matrix @ vectors,
        matrix @ vectors,
        matrix.T @ z[:50].reshape(50, 1),
        z.reshape(50, 60) @ vectors,
        z.reshape(60, 50).T @ vectors,
    ]
