"""Products of a matrix and a vector, modulo 2^64.

The hot path of the SVM is one each way per iteration, over a matrix larger than the caches: each kernel reads it once,
as it lies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, kernel, part_of_kernels
from mpc_tamper.engines.kernels.parts import NOTE, in_parts, threads_of
from mpc_tamper.engines.kernels.words import LANES, Flat, Sum, number, splat, sum_of_lanes

_LINE = 8  # words to a line of the cache
_TOGETHER = 4  # vectors of a row that is added, without a look at the counter in between
_INT = types.int64

OUT1 = types.uint64[::1]
V = types.Array(types.uint64, 1, "C", readonly=True)
X = types.Array(types.uint64, 2, "C", readonly=True)
X_SMALL = types.Array(types.int16, 2, "C", readonly=True)


@in_llvm
def _dot_of_row(typing_context: Any, x: Any, start: Any, v: Any, vectors: Any) -> Any:
    """The sum of x[start + j] v[j] for j below LANES * vectors.

    A row alone, from its beginning to its end: several at a time, which the registers would allow, are streams that
    the processor fetches ahead at half the rate.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, v = (Flat(context, builder, kinds[i], arguments[i]) for i in (0, 2))
        total = Sum(builder)
        with cgutils.for_range(builder, arguments[3]) as loop:
            j = builder.mul(loop.index, number(LANES))
            total.add(x.vector(builder.add(arguments[1], j)), v.vector(j))
        return sum_of_lanes(builder, total.vector())

    return types.uint64(x, _INT, v, _INT), codegen


@in_llvm
def _add_row(typing_context: Any, x: Any, start: Any, factor: Any, out: Any, vectors: Any) -> Any:
    """out[j] += x[start + j] factor for j below LANES * vectors."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        x, out = (Flat(context, builder, kinds[i], arguments[i]) for i in (0, 3))
        factor = splat(builder, arguments[2])

        def add(j: Any) -> None:
            out.add(builder.mul(x.vector(builder.add(arguments[1], j)), factor), j)

        groups = builder.udiv(arguments[4], number(_TOGETHER))
        with cgutils.for_range(builder, groups) as loop:
            j = builder.mul(loop.index, number(LANES * _TOGETHER))
            for i in range(_TOGETHER):
                add(builder.add(j, number(LANES * i)))
        done = builder.mul(groups, number(_TOGETHER))
        with cgutils.for_range(builder, builder.sub(arguments[4], done)) as loop:
            add(builder.mul(builder.add(done, loop.index), number(LANES)))
        return context.get_dummy_value()

    return types.void(x, _INT, types.uint64, out, _INT), codegen


@kernel(OUT1(_INT))
def aligned(words: int) -> np.ndarray:
    """So many, of any value, from a line of the cache on: to store a vector across two lines takes twice as long."""
    memory = np.empty(words + _LINE, np.uint64)
    first = (-(memory.ctypes.data >> 3)) % _LINE
    return memory[first : first + words]


@part_of_kernels
def add_rows(who: int, first: int, last: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out[first:last] += those rows of x, times v."""
    columns = x.shape[1]
    vectors = columns // LANES
    factors = aligned(columns)
    factors[:] = v
    for i in range(first, last):
        total = _dot_of_row(x, i * columns, factors, vectors)
        for j in range(vectors * LANES, columns):
            total += np.uint64(x[i, j]) * v[j]
        out[i] += total


@part_of_kernels
def add_trans_rows(who: int, first: int, last: int, x: np.ndarray, v: np.ndarray, totals: np.ndarray) -> None:
    """totals[who] += the sum of x[i] v[i] for i from first to last - 1."""
    columns, total = x.shape[1], totals[who]
    vectors = columns // LANES
    for i in range(first, last):
        _add_row(x, i * columns, v[i], total, vectors)
        for j in range(vectors * LANES, columns):
            total[j] += np.uint64(x[i, j]) * v[i]


@part_of_kernels
def totals_of(note: int, columns: int) -> np.ndarray:
    """Zeros, of whole lines of the cache for each thread."""
    threads, width = threads_of(note), (columns + _LINE - 1) // _LINE * _LINE
    totals = aligned(threads * width)
    totals[:] = 0
    return totals.reshape(threads, width)


@part_of_kernels
def add_totals(totals: np.ndarray, out: np.ndarray) -> None:
    for total in totals:
        for j in range(out.size):
            out[j] += total[j]


@kernel(*(types.void(NOTE, x, V, OUT1) for x in (X, X_SMALL)))
def add_matvec(note: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += x v. x: (a, b); v: (b,); out: (a,)."""
    in_parts(add_rows, note, len(x), 1, (x, v, out))


@kernel(*(types.void(NOTE, x, V, OUT1) for x in (X, X_SMALL)))
def add_trans_matvec(note: int, x: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    """out += the transpose of x, times v. x: (b, a); v: (b,); out: (a,)."""
    totals = totals_of(note, out.size)
    in_parts(add_trans_rows, note, len(x), 1, (x, v, totals))
    add_totals(totals, out)
