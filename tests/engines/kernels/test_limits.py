"""What measures the processor does the work that it is said to do."""

from __future__ import annotations

import importlib
from functools import reduce
from operator import xor

import numpy as np

from mpc_tamper.engines.kernels import limits as when_used
from mpc_tamper.engines.kernels.threads import helpers, on_threads

limits = importlib.import_module("mpc_tamper.engines.kernels.limits")


def test_all_products_are_made_and_added() -> None:
    """Each of the sums has another factor, and each step is a multiple of the first."""
    steps, factor = 1000, 2**63 + 12345
    sums = [(factor + i) * factor * steps * (steps + 1) // 2 % 2**64 for i in range(limits.SUMS)]
    assert limits.multiply_and_add(0, steps, factor) == limits.LANES * reduce(xor, sums) % 2**64


def test_all_words_are_read() -> None:
    x = np.random.default_rng(1).integers(0, 2**64, 100_001, np.uint64)
    for threads in (1, 2):
        with on_threads(threads):
            assert when_used.read(helpers(2), x) == x.sum()
