"""Arithmetic of the proofs' extensions, against slow twins written from the definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.rep3.kernels import binary_field, clmul, galois_ring
from mpc_tamper.engines.rep3.protocol.proof.argument import Level, base_rows, shape
from mpc_tamper.engines.rep3.protocol.proof.fields import BITS, DEGREE, INTEGERS
from mpc_tamper.engines.rep3.protocol.proof.interpolation import extension, nodes
from mpc_tamper.engines.rep3.protocol.proof.soundness import proof_error
from mpc_tamper.engines.rep3.protocol.proof.statement import weight_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand, point
from mpc_tamper.engines.rep3.protocol.prss import Stream

MODULUS = 2**64
POLYNOMIAL = 1 << 64 | 0b11011
words = st.one_of(st.sampled_from([0, 1, 2, MODULUS - 1, 2**63]), st.integers(0, MODULUS - 1))
fields = pytest.mark.parametrize("field", [BITS, INTEGERS], ids=lambda f: f.name)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, MODULUS, shape, np.uint64)


def elements(field, count: int, seed: int = 0) -> np.ndarray:
    return field.elements(random(count * field.words, seed=seed))


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


def naive(field, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of two elements, shape (1, ..) each."""
    if field is BITS:
        return np.array([remainder(carryless(int(a[0]), int(b[0])))], np.uint64)
    product = [0] * 127
    for i, x in enumerate(a[0].tolist()):
        for j, y in enumerate(b[0].tolist()):
            product[i + j] += x * y
    for i in range(126, 63, -1):  # X^64 = X^4 + X^3 + X + 1
        for down in (64, 63, 61, 60):
            product[i - down] += product[i]
    return np.array([[c % MODULUS for c in product[:64]]], np.uint64)


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


@fields
def test_products_and_inverses(field):
    a, b = elements(field, 6), elements(field, 6, seed=1)
    one = field.points(np.array([1]))
    for i in range(6):
        assert np.array_equal(field.multiply(a, b)[i : i + 1], naive(field, a[i : i + 1], b[i : i + 1]))
    units = a | np.uint64(1)
    assert np.array_equal(field.multiply(units, field.invert(units)), np.repeat(one, 6, axis=0))


@fields
def test_differences_of_the_exceptional_set_are_invertible(field):
    numbers = np.array([0, 1, 2, 3, 2**63, 2**64 - 1, 0x123456789ABCDEF], np.uint64)
    points = field.points(numbers)
    one = field.points(np.array([1]))
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i != j:
                difference = field.subtract(points[i : i + 1], points[j : j + 1])
                assert np.array_equal(field.multiply(difference, field.invert(difference)), one)


@fields
@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 5), (3, 9), (8, 130)])
def test_gram_and_combination(field, k, n):
    u = elements(field, k * n).reshape(k, n, *field.elements(random(64)).shape[1:])
    v = elements(field, k * n, seed=1).reshape(u.shape)
    coefficients = elements(field, k, seed=2)
    gram, combined = field.gram(u, v), field.combine(coefficients, u)
    for a in range(k):
        for b in range(k):
            want = field.sum(field.multiply(u[a].copy(), v[b].copy()))
            assert np.array_equal(gram[a : a + 1, b], want)
    for c in range(n):
        want = field.sum(field.multiply(coefficients, u[:, c].copy()))
        assert np.array_equal(combined[c : c + 1], want)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 64), st.integers(1, 5), st.integers(0, 2**32))
def test_a_level_over_bits(k, n, seed):
    """Gates as field elements: lane j of word c stands for u_cj, with weight X^j w_c."""
    u, v = random(k, n, seed=seed), random(k, n, seed=seed + 1)
    weights, coefficients = random(n, seed=seed + 2), random(k, seed=seed + 3)

    def lanes(x: np.ndarray) -> np.ndarray:
        return ((x[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).reshape(len(x), -1)

    ones = np.full((1, n * 64), 1, np.uint64).reshape(-1)
    binary_field.weigh_lanes(weights, ones)
    want = [remainder(carryless(int(w), 1 << j)) for w in weights for j in range(64)]
    assert ones.tolist() == want
    combined = np.empty(64 * n, np.uint64)
    BITS.combine_base(coefficients, u, combined)
    assert np.array_equal(combined, BITS.combine(coefficients, lanes(u)))
    gram = BITS.gram_of_base(u, v, weights)
    assert np.array_equal(
        gram, BITS.gram(lanes(u), BITS.multiply(np.tile(ones, k), lanes(v).reshape(-1)).reshape(k, -1))
    )
    sums = BITS.sum_base(weights, u)
    assert np.array_equal(sums, BITS.gram(lanes(u), ones[None].repeat(k, axis=0))[:, 0])


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 33), st.integers(1, 5), st.integers(0, 2**32))
def test_a_level_over_integers(k, n, seed):
    u, v = random(n, k, seed=seed), random(n, k, seed=seed + 1)
    positions = INTEGERS.draw_weights(Stream(b"k", b"t"), n)
    weights = np.zeros((n, DEGREE), np.uint64)
    np.put_along_axis(weights, positions.astype(np.int64), np.uint64(1), axis=1)
    coefficients = elements(INTEGERS, k, seed=seed)
    gram = INTEGERS.gram_of_base(u, v, positions)
    combined = np.empty((n, DEGREE), np.uint64)
    INTEGERS.combine_base(coefficients, u, combined)
    for c in range(n):
        assert np.array_equal(combined[c], (u[c][:, None] * coefficients).sum(axis=0, dtype=np.uint64))
    weighted = combined.copy()
    INTEGERS.weigh_base(positions, weighted)
    assert np.array_equal(weighted, INTEGERS.multiply(weights, combined))
    products = u[:, :, None] * v[:, None, :]
    assert np.array_equal(gram, np.tensordot(products, weights, axes=(0, 0)))
    assert np.array_equal(INTEGERS.sum_base(positions, u), np.tensordot(u, weights, axes=(0, 0)))


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 300), (300, 3), (129, 65)])
def test_compressed_matrices(m, n):
    x = random(m, n)
    left, right = (INTEGERS.draw_weights(Stream(b"k", b"t"), count) for count in (m, n))
    dense = [np.zeros((len(p), DEGREE), np.uint64) for p in (left, right)]
    for weights, positions in zip(dense, (left, right), strict=True):
        np.put_along_axis(weights, positions.astype(np.int64), np.uint64(1), axis=1)
    assert np.array_equal(galois_ring.weighted_sum(left, x), x.T @ dense[0])
    assert np.array_equal(galois_ring.weighted_sum_of_columns(right, x), x @ dense[1])


def test_sparse_weights_are_uniform_over_the_sets_of_sixteen_positions():
    weights = INTEGERS.draw_weights(Stream(b"a key", b"a purpose"), 20_000)
    assert weights.shape == (20_000, 16)
    assert (np.diff(weights.astype(int), axis=1) > 0).all()  # 16 different positions
    counts = np.bincount(weights.reshape(-1), minlength=DEGREE)
    assert (np.abs(counts - 5000) < 6 * math.sqrt(5000 * 0.75)).all()
    assert 48.7 < INTEGERS.weight_set_bits < 48.9


@fields
def test_interpolation_extends_polynomials(field):
    """Values of a polynomial of degree 4 at points 1 .. 5 give its values at 6 .. 9 and at a random point."""
    coefficients = elements(field, 5)

    def value(x: np.ndarray) -> np.ndarray:
        result = coefficients[4:5]
        for c in (3, 2, 1, 0):
            result = field.add(field.multiply(result, x), coefficients[c : c + 1])
        return result

    at = [value(field.points(np.array([i]))) for i in range(10)]
    known = np.concatenate(at[1:6])
    for number, weights in zip(range(6, 10), extension(field, 1, 5, 9), strict=True):
        assert np.array_equal(field.sum(field.multiply(weights, known)), at[number])
    r = point(field, b"a challenge", 10)
    assert np.array_equal(field.sum(field.multiply(nodes(field, 1, 5).at(r), known)), value(r))


@fields
def test_challenge_points_are_canonical_and_avoid_the_nodes(field):
    for i in range(200):
        r = point(field, i.to_bytes(2, "little"), 2**63)  # half of the set excluded: about every other draw repeats
        bits = r if field is BITS else (r << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
        assert int(bits[0]) >= 2**63
        assert field is BITS or r.max() <= 1
    assert np.array_equal(point(field, b"same", 5), point(field, b"same", 5))


def test_streams_of_different_challenges_and_purposes_differ():
    drawn = {expand(key, purpose).draw(1)[0] for key in (b"a", b"b") for purpose in (b"c", b"d")}
    assert len(drawn) == 4


@pytest.mark.parametrize("length", [1, 7, 64, 65, 5000])
def test_levels_shrink_to_a_masked_one(length):
    for rows in (1, 2, 32):
        levels = shape(rows, length).levels
        assert [level.masked for level in levels] == [False] * (len(levels) - 1) + [True]
        assert (levels[0].rows == rows) or rows == 1
    assert base_rows(INTEGERS, 3) == 1
    assert base_rows(INTEGERS, 10**6) == 32
    assert base_rows(BITS, 10**6) == 64


def test_a_levels_numbers():
    plain, masked = Level(8), Level(8, masked=True)
    assert (plain.first, plain.last, plain.degree, plain.values) == (1, 15, 14, 14)  # 15 values, one not sent
    assert (masked.first, masked.last, masked.degree, masked.values) == (0, 16, 16, 16)  # 17 values, one not sent


def test_the_soundness_formula():
    assert proof_error(shape(1, 5), 2.0**-48) == pytest.approx(2.0**-48 + 10 / (2**64 - 11))


def test_the_error_of_weights():
    """Elementwise: sigma and rho. Matrices: a and b. Both, in several rows: one dense rho more, for the tails."""
    sparse, dense = 1 / math.comb(64, 16), 2.0**-64

    def of(rows: int, **kinds: bool) -> float:
        return weight_error(INTEGERS, rows=rows, **kinds)

    # Differences of 2^-64 from terms of 2^-48 are exact in doubles.
    assert of(8, elementwise=True, matrices=False) - sparse == pytest.approx(dense, rel=1e-3)
    assert of(8, elementwise=False, matrices=True) == pytest.approx(2 * sparse, rel=1e-12)
    assert of(1, elementwise=True, matrices=True) == of(1, elementwise=False, matrices=True)
    mixed = of(8, elementwise=True, matrices=True) - of(1, elementwise=True, matrices=True)
    assert mixed == pytest.approx(dense, rel=1e-3)
    assert weight_error(BITS, elementwise=True, matrices=False, rows=64) == 2 * dense
