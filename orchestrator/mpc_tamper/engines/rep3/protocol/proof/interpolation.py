"""Lagrange interpolation over GF(2^64) at the points 0, 1, 2, .., words like all elements."""

from __future__ import annotations

import functools

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field


class Nodes:
    """The points first, .., last: L_a(X) is 1 at point a, and 0 at the others."""

    def __init__(self, first: int, last: int) -> None:
        self._points = np.arange(first, last + 1, dtype=np.uint64)
        self._inverses = binary_field.inverses(binary_field.products_of_differences(self._points))

    def at(self, point: np.uint64) -> np.ndarray:
        """(L_a(point)) for all a."""
        return binary_field.products(binary_field.products_of_others(point ^ self._points), self._inverses)


@functools.lru_cache(maxsize=256)
def nodes(first: int, last: int) -> Nodes:
    """Depends on nothing but its arguments, so kept."""
    return Nodes(first, last)


@functools.lru_cache(maxsize=64)
def extension(first: int, last: int, end: int) -> np.ndarray:
    """For each point after `last` up to `end`, a row of the coefficients by which a polynomial is extended to it."""
    base = nodes(first, last)
    rows = [base.at(np.uint64(number)) for number in range(last + 1, end + 1)]
    return np.array(rows, np.uint64).reshape(len(rows), last + 1 - first)
