"""Kernels of bit planes against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import bit_ops
from mpc_tamper.engines.rep3.primitives.carry_tree import Leaves, plan

RNG = np.random.default_rng(0)


def words(*shape: int) -> np.ndarray:
    return RNG.integers(0, 2**64, shape, np.uint64)


@pytest.mark.parametrize("lanes", [1, 63, 64, 65, 200])
def test_planes_and_back(lanes):
    values = words(lanes)
    planes = bit_ops.to_planes(values, 64)
    bits = bit_ops.from_planes(planes, lanes).reshape(64, lanes)
    want = [values >> np.uint64(j) & np.uint64(1) for j in range(64)]
    np.testing.assert_array_equal(bits, want)


@pytest.mark.parametrize("lanes", [1, 64, 600])
def test_planes_where_they_are_wanted(lanes):
    values, count = words(lanes), bit_ops.words_for(lanes)
    rows = np.array([-1, 4, -1, 0, 2], np.intp)
    planes = words(6, count)
    want = planes.copy()
    want[[4, 0, 2]] = bit_ops.to_planes(values, 5)[[1, 3, 4]]
    bit_ops.planes_at(values, rows, planes)
    np.testing.assert_array_equal(planes, want)


@pytest.mark.parametrize("sums", [[], [(0, 1), (3, 3), (2, 0)]])
def test_leaves_that_enter(sums):
    s, c, planes = words(5, 3), words(4, 3), words(18, 3)
    a, b, pairs = np.array([1, 4, 4, 0]), np.array([3, 0, 1, 1]), np.array(sums, np.intp).reshape(-1, 2).T.copy()
    want = np.concatenate([s[a], c[b], s[a] ^ c[b], np.zeros((1, 3), np.uint64), s[a][pairs[0]] ^ s[a][pairs[1]]])
    rest = planes[len(want) :].copy()
    bit_ops.enter_leaves(s, c, a, b, pairs, planes)
    np.testing.assert_array_equal(planes, np.concatenate([want, rest]))


@pytest.mark.parametrize("leaves", [1, 8, 13])
def test_a_round_of_products(leaves):
    tree = plan(Leaves(leaves, leaves, 1))
    x = words(3, tree.planes, 3)
    for each in tree.rounds:
        pads = words(3, each.left.size, 3)
        shares = [bit_ops.and_shares((pads[i], pads[i - 1]), x[i], x[i - 1], each.left, each.right) for i in range(3)]
        values = np.bitwise_xor.reduce(x)
        np.testing.assert_array_equal(np.bitwise_xor.reduce(shares), values[each.left] & values[each.right])
        own, products, first = x[0], words(len(each.left), 3), len(each.onto)
        want = own.copy()
        want[each.new : each.new + first] = own[each.onto] ^ products[:first]
        np.bitwise_xor.at(want, each.again, products[first:])  # a plane may get several
        bit_ops.add_products(products, each.new, each.onto, each.again, own)
        np.testing.assert_array_equal(own, want)


def test_the_shares_of_a_majority():
    x, pads = words(3, 5, 4), words(3, 5, 4)
    shares = [bit_ops.majority_shares((pads[i], pads[i - 1]), x[i], x[i - 1]) for i in range(3)]
    want = x[0] & x[1] ^ x[1] & x[2] ^ x[2] & x[0]
    np.testing.assert_array_equal(shares[0] ^ shares[1] ^ shares[2], want)


def test_the_messages_of_a_conversion():
    pad_own, pad_previous, own, previous = words(4, 9)
    z, beta = np.empty(5, np.uint64), words(3)
    bit_ops.conversion_messages(pad_own, pad_previous, own, previous, beta, 3, 5, 6, 9, z)
    np.testing.assert_array_equal(z[:2], (pad_own * previous - pad_previous)[3:5])
    np.testing.assert_array_equal(z[2:], beta * own[6:] + (pad_own - pad_previous)[6:])


def test_the_results_of_a_conversion():
    """beta + b_2 - 2 z: of bits 6, 7, 8 in role 0, 0 .. 3 in role 1 and 4, 5 in role 2."""
    (pad_own, pad_previous, own, previous), (z_0, z_2_here) = words(4, 9), words(2, 3)
    beta_1, z_0_here, beta_1_here, z_2 = *words(2, 4), *words(2, 2)
    bits_own, bits_previous = words(2, 9)
    known = pad_own, pad_previous, own, previous, beta_1, beta_1_here, z_0_here, z_2_here
    bit_ops.converted(*known, 6, 0, 4, z_0, z_2, bits_own, bits_previous)
    two = np.uint64(2)
    want = [beta_1 - two * pad_own[:4], own[4:6] - two * z_2, pad_own[6:] - two * z_0]
    np.testing.assert_array_equal(bits_own, np.concatenate(want))
    want = [pad_previous[:4] - two * z_0_here, beta_1_here - two * pad_previous[4:6], previous[6:] - two * z_2_here]
    np.testing.assert_array_equal(bits_previous, np.concatenate(want))
