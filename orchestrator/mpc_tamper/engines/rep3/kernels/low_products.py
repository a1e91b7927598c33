"""Inner products modulo 2^64 of all rows of one matrix with all rows of another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from mpc_tamper.engines.kernels.compilation import in_llvm, part_of_kernels
from mpc_tamper.engines.kernels.words import LANES, Flat, Sum, add_products, number, passes, sum_of_lanes

_ROWS, _PAIR = 4, 2  # rows of the one and of the other matrix, whose products are summed together
_INT = types.int64


@in_llvm
def _subtract_dots(
    typing_context: Any,
    a: Any,
    start: Any,
    row: Any,
    b: Any,
    first: Any,
    second: Any,
    vectors: Any,
    out: Any,
    to: Any,
    along: Any,
) -> Any:
    """out[to + r along] and out[to + r along + 1] -= the sums over i below LANES * vectors of a[start + r row + i]
    times b[first + i] and b[second + i], for r below _ROWS. The latter is left out where second is first."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        a, b, out = (Flat(context, builder, kinds[i], arguments[i]) for i in (0, 3, 7))
        _, start, row, _, first, second, vectors, _, to, along = arguments
        rows = [builder.add(start, builder.mul(row, number(r))) for r in range(_ROWS)]
        totals = [[Sum(builder) for _ in range(_PAIR)] for _ in rows]
        for some in passes(_PAIR, _ROWS):
            with cgutils.for_range(builder, vectors) as loop:
                place = builder.mul(loop.index, number(LANES))
                parts = [(i, b.vector(builder.add((first, second)[i], place))) for i in some]
                add_products(totals, (a.vector(builder.add(begin, place)) for begin in rows), parts)
        two = builder.icmp_signed("!=", first, second)
        for r, sums in enumerate(totals):
            at = builder.add(to, builder.mul(along, number(r)))
            one, other = (builder.neg(sum_of_lanes(builder, each.vector())) for each in sums)
            out.add_word(one, at)
            with builder.if_then(two):
                out.add_word(other, builder.add(at, number(1)))
        return context.get_dummy_value()

    return types.void(a, _INT, _INT, b, _INT, _INT, _INT, out, _INT, _INT), codegen


@part_of_kernels
def subtract_low_products(a: np.ndarray, b: np.ndarray, first: int, last: int, total: np.ndarray) -> None:
    """total[j, k] -= <a_j, b_k> modulo 2^64, of columns first .. last - 1.

    a: (j, n), j a multiple of _ROWS; b: (k, n).
    """
    n, along, vectors = a.shape[1], total.shape[1], (last - first) // LANES
    for k in range(0, len(b), _PAIR):
        other = min(k + 1, len(b) - 1)
        for j in range(0, len(a), _ROWS):
            places = j * n + first, k * n + first, other * n + first
            _subtract_dots(a, places[0], n, b, places[1], places[2], vectors, total, j * along + k, along)
    for i in range(first + vectors * LANES, last):
        for j in range(len(a)):
            for k in range(len(b)):
                total[j, k] -= a[j, i] * b[k, i]
