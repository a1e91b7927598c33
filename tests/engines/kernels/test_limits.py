"""What measures the processor does the work that it is said to do."""

from __future__ import annotations

from functools import reduce
from operator import xor

import numpy as np

from mpc_tamper.engines.kernels import limits
from mpc_tamper.engines.kernels.threads import helpers, on_threads


def test_all_products_are_made_and_added() -> None:
    """Each of the sums has another factor, and each step is a multiple of the first."""
    steps, factor = 1000, 2**63 + 12345
    sums = [(factor + i) * factor * steps * (steps + 1) // 2 % 2**64 for i in range(limits.SUMS)]
    assert limits.multiply_and_add(0, steps, factor) == limits.LANES * reduce(xor, sums) % 2**64


def test_all_words_are_read() -> None:
    x = np.random.default_rng(1).integers(0, 2**64, 100_001, np.uint64)
    for threads in (1, 2):
        with on_threads(threads):
            assert limits.read(helpers(2), x) == x.sum()
