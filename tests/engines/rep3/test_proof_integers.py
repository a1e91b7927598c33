"""Arithmetic of the proof of products, modulo 2^128, against Python's integers; and its soundness formula."""

from __future__ import annotations

import itertools
import math
import random as python_random
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.rep3.kernels import SUBSETS, gate_rows, gate_sums, ring_128, subsets
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerStatement
from mpc_tamper.engines.rep3.protocol.proof.matrices import draw_members
from mpc_tamper.engines.rep3.protocol.proof.record import SEPARATE, Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.soundness import subset_error, valuation_error
from mpc_tamper.engines.rep3.protocol.prss import Stream
from tests.support.products_of_matrices import pairs_of_rows

MODULUS = 2**128
EDGES = [0, 1, 2**63, 2**64 - 1]


def words(*shape: int, seed: int = 0) -> np.ndarray:
    """Random ones, the first few of them extreme."""
    drawn = np.random.default_rng(seed).integers(0, 2**64, shape, np.uint64)
    flat = drawn.reshape(-1)
    flat[: len(EDGES)] = EDGES[: flat.size]
    return drawn


def numbers(elements: np.ndarray) -> list[int]:
    return [int(low) | int(high) << 64 for low, high in elements.reshape(-1, 2).tolist()]


def members(count: int, seed: int = 9) -> np.ndarray:
    return words(count, seed=seed) >> np.uint64(64 - SUBSETS)


def in_subset(member: np.uint64, k: int) -> int:
    return int(member) >> k & 1


def inner_product(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True)) % MODULUS


@settings(max_examples=15)
@given(st.integers(1, 200), st.sampled_from([0, 1, 2, 5]), st.sampled_from([0, 1, 2, 3]), st.integers(0, 2**32))
def test_sums_of_gates_over_subsets(n, inner, products, seed):
    """Of gates of so many products each, in parts that add up; bits above the 48th are of no subset."""
    m, t = words(n, seed=seed), words(2, n, seed=3)
    pairs = [words(2, n * inner, seed=seed + i) for i in range(products)]
    sums, of_t = np.zeros((SUBSETS, 2), np.uint64), np.zeros((2, SUBSETS), np.uint64)
    for start, stop in ((0, n // 2), (n // 2, n)):
        where = slice(start * inner, stop * inner)
        some = [(u[where], v[where]) for u, v in pairs]
        gate_sums.add_gates(m[start:stop], some, (t[0, start:stop], t[1, start:stop]), sums, of_t)
    of_gates = [
        sum(inner_product(*(each[c * inner : (c + 1) * inner].tolist() for each in pair)) for pair in pairs)
        for c in range(n)
    ]
    inside = [[in_subset(each, k) for each in m] for k in range(SUBSETS)]
    assert numbers(sums) == [inner_product(each, of_gates) for each in inside]
    assert of_t.tolist() == [[inner_product(each, of_role.tolist()) % 2**64 for each in inside] for of_role in t]


def test_many_gates_with_the_largest_products():
    """All in all subsets, and so many that carries have to wait more than once."""
    n, largest = 10_000, 2**64 - 1
    full = np.full(n, largest, np.uint64)
    sums, of_t = np.zeros((SUBSETS, 2), np.uint64), np.zeros((2, SUBSETS), np.uint64)
    gate_sums.add_gates(full, [(full, full)] * 2, (full, full), sums, of_t)
    assert numbers(sums) == [2 * n * largest**2 % MODULUS] * SUBSETS
    assert (of_t == n * largest % 2**64).all()


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 70), (70, 3), (129, 65)])
def test_sums_of_rows_and_columns_of_a_matrix(m, n):
    x, of_rows, of_columns = words(m, n), members(m), members(n)
    bits = [(each >> np.arange(SUBSETS, dtype=np.uint64)[:, None]) & np.uint64(1) for each in (of_rows, of_columns)]
    assert np.array_equal(subsets.sums_of_rows(of_rows, x), bits[0] @ x)
    assert np.array_equal(subsets.sums_of_columns(of_columns, x), bits[1] @ x.T)


@settings(max_examples=15)
@given(st.sampled_from([1, 2, 4, 16]), st.integers(1, 200), st.sampled_from([1, 3]), st.integers(0, 2**32))
def test_a_level_over_words(k, n, inner, seed):
    """Vectors are cut into k rows, with zeros at the end of the last ones; a weight is that of all words of a gate."""
    m, rho = words(n, seed=seed), words(SUBSETS, 2, seed=seed)
    alpha, beta = words(k, 2, seed=seed + 2), words(k, 2, seed=seed + 3)
    pairs = [words(2, n * inner, seed=seed + i) for i in range(3)]
    weights = [sum(r * in_subset(each, i) for i, r in enumerate(numbers(rho))) for each in m]
    columns = -(-n * inner // k)
    zeros = [0] * (k * columns - n * inner)

    def rows(values):
        return np.array([*values, *zeros], object).reshape(k, columns)

    of_words = rows(np.repeat(np.array(weights, object), inner))
    z, folded = np.zeros((k, k, 2), np.uint64), np.empty((5, columns, 2), np.uint64)
    gate_rows.add_row_products(gate_rows.tables_of(rho), m, [tuple(pair) for pair in pairs], z)
    us, vs = ([rows(pair[side].tolist()) for pair in pairs] for side in range(2))
    for a, b in itertools.product(range(k), repeat=2):
        want = sum((u[a] * of_words[b] * v[b]).sum() for u, v in zip(us, vs, strict=True))
        assert numbers(z[a, b]) == [want % MODULUS]
    for some in (pairs[:1], [*pairs, *pairs[:2]]):
        outs = folded[: len(some)]
        gate_rows.fold(
            gate_rows.tables_of_rows(rho, beta), m, [(v, out) for (_, v), out in zip(some, outs, strict=True)]
        )
        for out, v in zip(outs, [*vs, *vs][: len(some)], strict=True):
            factors = np.array(numbers(beta), object)[:, None]
            assert numbers(out) == ((factors * of_words * v).sum(axis=0) % MODULUS).tolist()
    ring_128.fold_words(alpha, pairs[0][0], folded[0])
    for c in range(columns):
        assert numbers(folded[0, c]) == [inner_product(numbers(alpha), us[0][:, c].tolist())]


@pytest.mark.parametrize("n", [511, 513, 1100])
def test_a_level_over_more_columns_than_are_worked_on_together(n):
    """Against the same of all columns in parts."""
    k = 3
    m, rho, beta, u, v = words(k * n), words(SUBSETS, 2), words(k, 2), words(k * n, seed=1), words(k * n, seed=2)
    tables, by_row = gate_rows.tables_of(rho), gate_rows.tables_of_rows(rho, beta)
    found, want = np.zeros((2, k, k, 2), np.uint64)
    folded, whole = np.empty((2, n, 2), np.uint64)
    gate_rows.add_row_products(tables, m, [(u, v)], found)
    gate_rows.fold(by_row, m, [(v, folded)])
    for start in range(0, n, 100):
        columns = slice(start, start + 100)
        m_some, u_some, v_some = (each.reshape(k, n)[:, columns].reshape(-1) for each in (m, u, v))
        gate_rows.add_row_products(tables, m_some, [(u_some, v_some)], want)
        gate_rows.fold(by_row, m_some, [(v_some, whole[columns])])
    assert np.array_equal(found, want)
    assert np.array_equal(folded, whole)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 50), (5, 97)])
def test_products_of_rows_and_combinations(k, n):
    u, v, coefficients = words(k, n, 2), words(k + 1, n, 2, seed=1), words(k, 2, seed=2)
    z = ring_128.row_products(u, v)
    for a, b in itertools.product(range(k), range(k + 1)):
        assert numbers(z[a, b]) == [inner_product(numbers(u[a]), numbers(v[b]))]
    combined, of_words = ring_128.combine(coefficients, u), np.zeros((n, 2), np.uint64)
    ring_128.combine_words(coefficients, u[:, :, 0].copy(), of_words)
    for c in range(n):
        assert numbers(combined[c]) == [inner_product(numbers(coefficients), numbers(u[:, c]))]
        assert numbers(of_words[c]) == [inner_product(numbers(coefficients), u[:, c, 0].tolist())]
    assert numbers(ring_128.sums(u[0], v[0])) == [
        (a + b) % MODULUS for a, b in zip(numbers(u[0]), numbers(v[0]), strict=True)
    ]
    assert numbers(ring_128.differences(u[0], v[0])) == [
        (a - b) % MODULUS for a, b in zip(numbers(u[0]), numbers(v[0]), strict=True)
    ]


@pytest.mark.parametrize("n", [1, 97, 400])
def test_products_of_all_pairs_of_subsets(n):
    a, b = words(SUBSETS, n), words(SUBSETS, n, seed=1)
    total, low = pairs_of_rows([a], [b])
    for j, k in ((0, 0), (0, 47), (47, 0), (13, 30)):
        assert numbers(total[j, k]) == [inner_product(a[j].tolist(), b[k].tolist())]
    assert np.array_equal(low, total[:, :, 0])


@pytest.mark.parametrize("masked", [False, True])
def test_a_new_claim_is_the_combination_of_all_products_of_rows(masked):
    """With the last product set from the claim: the sum of z_aa outside the mask's row."""
    level = bilinear.Level(3, masked)
    u, v = words(3 + masked, 5, 2), words(3 + masked, 5, 2, seed=1)
    z = ring_128.row_products(u, v)
    claim = [sum(numbers(z[a, a])[0] for a in range(int(masked), 3 + masked)) % MODULUS]
    alpha, beta = bilinear.coefficients(level, b"a challenge")
    assert len(alpha) == len(beta) == 3 + masked
    assert not masked or (numbers(alpha)[0], numbers(beta)[0]) == (1, 1)
    parts = z.reshape(-1, 2)[:-1].copy()
    assert len(parts) == level.values
    as_element = np.array([[claim[0] % 2**64, claim[0] >> 64]], np.uint64)
    got = bilinear.new_claim(level, parts, as_element, alpha, beta)
    folded = numbers(ring_128.combine(alpha, u)), numbers(ring_128.combine(beta, v))
    assert numbers(got) == [inner_product(*folded)]


def test_members_are_uniform_over_all_subsets():
    drawn = draw_members(Stream(b"a key", b"a purpose"), 20_000)
    assert drawn.max() < 2**SUBSETS
    ones = ((drawn[:, None] >> np.arange(SUBSETS, dtype=np.uint64)) & np.uint64(1)).sum(axis=0)
    assert (np.abs(ones - 10_000.0) < 6 * math.sqrt(5000)).all()


def test_the_error_of_valuations_is_that_of_tosses():
    """65 heads before as many tails as there are factors, counted one toss after the other."""

    def fails(heads: int, tails: int) -> float:
        if heads == 0:
            return 1.0
        return 0.0 if tails == 0 else (fails(heads - 1, tails) + fails(heads, tails - 1)) / 2

    for factors in (1, 2):
        assert valuation_error(factors) == pytest.approx(fails(65, factors), rel=1e-9)
    assert math.log2(valuation_error(5)) == pytest.approx(-49.2, abs=0.05)
    assert math.log2(valuation_error(6)) == pytest.approx(-46.4, abs=0.05)


def test_the_bound_on_valuations_is_reached_in_a_small_ring():
    """Modulo 2^6, from an error of valuation 2, with three factors: a cheater that leaves its error as it is loses a
    valuation only by chance, and that is what the formula counts: 4 heads before 3 tails."""
    chance = python_random.Random(1)
    trials, passed = 40_000, 0
    for _ in range(trials):
        error = 4
        for _ in range(3):
            error = error * chance.randrange(64) % 64
        passed += error == 0
    want = sum(math.comb(6, tails) for tails in range(3)) / 2**6
    assert abs(passed / trials - want) < 6 * math.sqrt(want / trials)


def test_the_error_of_subsets():
    """Elementwise gates: one set of 48 subsets; matrices: one of rows and one of columns."""
    assert subset_error(elementwise=True, matrices=False) == 2.0**-48
    assert subset_error(elementwise=True, matrices=True) == subset_error(elementwise=False, matrices=True) == 2.0**-47


@pytest.mark.parametrize("outputs", [1, 30, 10**3, 10**5, 10**7])
def test_every_statement_is_far_below_the_limit(outputs):
    """There are at most two levels, whatever the length, and the prover sends less than the gates did."""
    record = Record(integers={("products", 1): Gates((("u", "v", "u", "v"),), outputs=outputs)})
    statement = IntegerStatement.of(record)
    assert statement.levels <= 3
    assert statement.error < 2.0**-47
    sent = sum(statement.message_bytes(number) for number in range(1, statement.levels)) + statement.opening_bytes(0)
    assert sent < max(300, 4 * 8 * outputs)
    assert sent < 700_000


@pytest.mark.parametrize("inner", [1, 3, 5000])
def test_gates_are_kept_in_blocks(inner):
    """Of equally many gates in each column. inner: of 5000, a block holds 64."""
    gates, block = Gates(SEPARATE, inner), max(64, 65536 // inner // 64 * 64)
    t, x = words(2, 2 * block + 9), words(4, (2 * block + 9) * inner)

    def write(start: int, done: int, first: int, count: int, *room: np.ndarray) -> None:
        for columns, to, width in zip((t, x), room, (1, inner), strict=True):
            here = slice((start + done) * width, (start + done + count) * width)
            to[:, first * width : (first + count) * width] = columns[:, here]

    for start, stop in ((0, 3), (3, 3), (3, block), (block, 2 * block + 7), (2 * block + 7, 2 * block + 9)):
        gates.record(stop - start, write, start)
    assert gates.outputs == 2 * block + 9
    assert gates.output_bytes == 8 * (2 + 4 * inner)
    u, v = gates.u(Role.PROVER)[0], gates.v(Role.PROVER)[0]
    u_right, v_left = gates.u(Role.RIGHT)[0], gates.v(Role.LEFT)[0]
    for column, want in zip((u, v, u_right, v_left), x, strict=True):
        assert np.array_equal(np.concatenate(column), want)
        assert [words.size for words in column] == [block * inner, block * inner, 9 * inner]
    for role, want in zip((Role.RIGHT, Role.LEFT), t, strict=True):
        assert np.array_equal(np.concatenate(gates.take_t(role)), want)
        assert gates.take_t(role) == []


def test_the_memory_of_t_is_free_once_both_verifiers_have_read_it():
    """Also of what no gate has been written to, while u and v stay."""
    gates = Gates(SEPARATE)
    outputs = 2 * gates.block_outputs + 1
    gates.record(outputs, lambda done, first, count, t, factors: None)
    pieces = {id(block.base): weakref.ref(block.base) for block in gates._columns["t_left"]}
    assert len(pieces) == 3
    assert sum(len(u) for u in gates.u(Role.PROVER)[0]) == outputs
    gates.take_t(Role.RIGHT)
    assert all(piece() is not None for piece in pieces.values())
    gates.take_t(Role.LEFT)
    assert all(piece() is None for piece in pieces.values())
