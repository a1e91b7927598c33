"""Lagrange interpolation at members 0, 1, 2, .. of the exceptional set."""

from __future__ import annotations

import functools

import numpy as np

from mpc_tamper.engines.rep3.protocol.proof.fields import Field


class Nodes:
    """The points first, .., last: L_a(X) is 1 at point a, and 0 at the others."""

    def __init__(self, field: Field, first: int, last: int) -> None:
        self._field = field
        self._points = field.points(np.arange(first, last + 1))
        denominators = field.points(np.ones(len(self._points)))
        for shift in range(1, len(self._points)):
            differences = field.subtract(self._points, np.roll(self._points, shift, axis=0))
            denominators = field.multiply(denominators, differences)
        self._inverses = field.invert(denominators)

    def at(self, point: np.ndarray) -> np.ndarray:
        """(L_a(point)) for all a. point: one element, shape (1, ..)."""
        field, count = self._field, len(self._points)
        differences = field.subtract(np.repeat(point, count, axis=0), self._points)
        one = field.points(np.array([1]))
        before, after = [one], [one]
        for a in range(count - 1):
            before.append(field.multiply(before[-1], differences[a : a + 1]))
            after.append(field.multiply(after[-1], differences[count - 1 - a : count - a]))
        numerators = field.multiply(np.concatenate(before), np.concatenate(after[::-1]))
        return field.multiply(numerators, self._inverses)


@functools.lru_cache(maxsize=256)
def nodes(field: Field, first: int, last: int) -> Nodes:
    """Depends on nothing but its arguments, so kept."""
    return Nodes(field, first, last)


@functools.lru_cache(maxsize=64)
def extension(field: Field, first: int, last: int, end: int) -> list[np.ndarray]:
    """For each point after `last` up to `end`, the coefficients by which a polynomial is extended to it."""
    base = nodes(field, first, last)
    return [base.at(field.points(np.array([number]))) for number in range(last + 1, end + 1)]
