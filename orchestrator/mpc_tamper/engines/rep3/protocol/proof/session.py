"""The three proofs of a batch, message by message: each party proves, and verifies as R and as L.

Everything goes in lockstep: party p proves, is R to p - 1 and L to p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.protocol.proof import argument
from mpc_tamper.engines.rep3.protocol.proof.argument import NO_BASE, Level, Shape
from mpc_tamper.engines.rep3.protocol.proof.fields import Field
from mpc_tamper.engines.rep3.protocol.proof.statement import Half
from mpc_tamper.engines.rep3.protocol.proof.transcript import point
from mpc_tamper.engines.rep3.protocol.prss import Stream

WORD_BYTES = 8


def _one(field: Field) -> np.ndarray:
    return field.points(np.array([1]))


def _draw(field: Field, stream: Stream, count: int) -> np.ndarray:
    return field.elements(stream.draw(count * field.words))


class Prover:
    """Proves one statement. pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(self, field: Field, shape: Shape, half: Half, pads: Stream, masks: Stream) -> None:
        self._field, self._shape, self._half = field, shape, half
        self._pads, self._masks = pads, masks
        self._u = self._v = np.empty(0)
        self._rows: tuple[np.ndarray, np.ndarray] | None = None
        if shape.base_rows == 1:
            self._enter(_one(field))

    def message(self, number: int) -> bytes:
        """L's parts of P's values at level `number`, without the one at k."""
        field, level = self._field, self._shape.levels[number]
        parts = self._values(number, level)
        parts = np.delete(parts, level.rows - level.first, axis=0)
        return field.subtract(parts, _draw(field, self._pads, level.values)).astype("<u8").tobytes()

    def fold(self, number: int, challenge: bytes) -> None:
        field, level = self._field, self._shape.levels[number]
        coefficients = argument.row_coefficients(field, level, point(field, challenge, level.points))
        if self._rows is None:
            self._enter(coefficients)
        else:
            self._u, self._v = (field.combine(coefficients, rows) for rows in self._rows)

    def _values(self, number: int, level: Level) -> np.ndarray:
        field, half = self._field, self._half
        if number == 0 and self._shape.base_rows > 1:
            u, v = half.u, half.v
            grams = [field.gram_of_base(a, b, w) for a, b, w in zip(u.blocks, v.blocks, u.weights, strict=True)]
            gram = grams[0]
            for other in grams[1:]:
                gram = field.add(gram, other)
            return argument.values(field, level, gram)
        rows = [argument.cut(vector, level.rows) for vector in (self._u, self._v)]
        if level.masked:
            columns = rows[0].shape[1]
            extra = [_draw(field, stream, columns)[None] for stream in (self._pads, self._masks)]
            rows = [np.concatenate(pair) for pair in zip(extra, rows, strict=True)]
        self._rows = (rows[0], rows[1])
        return argument.values(field, level, field.gram(*self._rows))

    def _enter(self, coefficients: np.ndarray) -> None:
        """Leave the base ring."""
        field, half, rows = self._field, self._half, self._shape.rows_after_base
        self._u = argument.fold_base(field, half.u, half.u_tail, coefficients, rows, weigh=False)
        self._v = argument.fold_base(field, half.v, half.v_tail, coefficients, rows, weigh=True)
        half.u = half.v = NO_BASE


class Verifier:
    """R or L of one statement: its side of the vectors, and its part of the claim.

    right: R, whose parts of P and u_0 are pads from kappa_i; else L, whose v_0 is a pad from kappa_{i-1}.
    """

    def __init__(self, field: Field, shape: Shape, half: Half, pads: Stream, *, right: bool) -> None:
        self._field, self._shape, self._half, self._pads, self._right = field, shape, half, pads, right
        self._base = half.u if right else half.v
        self._rho: np.ndarray | None = half.rho
        self._extra = np.empty(0)
        self.claim = half.claim
        self.vector = np.empty(0)
        if shape.base_rows == 1:
            self._enter(_one(field))

    def receive(self, number: int, message: bytes | None) -> np.ndarray:
        """This verifier's parts of the values of P at a level: L's are the message."""
        field, level = self._field, self._shape.levels[number]
        if level.masked:
            columns = -(-len(self.vector) // level.rows)
            self._extra = _draw(field, self._pads, columns)
        if self._right:
            return _draw(field, self._pads, level.values)
        return field.elements(np.frombuffer(message or b"", "<u8").astype(np.uint64))

    def fold(self, number: int, parts: np.ndarray, challenge: bytes) -> None:
        field, level = self._field, self._shape.levels[number]
        r = point(field, challenge, level.points)
        coefficients = argument.row_coefficients(field, level, r)
        base = number == 0 and self._shape.base_rows > 1
        self.claim = argument.new_claim(field, level, parts, self.claim, self._rho if base else None, r)
        if base:
            self._enter(coefficients)
            return
        rows = argument.cut(self.vector, level.rows)
        if level.masked:
            rows = np.concatenate([self._extra[None], rows])
        self.vector = field.combine(coefficients, rows)

    def opening(self) -> bytes:
        """What R shows L: U(r), and its part of P(r)."""
        return np.concatenate([self.vector, self.claim]).astype("<u8").tobytes()

    def accepts(self, opening: bytes) -> bool:
        """L: <U(r), V(r)> = P(r)?"""
        field = self._field
        elements = field.elements(np.frombuffer(opening, "<u8").astype(np.uint64))
        u, part = elements[:-1], elements[-1:]
        return bool(np.array_equal(field.gram(u[None], self.vector[None])[0], field.add(self.claim, part)))

    def _enter(self, coefficients: np.ndarray) -> None:
        half = self._half
        tail = half.u_tail if self._right else half.v_tail
        rows = self._shape.rows_after_base
        self.vector = argument.fold_base(self._field, self._base, tail, coefficients, rows, weigh=not self._right)
        self.claim = self._field.add(self.claim, half.tail_claim)
        self._base = half.u = half.v = NO_BASE


@dataclass(frozen=True)
class Statement:
    """What is public of one field's statement in a batch. lengths: after the first level.  error: of soundness."""

    field: Field
    shape: Shape
    lengths: tuple[int, int, int]
    error: float

    def message_bytes(self, number: int) -> int:
        """Of the prover's message at a level."""
        return self.shape.levels[number].values * self.field.words * WORD_BYTES

    def opening_bytes(self, prover: int) -> int:
        """Of what R shows L."""
        length = self.lengths[prover]
        for level in self.shape.levels[self.shape.base_rows > 1 :]:
            length = -(-length // level.rows)
        return (length + 1) * self.field.words * WORD_BYTES
