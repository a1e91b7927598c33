"""The plan of carries: right for each number of leaves, and in as few rounds as the degree of a carry allows."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.primitives import adder, comparison
from mpc_tamper.engines.rep3.primitives.carry_tree import Leaves, plan
from mpc_tamper.engines.rep3.primitives.gate_plan import Plan

LANES = 64


def alone(count: int) -> Leaves:
    """Of one sum."""
    return Leaves(count, count, 1)


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
    first = 3 * len(a) + 1
    planes[first : first + tree.sums.shape[1]] = planes[tree.sums[0]] ^ planes[tree.sums[1]]
    for each in tree.rounds:
        products = planes[each.left] & planes[each.right]
        first = len(each.onto)
        planes[each.new : each.new + first] = planes[each.onto] ^ products[:first]
        np.bitwise_xor.at(planes, each.again, products[first:])
    return planes[tree.carries]


@pytest.mark.parametrize("leaves", [*range(1, 36), 61, 62, 63])
def test_each_carry_alone_and_all_together(leaves):
    rng = np.random.default_rng(leaves)
    a, b = rng.integers(0, 2**64, (2, leaves, LANES), np.uint64)
    b[:, :32] = ~a[:, :32]  # long ways for a carry
    b[0] = a[0]
    want = carried_out(leaves, a, b)
    for outputs in [*((q,) for q in range(leaves)), tuple(range(leaves))]:
        got = followed(plan(alone(leaves), *outputs), a, b)
        assert all(np.array_equal(got[i], want[q]) for i, q in enumerate(outputs)), outputs


@pytest.mark.parametrize("leaves", range(1, 64))
def test_as_few_rounds_as_the_degree_allows(leaves):
    """The carry out of n leaves has degree n + 1, and each round doubles a degree at most."""
    for outputs in ((leaves - 1,), (leaves // 2, leaves - 1)):
        rounds = plan(alone(leaves), *outputs).rounds
        assert len(rounds) == leaves.bit_length() == int(np.ceil(np.log2(leaves + 1)))
        assert all(len(each.left) == len(each.right) == len(each.onto) + len(each.again) for each in rounds)


def leaves_of_variants():
    """Counts at which a tree gains a round, and about them; nothing shared, all shared, and in between."""
    for count in (*range(1, 10), 15, 16, 17, 31, 32, 55, 62):
        for shared in sorted({0, 1, count // 3, count // 2, (8 * count) // 11, count - 1, count}):
            for variants in (1, 2, 3) if count < 32 else (2,):
                yield Leaves(count, shared, variants)


@pytest.mark.parametrize("leaves", list(leaves_of_variants()), ids=str)
def test_carries_of_variants_that_share_low_leaves(leaves):
    """Right, in as few rounds as the degree allows, and with hardly more products than a tree for each variant: the
    block that ends where leaves are shared no more has its g, once for all."""
    rng = np.random.default_rng(leaves.count)
    standing = leaves.standing()
    assert [leaves.index(*each) for each in standing] == list(range(len(standing)))
    a, b = rng.integers(0, 2**64, (2, len(standing), LANES), np.uint64)
    b[:, :32] = ~a[:, :32]  # long ways for a carry
    b[0] = a[0]
    tree = plan(leaves)
    got = followed(tree, a, b)
    for variant in range(leaves.variants):
        own = [leaves.index(j, variant) for j in range(leaves.count)]
        assert np.array_equal(got[variant], carried_out(leaves.count, a[own], b[own])[-1])
    assert len(tree.rounds) == leaves.count.bit_length()
    apart = sum(len(each.left) for each in plan(alone(leaves.count)).rounds)
    assert sum(len(each.left) for each in tree.rounds) <= leaves.variants * (apart + 1)


def brute_force(size: int, carry: int, product: int | None) -> float:
    """The fewest products for G and P of so many leaves, by trying all cuts."""
    late = product is not None and (product < 0 or size > 1 << product)
    if late or carry < 1:
        return np.inf
    if size == 1:
        return 1
    below = None if product is None else product - 1
    upper = carry - 1 if product is None else min(carry, product) - 1
    return min(
        brute_force(top, carry, upper) + brute_force(size - top, carry - 1, below) + (top > 1) + (product is not None)
        for top in range(1, size)
    )


@pytest.mark.parametrize("count", range(1, 9))
def test_fewest_products_of_one_variant(count):
    tree = plan(alone(count))
    assert sum(len(each.left) for each in tree.rounds) == brute_force(count, count.bit_length(), None)


def test_what_a_capped_relu_takes():
    """57 bits, of which 41 are shared: 55 leaves, 40 of them shared. Apart they take 127 products each."""
    tree = plan(Leaves(55, 40, 2))
    assert [len(each.left) for each in tree.rounds] == [61, 39, 24, 18, 11, 12]


@pytest.mark.parametrize(("bits", "planes"), [(3, 3), (6, 11), (33, 104), (57, 183), (64, 211)])
def test_what_a_comparison_takes(bits, planes):
    """Majorities and carries."""
    assert sum(comparison.gates(bits).values()) == planes


@pytest.mark.parametrize(("shift", "planes"), [(1, 215), (8, 215), (16, 215), (62, 304)])
def test_what_a_shift_takes(shift, planes):
    """Two carries, which have blocks in common."""
    positions = [64] if shift == 1 else [shift, 64]
    assert sum(adder.gates(64, positions).values()) == planes


def useless(tree: Plan) -> int:
    """Products that reach no output."""
    needed, count = set(tree.carries.tolist()), 0
    for each in reversed(tree.rounds):
        made = [*range(each.new, each.new + len(each.onto)), *each.again.tolist()]
        for node, left, right in zip(made, each.left.tolist(), each.right.tolist(), strict=True):
            if node in needed:
                needed |= {left, right}
                needed |= {each.onto[node - each.new]} if node >= each.new else set()
            else:
                count += 1
    return count


@pytest.mark.parametrize("shift", range(2, 64))
def test_every_product_of_a_shift_is_needed(shift):
    """No block is made once for the short carry and once for the long one."""
    assert useless(plan(alone(63), shift - 2, 62)) == 0
