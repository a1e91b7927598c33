"""Equal errors in two gates of different blocks of a group, and of different groups: each block of each group has
subsets, or weights, of its own. Twins in which they are the same show that the errors would cancel."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import bits, entries, record
from mpc_tamper.engines.rep3.protocol.proof.record import Gates
from mpc_tamper.engines.rep3.protocol.prss import Stream
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import accepted_by_honest, run, shared

BLOCK = 64  # outputs, products or words of AND gates
GATES = 2 * BLOCK
LANES = 64 * GATES
PLACE = 5  # of the gates in their blocks
FIRST = np.zeros(1, np.intp)  # of one plane


def products(party: Party, opened: list[np.ndarray]) -> None:
    """And dot products."""
    x = shared(party, 0, np.arange(GATES, dtype=np.uint64))
    pairs = shared(party, 1, np.arange(2 * GATES, dtype=np.uint64)).reshape(GATES, 2)
    party.steps.start(4)
    results = [passive.mul(party, x, x), passive.dot(party, pairs, pairs)]
    party.steps.stop(4)
    opened += [open_to_all(party, z) for z in results]


def planes(party: Party, opened: list[np.ndarray]) -> None:
    """AND gates and majorities."""
    x = shared(party, 0, np.arange(GATES, dtype=np.uint64).reshape(1, GATES))
    party.steps.start(4)
    results = [
        alone(party, passive.and_planes(party, x, FIRST, FIRST, LANES, "and")),
        alone(party, passive.majority_planes(party, x, LANES, "majority")),
    ]
    party.steps.stop(4)
    opened += [open_to_all(party, z) for z in results]


PLANS = {
    "blocks of products": (products, [("STEP", PLACE), ("STEP", PLACE + BLOCK)], 1 << 63),
    "groups of products": (products, [("STEP", PLACE), ("STEP", PLACE + GATES)], 1 << 63),
    "blocks of bits": (planes, [("STEP/and", PLACE), ("STEP/and", PLACE + 64 * BLOCK)], 1),
    "groups of bits": (planes, [("STEP/and", PLACE), ("STEP/majority", PLACE)], 1),
}
corrupt = pytest.mark.parametrize("corrupt_party", range(3))
plans = pytest.mark.parametrize("name", PLANS)


def accepted(name: str, corrupt_party: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(record, "_BLOCK_WORDS", BLOCK)
    program, places, value = PLANS[name]
    plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, index, value) for site, index in places])
    ends = run(program, corrupt_party=corrupt_party, plan=plan)
    return accepted_by_honest(ends, corrupt_party)


@corrupt
@plans
def test_equal_errors(corrupt_party, name, monkeypatch):
    assert not accepted(name, corrupt_party, monkeypatch)


@corrupt
@plans
def test_they_would_cancel_if_all_blocks_had_the_same(corrupt_party, name, monkeypatch):
    draw_members, draw_weights = entries.draw_members, bits._Weights.__init__

    def same_members(stream: Stream, count: int) -> np.ndarray:
        return draw_members(Stream(b"a key that all blocks share", b"a"), count)

    def same_weights(weights: bits._Weights, challenge: bytes, groups: list[Gates]) -> None:
        draw_weights(weights, challenge, groups)
        weights.of_groups = [np.full_like(sigma, weights.rho[0]) for sigma in weights.of_groups]

    monkeypatch.setattr(entries, "draw_members", same_members)
    monkeypatch.setattr(bits._Weights, "__init__", same_weights)
    assert accepted(name, corrupt_party, monkeypatch)
