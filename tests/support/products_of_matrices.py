"""Products of all pairs of rows, as the kernel that compresses products of matrices finds them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import numpy as np

from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS

matrices = importlib.import_module(f"{kernels.__name__}.matrices")


def pairs_of_rows(
    x: Sequence[np.ndarray | None], y: Sequence[np.ndarray], has_term: Sequence[bool] | None = None, outer: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The sums over all matrices of <x_j, y_k>: modulo 2^128, (48, 48, 2), and modulo 2^64 of those that have the term.

    x: (48, n), or None; y: (48 at most, n).  outer: columns are cut as those of matrices with so many rows.
    """
    nothing, no_rows = matrices.Matrices.of([None] * len(x)), [np.empty((0, 0), np.uint64)] * len(x)
    there = np.ones(len(x), np.bool_) if has_term is None else np.array(has_term, np.bool_)
    of_x, of_y, t = map(matrices.Matrices.of, (x, y, no_rows))
    own = matrices.Side(nothing, of_x, of_y, t, there)
    previous = matrices.Side(nothing, nothing, of_y, t, there)
    of_rows = matrices.SubsetsOfRows.of([np.empty(0, np.uint64)] * len(x), [False] * len(x))
    products, low = np.zeros((SUBSETS, SUBSETS, 2), np.uint64), np.zeros((2, SUBSETS, SUBSETS), np.uint64)
    units = matrices.units_of([outer] * len(x), [each.shape[1] for each in y])
    matrices.compress(of_rows, units, own, previous, low, products)
    assert not low[1].any()
    return products, -low[0]
