"""Arithmetic of the proof of AND gates, over GF(2^64), against slow twins written from the definitions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mpc_tamper
from mpc_tamper.engines.rep3.kernels import binary_field, clmul, lanes
from mpc_tamper.engines.rep3.protocol.proof.argument import Level, length_after, levels_for, point
from mpc_tamper.engines.rep3.protocol.proof.interpolation import extension, nodes
from mpc_tamper.engines.rep3.protocol.proof.soundness import polynomial_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand

MODULUS = 2**64
POLYNOMIAL = 1 << 64 | 0b11011
words = st.one_of(st.sampled_from([0, 1, 2, MODULUS - 1, 2**63]), st.integers(0, MODULUS - 1))


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, MODULUS, shape, np.uint64)


def carryless(a: int, b: int) -> int:
    product = 0
    for i in range(64):
        product ^= (a << i) if b >> i & 1 else 0
    return product


def remainder(a: int) -> int:
    for i in range(a.bit_length() - 1, 63, -1):
        if a >> i & 1:
            a ^= POLYNOMIAL << (i - 64)
    return a


def product(a: int, b: int) -> int:
    return remainder(carryless(int(a), int(b)))


def inner_product(a, b) -> int:
    total = 0
    for x, y in zip(a, b, strict=True):
        total ^= product(x, y)
    return total


@given(words, words)
def test_carryless_products_with_and_without_the_instruction(a, b):
    want = carryless(a, b)
    for function in (clmul.clmul, clmul.clmul_portable):
        low, high = function(np.uint64(a), np.uint64(b))
        assert int(low) | int(high) << 64 == want
    assert int(clmul.multiply(np.uint64(a), np.uint64(b))) == remainder(want)


def test_the_polynomial_is_irreducible_modulo_2():
    """Rabin: X^(2^64) = X modulo f, and X^(2^32) - X has no factor in common with f; 2 is 64's only prime factor."""

    def frobenius(times: int) -> int:
        x = 2
        for _ in range(times):
            x = remainder(carryless(x, x))
        return x

    def gcd(a: int, b: int) -> int:
        while b:
            while a and a.bit_length() >= b.bit_length():
                a ^= b << (a.bit_length() - b.bit_length())
            a, b = b, a
        return a

    assert frobenius(64) == 2
    assert gcd(POLYNOMIAL, frobenius(32) ^ 2) == 1


def test_products_and_inverses():
    a, b = random(6), random(6, seed=1)
    assert binary_field.products(a, b).tolist() == [product(x, y) for x, y in zip(a, b, strict=True)]
    assert binary_field.products(a, binary_field.inverses(a)).tolist() == [1] * 6


@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 5), (3, 9), (8, 130)])
def test_pair_sums_and_combination(k, n):
    u, v, coefficients = random(k, n), random(k, n, seed=1), random(k, seed=2)
    sums, combined = binary_field.pair_sums(u, v), binary_field.combine(coefficients, u)
    for a in range(k):
        assert sums[a, a] == inner_product(u[a], v[a])
        for b in range(a + 1, k):
            assert sums[a, b] == inner_product(u[a], v[b]) ^ inner_product(u[b], v[a])
            assert sums[b, a] == 0
    assert combined.tolist() == [inner_product(coefficients, column) for column in u.T]


@pytest.mark.parametrize("n", [1, 4, 7, 128, 131])
def test_sums_of_products_with_and_without_the_wide_instruction(n):
    rows = [random(n, seed=seed) for seed in range(4)]
    low, high = binary_field.sum_of_products(*rows)
    assert binary_field.sum_of_products_wide(*rows) == (low, high)
    want = 0
    for u_a, v_a, u_b, v_b in zip(*rows, strict=True):
        want ^= carryless(int(u_a ^ u_b), int(v_a ^ v_b))
    assert int(low) | int(high) << 64 == want


@pytest.mark.slow
def test_a_processor_without_the_instructions_gives_the_same(tmp_path):
    """The compiler gives up with the whole process where it meets an instruction that is not there."""
    code = """
import numpy as np
from mpc_tamper.engines.rep3.kernels import binary_field, clmul
assert clmul.clmul is clmul.clmul_portable
assert binary_field.sum_of_products_wide is binary_field.sum_of_products
x = np.arange(1, 6, dtype=np.uint64) * np.uint64(0x123456789ABCDEF)
print(binary_field.products(x, x[::-1].copy()).tolist())
"""
    environment = os.environ | {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(str(mpc_tamper.__file__)).parents[1]),
    }
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    x = np.arange(1, 6, dtype=np.uint64) * np.uint64(0x123456789ABCDEF)
    assert json.loads(shown.stdout) == [product(a, b) for a, b in zip(x, x[::-1], strict=True)]


@pytest.mark.parametrize("arrays", [2, 4])
def test_pairs_of_rows_with_and_without_the_wide_instruction(arrays):
    rows, weights = random(arrays, 64, 16), random(16, seed=1)
    found = []
    for function in (lanes.add_pairs, lanes.add_pairs_wide):
        sums = random(64, 64, 2, seed=2)  # what was there before stays in the sum
        function(rows, weights, sums)
        found.append((sums ^ random(64, 64, 2, seed=2))[np.triu_indices(64)])
    assert np.array_equal(*found)
    for a, b in ((3, 17), (62, 63), (5, 5)):
        want = 0
        for c in range(16):
            both = 0
            for i in range(arrays):
                if a != b or i % 2:
                    both ^= int(rows[i, a, c] & rows[i ^ 1, b, c])
            want ^= carryless(both, int(weights[c]))
        low, high = found[0][list(zip(*np.triu_indices(64), strict=True)).index((a, b))]
        assert int(low) | int(high) << 64 == want


def bits(words: np.ndarray) -> np.ndarray:
    """Row a: bit a of every word."""
    return ((words >> np.arange(64, dtype=np.uint64)[:, None]) & np.uint64(1)).astype(np.uint64)


@settings(max_examples=20)
@given(st.integers(1, 300), st.integers(0, 2**32))
def test_a_level_over_the_lanes_of_words(n, seed):
    """Bit a of word 64 c + j stands in row a, with weight X^j w_c."""
    u, v, u_2, v_2 = (random(n, seed=seed + i) for i in range(4))
    weights, coefficients = random(-(-n // 64), seed=seed + 4), random(64, seed=seed + 5)
    of_words = np.ones(n, np.uint64)
    lanes.weigh_lanes(weights, of_words)
    assert of_words.tolist() == [product(weights[i // 64], 1 << (i % 64)) for i in range(n)]
    combined = np.empty(n, np.uint64)
    lanes.combine_lanes(lanes.tables(coefficients), u, combined)
    assert np.array_equal(combined, binary_field.combine(coefficients, bits(u)))
    assert lanes.weighted_sum(coefficients, weights, u) == inner_product(of_words, combined)
    weighted = binary_field.pair_sums(bits(u), bits(v) * of_words)
    empty = np.empty(0, np.uint64)
    assert np.array_equal(lanes.pair_sums(u, v, empty, empty, weights), weighted)
    both = weighted ^ binary_field.pair_sums(bits(u_2), bits(v_2) * of_words)
    assert np.array_equal(lanes.pair_sums(u, v, u_2, v_2, weights), both)


@pytest.mark.parametrize(("n", "columns"), [(64, 1), (100, 4), (1, 4), (200, 2)])
def test_blocks_of_64_words_are_transposed(n, columns):
    words = random(n)
    for first in (0, 1):
        out = np.full((64, columns), 5, np.uint64)
        lanes.transpose_blocks(words, first, out)
        padded = np.append(words, np.zeros(64 * 8, np.uint64))[64 * first : 64 * (first + columns)]
        for c in range(columns):
            block = bits(padded[64 * c : 64 * (c + 1)])
            assert np.array_equal(out[:, c], (block << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64))


def test_interpolation_extends_polynomials():
    """Values of a polynomial of degree 4 at points 1 .. 5 give its values at 6 .. 9 and at a random point."""
    coefficients = random(5).tolist()

    def value(x: int) -> int:
        result = 0
        for c in reversed(coefficients):
            result = product(result, x) ^ c
        return result

    known = [value(i) for i in range(1, 6)]
    for number, weights in zip(range(6, 10), extension(1, 5, 9), strict=True):
        assert inner_product(weights, known) == value(number)
    r = point(b"a challenge", 10)
    assert inner_product(nodes(1, 5).at(r), known) == value(int(r))


@pytest.mark.parametrize(("points", "k"), [(0, 1), (1, 2), (3, 9)])
def test_quadratic_forms(points, k):
    c, g = random(points, k), random(k, k, seed=1)
    want = [inner_product([inner_product(row, column) for column in g.T], row) for row in c]
    assert binary_field.quadratic_forms(c, g).tolist() == want


def test_challenge_points_avoid_the_nodes():
    for i in range(200):  # half of the points excluded: about every other draw repeats
        assert point(i.to_bytes(2, "little"), 2**63) >= 2**63
    assert point(b"same", 5) == point(b"same", 5)


def test_streams_of_different_challenges_and_purposes_differ():
    drawn = {expand(key, purpose).draw(1)[0] for key in (b"a", b"b") for purpose in (b"c", b"d")}
    assert len(drawn) == 4


@pytest.mark.parametrize(
    ("length", "rows"), [(1, []), (7, []), (64, []), (5000, []), (1 << 19, [8]), (3 << 20, [16, 8])]
)
def test_levels_shrink_to_a_masked_one(length, rows):
    """Few rows where these are enough. What is opened has at most 2,048 words."""
    for columns in ([length], [length, 1, 1]):
        levels = levels_for(columns)
        assert levels[0] == Level(64)
        assert [level.rows for level in levels[1:-1]] == rows
        assert levels[-1] == Level(min(64 if rows or length == 5000 else 32, sum(columns)), masked=True)
        assert [level.masked for level in levels] == [False] * (len(levels) - 1) + [True]
        assert length_after(columns, levels[1:]) <= 2048


@pytest.mark.parametrize(
    ("length", "rows"),
    [
        (1 << 12, [32]),
        ((1 << 12) + 1, [64]),
        (1 << 17, [64]),
        ((1 << 17) + 1, [8, 64]),
        (1 << 20, [8, 64]),
        ((1 << 20) + 1, [16, 64]),
        (1 << 21, [16, 64]),
    ],
)
def test_where_a_vector_is_long(length, rows):
    assert [level.rows for level in levels_for([length])] == [64, *rows]


def test_a_levels_numbers():
    plain, masked = Level(8), Level(8, masked=True)
    assert (plain.first, plain.last, plain.degree, plain.values) == (1, 15, 14, 14)  # 15 values, one not sent
    assert (masked.first, masked.last, masked.degree, masked.values) == (0, 16, 16, 16)  # 17 values, one not sent


def test_the_soundness_formula():
    """sigma and rho, a level of 64 rows, and a masked one of five."""
    want = 2 / 2**64 + 126 / (2**64 - 128) + 10 / (2**64 - 11)
    assert polynomial_error(levels_for([5])) == pytest.approx(want)
