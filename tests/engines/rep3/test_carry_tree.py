"""The plan of carries: right for each number of leaves, and in as few rounds as the degree of a carry allows."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.primitives.carry_tree import Plan, plan

LANES = 64


def carried_out(leaves: int, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """Of each leaf, one after the other."""
    carry, found = np.zeros(LANES, np.uint64), []
    for j in range(leaves):
        carry = a[j] & b[j] | carry & (a[j] ^ b[j])
        found.append(carry)
    return found


def followed(tree: Plan, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    planes = np.zeros((tree.planes, LANES), np.uint64)
    planes[: 3 * len(a)] = np.concatenate([a, b, a ^ b])
    for each in tree.rounds:
        products = planes[each.left] & planes[each.right]
        first = len(each.onto)
        planes[each.new : each.new + first] = planes[each.onto] ^ products[:first]
        planes[each.again] ^= products[first:]
    return planes[tree.carries]


@pytest.mark.parametrize("leaves", [*range(1, 36), 61, 62, 63])
def test_each_carry_alone_and_all_together(leaves):
    rng = np.random.default_rng(leaves)
    a, b = rng.integers(0, 2**64, (2, leaves, LANES), np.uint64)
    b[:, :32] = ~a[:, :32]  # long ways for a carry
    b[0] = a[0]
    want = carried_out(leaves, a, b)
    for outputs in [*((q,) for q in range(leaves)), tuple(range(leaves))]:
        got = followed(plan(leaves, outputs), a, b)
        assert all(np.array_equal(got[i], want[q]) for i, q in enumerate(outputs)), outputs


@pytest.mark.parametrize("leaves", range(1, 64))
def test_as_few_rounds_as_the_degree_allows(leaves):
    """The carry out of n leaves has degree n + 1, and each round doubles a degree at most."""
    rounds = plan(leaves, (leaves - 1,)).rounds
    assert len(rounds) == leaves.bit_length() == int(np.ceil(np.log2(leaves + 1)))
    assert all(len(each.left) == len(each.right) == len(each.onto) + len(each.again) for each in rounds)


@pytest.mark.parametrize("leaves", [1, 2, 4, 8, 16, 32])
def test_sklansky_s_tree_where_it_has_no_more_rounds(leaves):
    first = plan(leaves, (leaves - 1,)).rounds[0]
    assert first.left.tolist() == list(range(leaves))  # its first round makes all g and nothing else
    assert first.right.tolist() == list(range(leaves, 2 * leaves))
