"""Products through float64 are exact modulo 2^64, for values of every size."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.clear.products import matmul, trans_matmul


@pytest.mark.parametrize("bits", [1, 8, 9, 20, 30, 40, 63, 64])
@pytest.mark.parametrize("shape", [(1, 1, 4), (3, 5, 1), (7, 300, 10), (300, 7, 4), (2, 1000, 6)])
def test_against_python_integers(bits: int, shape: tuple[int, int, int]) -> None:
    a, b, c = shape
    rng = np.random.default_rng([bits, *shape])
    x = (rng.integers(0, 2**bits, (a, b), dtype=np.uint64) - np.uint64(2 ** (bits - 1))).astype(np.uint64)
    y = rng.integers(0, 2**64, (b, c), dtype=np.uint64)
    want = ((x.astype(object) @ y.astype(object)) % 2**64).astype(np.uint64)
    assert np.array_equal(matmul(x, y), want)
    assert np.array_equal(trans_matmul(np.ascontiguousarray(x.T), y), want)


def test_the_largest_and_the_smallest_values() -> None:
    x = np.array([[2**63, 2**63 - 1, 0, 2**64 - 1]], np.uint64)
    y = np.full((4, 4), 2**64 - 1, np.uint64)
    want = ((x.astype(object) @ y.astype(object)) % 2**64).astype(np.uint64)
    assert np.array_equal(matmul(x, y), want)
    assert np.array_equal(trans_matmul(x.T.copy(), y), want)
