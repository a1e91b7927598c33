"""The protocol's operations against plain integers, on edge cases and random ones, with declared costs measured."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import OpeningError
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives import comparison, shift
from mpc_tamper.engines.rep3.primitives.conversion import bits_to_integers
from mpc_tamper.engines.rep3.protocol import inputs, opening, passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare, public
from mpc_tamper.runs.result import Cost

EDGES = [0, 1, 2**64 - 1, 2**63, 2**63 - 1, 2**62, 2**32, 2]
words = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**64 - 1))
few = settings(max_examples=25)


def vectors(size: int = 70) -> st.SearchStrategy[np.ndarray]:
    return st.lists(words, min_size=1, max_size=size).map(lambda v: np.array(v, np.uint64))


def matrix(rows: int, columns: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (rows, columns), np.uint64)


def shared(party: Party, owner: int, values: np.ndarray) -> RepShare:
    flat, position = values.reshape(-1), [0]

    def read(count: int) -> np.ndarray:
        position[0] += count
        return flat[position[0] - count : position[0]]

    return inputs.share_input(party, owner, values.shape, read)


def compute(
    function: Callable[..., RepShare], *values: np.ndarray, cost: Callable[[int], Cost] | None = None
) -> np.ndarray:
    """Input the values by parties 0, 1, 2 in turn, compute, open; check agreement and, if given, the declared cost."""

    def program(party: Party) -> np.ndarray:
        shares = [shared(party, i % 3, v) for i, v in enumerate(values)]
        channel = party.channel
        before = Cost(0, channel.bytes_sent, channel.rounds)
        result = function(party, *shares)
        if cost is not None:
            spent = Cost(0, channel.bytes_sent - before.bytes_sent, channel.rounds - before.rounds)
            assert spent == cost(party.party_id)
        return opening.open_to_all(party, result)

    results = run_in_threads(program)
    assert all(np.array_equal(r, results[0]) for r in results)
    return results[0]


@few
@given(vectors(), st.data())
def test_mul(x, data):
    y = np.array(data.draw(st.lists(words, min_size=len(x), max_size=len(x))), np.uint64)
    got = compute(passive.mul, x, y, cost=lambda _: passive.cost(len(x)))
    assert got.tolist() == [a * b % 2**64 for a, b in zip(x.tolist(), y.tolist(), strict=True)]


@pytest.mark.parametrize(("a", "b", "c"), [(1, 1, 1), (7, 5, 1), (4, 9, 1), (9, 4, 3), (2, 3, 8)])
def test_matrix_products(a, b, c):
    x, y, z = matrix(a, b), matrix(b, c, 6), matrix(a, c, 7)
    assert np.array_equal(compute(passive.matmul, x, y, cost=lambda _: passive.cost(a * c)), x @ y)
    assert np.array_equal(compute(passive.trans_matmul, x, z, cost=lambda _: passive.cost(b * c)), x.T @ z)
    assert np.array_equal(compute(passive.dot, x, x, cost=lambda _: passive.cost(a)), (x * x).sum(axis=1))


@few
@given(vectors(), st.integers(2, 64))
def test_less_than_zero_is_bit_k_minus_1_in_range_or_not(x, k):
    got = compute(
        lambda p, s: alone(p, comparison.less_than_zero(p, s, k)), x, cost=lambda i: comparison.cost(i, k, len(x))
    )
    assert got.tolist() == [v >> (k - 1) & 1 for v in x.tolist()]


@pytest.mark.parametrize("k", range(2, 65))
def test_less_than_zero_at_every_width(k):
    x = np.array([*EDGES, 1 << (k - 1), (1 << (k - 1)) - 1], np.uint64)
    got = compute(lambda p, s: alone(p, comparison.less_than_zero(p, s, k)), x)
    assert got.tolist() == [v >> (k - 1) & 1 for v in x.tolist()]


@few
@given(vectors(), st.integers(0, 63))
def test_right_shift_is_the_exact_floor(x, t):
    got = compute(lambda p, s: alone(p, shift.right_shift(p, s, t)), x, cost=lambda i: shift.cost(i, t, len(x)))
    assert got.view(np.int64).tolist() == [v >> t for v in x.view(np.int64).tolist()]


@pytest.mark.parametrize("t", range(64))
def test_right_shift_at_every_width(t):
    x = np.array([*EDGES, (1 << t) - 1, 1 << t, 2**64 - (1 << t)], np.uint64)
    got = compute(lambda p, s: alone(p, shift.right_shift(p, s, t)), x)
    assert got.view(np.int64).tolist() == [v >> t for v in x.view(np.int64).tolist()]


@pytest.mark.parametrize("lanes", [1, 2, 3, 63, 64, 65, 200])
def test_bits_to_integers(lanes):
    planes = matrix(3, -(-lanes // 64))
    got = compute(lambda p, s: alone(p, bits_to_integers(p, as_xor(p, s), lanes)), planes)
    bits = [int(planes[p, e // 64]) >> (e % 64) & 1 for p in range(3) for e in range(lanes)]
    assert got.tolist() == bits


def as_xor(party: Party, planes: RepShare) -> RepShare:
    """An xor sharing of public planes: opened first, then masked again by pads that two parties know."""
    values = opening.open_to_all(party, planes)
    mask = party.prss.zero_bits(values.shape)
    z = mask ^ values if party.party_id == 0 else mask
    return passive.reshare(party, z, "mask")


@pytest.mark.parametrize("owner", range(3))
def test_input_by_each_owner_leaves_one_component_zero(owner):
    x = matrix(6, 4)

    def program(party: Party) -> tuple[np.ndarray, bool, bool]:
        share = shared(party, owner, x)
        return opening.open_to_all(party, share), not share.own.any(), not share.previous.any()

    results = run_in_threads(program)
    assert all(np.array_equal(value, x) for value, _, _ in results)
    assert [own for _, own, _ in results] == [i == (owner + 1) % 3 for i in range(3)]
    assert [previous for _, _, previous in results] == [i == (owner + 2) % 3 for i in range(3)]


def test_input_in_several_messages(monkeypatch):
    monkeypatch.setattr(inputs, "_CHUNK", 7)
    x = matrix(5, 6)
    assert np.array_equal(compute(lambda p, s: s, x), x)


def test_public_values():
    values = np.array(EDGES, np.uint64)
    assert np.array_equal(compute(lambda p: public(values, p.party_id)), values)


def test_opening_checks_that_both_holders_agree():
    def program(party: Party) -> np.ndarray:
        share = public(np.array([5], np.uint64), party.party_id)
        if party.party_id == 1:
            share.previous += np.uint64(1)
        return opening.open_to_all(party, share)

    with pytest.raises(OpeningError, match="opened different values"):
        run_in_threads(program)


@pytest.mark.parametrize("owner", range(3))
@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("product", [passive.matmul, passive.trans_matmul])
@pytest.mark.parametrize("columns", [1, 3])
def test_products_by_an_input_of_each_owner(owner, small, product, columns):
    """The owner multiplies by what it knows, where its values are small; the other two by one component each."""
    rng = np.random.default_rng(owner)
    x = rng.integers(-(2**15), 2**15, (9, 5)).view(np.uint64) if small else matrix(9, 5)
    y = matrix(5 if product is passive.matmul else 9, columns)
    want = (x if product is passive.matmul else x.T) @ y

    def program(party: Party) -> tuple[np.ndarray, bool]:
        left = shared(party, owner, x)
        right = passive.reshare(party, party.prss.zero_share(y.shape), "mask") + public(y, party.party_id)
        return opening.open_to_all(party, product(party, left, right)), left.plain is not None

    results = run_in_threads(program)
    assert all(np.array_equal(value, want) for value, _ in results)
    assert [plain for _, plain in results] == [small and i == owner for i in range(3)]


def test_an_input_is_read_only_and_its_copy_is_not_one():
    def program(party: Party) -> None:
        share = shared(party, 1, matrix(3, 3))
        with pytest.raises(ValueError, match="read-only"):
            share[0] = share[1]
        copy = share[1:].copy()
        copy[0] = copy[1]
        assert (share[1:].owner, copy.owner, copy.plain) == (1, None, None)

    run_in_threads(program)
