"""Products of a matrix and a vector, modulo 2^64.

The hot path of the SVM is one each way per iteration, over a matrix larger than the caches: each kernel reads it once,
as it lies.
"""

from __future__ import annotations

import numpy as np
from numba import types

from mpc_tamper.engines.kernels.compilation import kernel
from mpc_tamper.engines.kernels.tiles import LANES, add_row, dot_of_row

_LINE = 8  # words to a line of the cache

OUT1 = types.uint64[::1]
V = types.Array(types.uint64, 1, "C", readonly=True)
X = types.Array(types.uint64, 2, "C", readonly=True)
X_SMALL = types.Array(types.int16, 2, "C", readonly=True)


@kernel(OUT1(types.int64))
def aligned(words: int) -> np.ndarray:
    """So many, of any value, from a line of the cache on: a vector that lies across two takes twice as long to store."""
    memory = np.empty(words + _LINE, np.uint64)
    first = (-(memory.ctypes.data >> 3)) % _LINE
    return memory[first : first + words]


@kernel(*(types.void(x, V, OUT1) for x in (X, X_SMALL)))
def add_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += x v. x: (a, b); v: (b,); out: (a,)."""
    rows, columns = x.shape
    vectors = columns // LANES
    factors = aligned(columns)
    factors[:] = v
    for i in range(rows):
        total = dot_of_row(x, i * columns, factors, vectors)
        for j in range(vectors * LANES, columns):
            total += np.uint64(x[i, j]) * v[j]
        out[i] += total


@kernel(*(types.void(x, V, OUT1) for x in (X, X_SMALL)))
def add_trans_matvec(x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += the transpose of x, times v. x: (b, a); v: (b,); out: (a,)."""
    rows, columns = x.shape
    vectors = columns // LANES
    total = aligned(columns)
    total[:] = 0
    for i in range(rows):
        add_row(x, i * columns, v[i], total, vectors)
        for j in range(vectors * LANES, columns):
            total[j] += np.uint64(x[i, j]) * v[i]
    for j in range(columns):
        out[j] += total[j]
