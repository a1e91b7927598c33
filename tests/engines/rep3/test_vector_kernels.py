"""Kernels of proofs by instructions that not every processor has, against those that take their place."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS

# Themselves, not what stands for them: these tests look at what is private.
affine, binary_field, combinations_128, gate_sums, lanes, limbs, lookups = (
    importlib.import_module(f"{kernels.__name__}.{name}")
    for name in ("affine", "binary_field", "combinations_128", "gate_sums", "lanes", "limbs", "lookups")
)
pair_products, row_sums, rows_128, short_combinations, short_products, subsets, transposition, weights = (
    importlib.import_module(f"{kernels.__name__}.{name}")
    for name in (
        *("pair_products", "row_sums", "rows_128", "short_combinations"),
        *("short_products", "subsets", "transposition", "weights"),
    )
)
SIZES = [1, 3, 7, 8, 9, 63, 64, 65, 130, 700]
sizes = pytest.mark.parametrize("n", SIZES)


def words(*shape: int, seed: int = 0) -> np.ndarray:
    """Random ones, the first and the last of them the largest."""
    drawn = np.random.default_rng(seed).integers(0, 2**64, shape, np.uint64)
    drawn.reshape(-1)[:: max(1, drawn.size - 1)] = 2**64 - 1
    return drawn


def products_by_numpy(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] += <a_j, b_k> modulo 2^128, of columns first .. last - 1, sixteen bits of each at a time."""
    found = whole(total)
    pieces = [[x[:, first:last] >> np.uint64(16 * i) & np.uint64(0xFFFF) for i in range(4)] for x in (a, b)]
    for i in range(4):
        for j in range(4):
            found += (pieces[0][i] @ pieces[1][j].T).astype(object) << 16 * (i + j)
    put(found, total)


def whole(elements: np.ndarray) -> np.ndarray:
    """As Python's integers."""
    return elements[..., 0].astype(object) + (elements[..., 1].astype(object) << 64)


def whole_rows(x: np.ndarray) -> np.ndarray:
    """Of words, or of elements."""
    return x.astype(object) if x.ndim == 2 else whole(x)


def put(found: np.ndarray, out: np.ndarray) -> None:
    out[..., 0], out[..., 1] = found % 2**64, (found >> 64) % 2**64


def products_by_python(u: np.ndarray, first: int, w: np.ndarray, start: int, stop: int, total: np.ndarray) -> None:
    """total[a, b] += <u_a, w_b> modulo 2^128, of columns start .. stop - 1 of w and those `first` behind them of u."""
    put(whole(total) + whole_rows(u)[:, first + start : first + stop] @ whole(w)[:, start:stop].T, total)


def products_of_elements(u: np.ndarray, v: np.ndarray, total: np.ndarray) -> None:
    products_by_python(u, 0, v, 0, v.shape[1], total)


def combination_by_python(factors: np.ndarray, rows: np.ndarray, first: int, last: int, out: np.ndarray) -> None:
    """out[c] = sum_a factor_a rows[a, c] modulo 2^128, c from first to last - 1; factors, or one to each word."""
    of_columns = whole(factors)[:, : last - first] if factors.ndim == 3 else whole(factors)[:, None]
    put((of_columns * whole_rows(rows)[:, first:last]).sum(axis=0), out[first:last])


def same(with_it: Callable[..., Any], without: Callable[..., Any], *arguments: Any, shape: tuple[int, ...]) -> None:
    """Both add to, or write, the same, whatever was there before."""
    found = []
    for function in (with_it, without):
        out = words(*shape, seed=99)
        function(*arguments, out)
        found.append(out)
    assert np.array_equal(*found)


@sizes
@pytest.mark.parametrize("rows", [1, 2, 5, 10, SUBSETS])
def test_products_of_all_pairs_of_rows(n, rows):
    a, b = words(SUBSETS, n), words(rows, n, seed=1)
    for first, last in {(0, n), (n // 3, n), (n // 3, n // 2)}:
        for function in (rows_128.add_of_words, short_products.add_products):
            same(function, products_by_numpy, a, b, first, last, shape=(SUBSETS, rows, 2))
    u, v = words(rows, n, 2), words(3, n, 2, seed=1)
    for function in (rows_128.add_of_elements, short_products.add_products_of_elements):
        same(function, products_of_elements, u, v, shape=(rows, 3, 2))


@pytest.mark.parametrize("n", [0, 64, 65, 399, 400, 401, 817])
@pytest.mark.parametrize("word", [1, 2**50 - 1, 2**50, 2**51 - 1, 2**52 - 1, 2**63, 2**64 - 1])
def test_products_of_many_long_rows_of_one_word(n, word):
    """All limbs as large as they can be, and rows that are not whole vectors or halves; against Python's integers."""
    a, b = np.full((9, n), word, np.uint64), np.full((8, n), word, np.uint64)
    b[::2] = 2**64 - 1
    total = np.zeros((9, 8, 2), np.uint64)
    rows_128.add_of_words(a, b, 0, n, total)
    for k in range(8):
        low, high = (int(half) for half in total[8, k])
        assert low | high << 64 == n * word * (word if k % 2 else 2**64 - 1) % 2**128
        assert (total[:, k] == total[8, k]).all()


@sizes
@pytest.mark.parametrize("k", [2, 5, 16])
def test_products_of_rows_of_words_and_of_elements(n, k):
    """Of a part of the columns of both, and of those of one that stand elsewhere in the other."""
    u, w = words(k, n + 5), words(k, n, 2, seed=1)
    for first, start in ((0, 0), (5, 0), (3, n // 3)):
        arguments = u, first, w, start, n
        for function in (rows_128.add_by_words, short_products.add_products_by_words):
            same(function, products_by_python, *arguments, shape=(k, k, 2))


@pytest.mark.parametrize("vectors", [pair_products.MOST - 1, pair_products.MOST, pair_products.MOST + 1])
def test_sums_of_the_largest_products_do_not_wrap(vectors):
    """More terms than a sum of limbs may have at a time, each as large as it can be."""
    largest = np.full((2, vectors * limbs.LANES), 2**64 - 1, np.uint64)
    columns = 0, largest.shape[1]
    same(rows_128.add_of_words, products_by_numpy, largest, largest, *columns, shape=(2, 2, 2))
    elements = np.full((1, *largest.shape[1:], 2), 2**64 - 1, np.uint64)
    same(rows_128.add_of_elements, products_of_elements, elements, elements, shape=(1, 1, 2))
    arguments = largest, 0, elements, 0, elements.shape[1]
    same(rows_128.add_by_words, products_by_python, *arguments, shape=(2, 1, 2))


@pytest.mark.parametrize("vectors", [short_products.MOST - 1, short_products.MOST, 4 * short_products.MOST + 1])
def test_sums_of_the_largest_short_products_do_not_wrap(vectors):
    largest = np.full((3, vectors * short_products.LANES + 3), 2**64 - 1, np.uint64)
    columns = 0, largest.shape[1]
    same(short_products.add_products, products_by_numpy, largest, largest, *columns, shape=(3, 3, 2))
    elements = np.full((2, *largest.shape[1:], 2), 2**64 - 1, np.uint64)
    same(short_products.add_products_by_words, products_by_python, largest, 0, elements, *columns, shape=(3, 2, 2))
    same(short_products.add_products_of_elements, products_of_elements, elements, elements, shape=(2, 2, 2))


@pytest.mark.parametrize("low", [0, 1, 2**12 - 1, 2**12, 2**63, 2**64 - 2**12, 2**64 - 1])
@pytest.mark.parametrize("other", [0, 1, 2**12 - 1, 2**12, 2**64 - 2**12, 2**64 - 1])
def test_sums_whose_lower_bits_are_left_out(low, other):
    """What is above bit 24 lets the sum be found: of none of it, all of it, and of sums just below and above 2^64."""
    for n in (8, 24, 1032):
        a, b = np.full((1, n, 2), low, np.uint64), np.full((1, n, 2), other, np.uint64)
        a[..., 1], b[..., 1] = 3, 2**64 - 5
        for factors, function, x in ((a, rows_128.add_of_elements, low + (3 << 64)), (a[..., 0].copy(), None, low)):
            total = np.zeros((1, 1, 2), np.uint64)
            if function:
                function(factors, b, total)
            else:
                rows_128.add_by_words(factors, 0, b, 0, n, total)
            want = n * x * (other + (2**64 - 5 << 64)) % 2**128
            assert int(total[0, 0, 0]) | int(total[0, 0, 1]) << 64 == want


@sizes
@pytest.mark.parametrize("k", [1, 10, SUBSETS, limbs.MOST + 1])
def test_combinations_of_rows(n, k):
    factors = words(k, 2)
    for first in (0, n // 3):
        rows = words(k, n, seed=1)
        for function in (combinations_128.combine_columns_of_words, short_combinations.combine_words):
            same(function, combination_by_python, factors, rows, first, n, shape=(n, 2))
        rows = words(k, n, 2, seed=1)
        for function in (combinations_128.combine_columns, short_combinations.combine_elements):
            same(function, combination_by_python, factors, rows, first, n, shape=(n, 2))


@sizes
@pytest.mark.parametrize("k", [1, 5, 16, limbs.MOST + 1])
def test_sums_of_rows_with_a_weight_to_each_word(n, k):
    rows, factors = words(k, n, seed=1), words(k, n, 2)
    for function in (combinations_128.combine_columns_by_weights, short_combinations.combine_by_weights):
        for first in (0, n // 3):
            same(function, combination_by_python, factors, rows, first, n, shape=(n, 2))


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("largest", [2**64 - 1, 2**64 - 2**38, 2**58 - 1, 2**32 - 1, 2**26 - 1])
def test_combinations_of_the_largest_numbers_do_not_wrap(more, largest):
    """As many rows as have sums in words at a time, and one more or fewer."""
    n = 2 * short_combinations.LANES + 1
    for most, function in (
        (short_combinations.MOST, short_combinations.combine_words),
        (short_combinations.MOST, short_combinations.combine_elements),
        (short_combinations.MOST_WEIGHED, short_combinations.combine_by_weights),
    ):
        k = most + more
        weighed = function is short_combinations.combine_by_weights
        factors = np.full((k, n, 2) if weighed else (k, 2), 2**64 - 1, np.uint64)
        rows = np.full((k, n, 2) if function is short_combinations.combine_elements else (k, n), largest, np.uint64)
        same(function, combination_by_python, factors, rows, 0, n, shape=(n, 2))


@pytest.mark.parametrize("n", [*SIZES, 256, 257, 4100])
@pytest.mark.parametrize("products", [1, 2])
def test_sums_of_gates(n, products):
    """The largest ones too, as many as have sums in limbs at a time, and more."""
    for fill in (None, 2**64 - 1):
        members, *t = (words(n, seed=i) if fill is None else np.full(n, fill, np.uint64) for i in range(3))
        indicators = (members >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)).astype(object)
        for inner in (0, 1, 3):
            u, v = (tuple(words(n * inner if i < products else 0, seed=i + s) for i in range(2)) for s in (3, 5))
            for each in (*u, *v):
                each[:] = each if fill is None else fill
            of_gates = sum((x.astype(object) * y).reshape(n, inner).sum(1) for x, y in zip(u, v, strict=True) if x.size)
            want = (indicators * of_gates).sum(1) if inner else 0
            for function in (gate_sums.add_together, gate_sums.add_as_rows):
                found, of_words = words(SUBSETS, 2), words(2, SUBSETS)
                before = whole(found)
                words_before = of_words.copy()
                function(members, u, v, tuple(t), found, of_words)
                assert np.array_equal(whole(found), (before + want) % 2**128)
                assert np.array_equal(of_words, words_before + np.stack(t) @ indicators.astype(np.uint64).T)


@pytest.mark.parametrize("n", [0, *SIZES])
def test_weights_of_gates(n):
    """Of all-ones members and sums too, where every limb is as large as it can be."""
    rho, members = words(SUBSETS, 2), words(n, seed=1) if n else words(0)
    for each in (rho, np.full_like(rho, 2**64 - 1)):
        found, want = np.empty((n, 2), np.uint64), np.empty((n, 2), np.uint64)
        weights.weights_at_once(weights.tables_of(each), members, found)
        weights.weights_one_by_one(weights._sums_by_byte(each), members, want)
        assert np.array_equal(found, want)
        v = words(n, seed=2) if n else words(0)
        same(weights.times_at_once, weights.times_one_by_one, want, v, shape=(n, 2))


def sums_by_numpy(members: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of rows, over the 48 subsets."""
    return (members >> np.arange(SUBSETS, dtype=np.uint64)[:, None] & np.uint64(1)) @ x


@sizes
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 66, 131, 1501])
def test_sums_over_subsets_of_rows_and_columns(n, m):
    x, of_rows, of_columns = words(m, n), words(m, seed=1), words(n, seed=2)  # bits above the 48th are of no subset
    assert np.array_equal(subsets.sums_of_rows(of_rows, x), sums_by_numpy(of_rows, x))
    assert np.array_equal(subsets.sums_of_columns(of_columns, x), sums_by_numpy(of_columns, x.T))


@pytest.mark.parametrize("part", [(0, 300), (1, 2), (255, 258), (64, 300)])
def test_sums_over_subsets_of_a_part(part):
    first, last = part
    x, members = words(70, 300), words(70, seed=1) >> np.uint64(64 - SUBSETS)
    offsets, turned, want = row_sums.offsets_of(members), x.T.copy(), sums_by_numpy(members, x)
    sums = [(row_sums.add_rows, offsets, x), (row_sums.add_columns, offsets, turned)]
    if lookups.has_instruction():
        sums.append((lookups.add_columns, lookups.places_of(members), turned))
    for add, prepared, matrix in sums:
        found = np.zeros((SUBSETS, 300), np.uint64)
        add(prepared, matrix, first, last, found)
        assert np.array_equal(found[:, first:last], want[:, first:last])
        assert not found[:, :first].any()
        assert not found[:, last:].any()


@sizes
def test_lanes_of_words(n):
    u, weights, coefficients = words(n), words(-(-n // 64), seed=1), words(64, seed=2)
    found = []
    for table, function in ((lanes.tables, lanes._combine_lanes), (lanes._sums, lanes._combine_by_sums)):
        found.append(np.empty(n, np.uint64))
        function(table(coefficients), u, found[-1])
    assert np.array_equal(*found)
    same(lanes._weigh_lanes, lanes._weigh_one_by_one, weights, shape=(n,))


@pytest.mark.skipif(not affine.has_instruction(), reason="the processor has no GF2P8AFFINEQB")
@pytest.mark.parametrize("n", [*SIZES, 64 * 15, 64 * 16, 64 * 17 + 1])
@pytest.mark.parametrize("columns", [1, 8, 13, 16])
def test_transposed_blocks(n, columns):
    """From the first or the last block on: with all, some and none of the columns inside the words."""
    for first in (0, 1, n // 64):
        same(transposition.transpose_together, transposition.transpose_one_by_one, words(n), first, shape=(64, columns))


@pytest.mark.parametrize(("k", "n"), [(1, 64), (1, 70), (8, 64), (8, 128), (8, 40), (32, 64), (5, 192)])
def test_combinations_of_weighed_elements(k, n):
    """Where rows begin with a weight, and where they do not, or end without one."""
    rows, coefficients = words(k, n), words(k, seed=1)
    for count in {-(-k * n // 64), (k * n - 1) // 64}:
        rows.reshape(-1)[64 * count :] = 0
        of_blocks = words(count, seed=2) if count else words(0)
        weighed = rows.copy()
        lanes.weigh_lanes(of_blocks, weighed.reshape(-1))
        found = np.empty(n, np.uint64)
        lanes.combine_weighed(coefficients, of_blocks, rows, found)
        assert np.array_equal(found, binary_field.combine(coefficients, weighed))
    for first in {0, min(1, n // 64)}:
        factors = words(n // 64 - first, k, seed=3)
        pair = lanes._combine_blocks, lanes._combine_blocks_one_by_one
        same(*pair, factors, first, rows, shape=(n // 64 * 64,))


@pytest.mark.parametrize(("k", "n"), [(1, 64), (8, 64), (8, 70), (9, 256), (13, 320), (33, 192), (32, 31)])
def test_pairs_of_rows_over_the_field(k, n):
    """Rows and columns that are whole tiles and whole pieces, and others; v as it is, and weighed."""
    u, v, of_blocks = words(k, n), words(k, n, seed=1), words(-(-k * n // 64), seed=2)
    for size in (n, n - 1):
        pair = binary_field.add_pairs_of_sums, binary_field.add_pairs_one_by_one
        same(*pair, u, v, size, shape=(k, k, 2))
    weighed = v.copy()
    lanes.weigh_lanes(of_blocks, weighed.reshape(-1))
    want = np.zeros((k, k, 2), np.uint64)
    binary_field.add_pairs_one_by_one(u, weighed, n, want)
    want = binary_field.without_squares(want)
    assert np.array_equal(binary_field.pair_sums(u, weighed), want)
    assert np.array_equal(lanes.weighed_pair_sums(u, of_blocks, v), want)


@sizes
def test_combinations_over_the_field(n):
    rows, coefficients = words(5, n), words(5, seed=1)
    same(binary_field.combine_columns, binary_field._combine_one_by_one, coefficients, rows, 0, n, shape=(n,))
    same(binary_field.combine_columns, binary_field._combine_one_by_one, coefficients, rows, n // 3, n, shape=(n,))
