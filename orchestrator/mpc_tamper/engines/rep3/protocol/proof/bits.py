"""The proof of AND gates: an inner product over GF(2^64).

Bit a of each recorded word stands in row a of the first level (kernels/lanes.py), with weight rho_a, rho_64 = 1; word
64 c + j of a group has weight X^j sigma_c. With weights on columns alone, equal errors in two rows would cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field, lanes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import argument
from mpc_tamper.engines.rep3.protocol.proof.argument import FIRST_ROWS, Level, levels_for
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.soundness import polynomial_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

NAME = "bits"
_NO_WORDS = np.empty(0, np.uint64)
_ONE = np.ones(1, np.uint64)


@dataclass(frozen=True)
class BitStatement:
    """length: of the vectors after the first level, a word each."""

    length: int
    shape: tuple[Level, ...]
    name: str = NAME

    @classmethod
    def of(cls, record: Record) -> BitStatement:
        length = sum(len(gates.products) * gates.outputs for gates in record.bits.values())
        return cls(length, levels_for(length))

    @property
    def levels(self) -> int:
        return len(self.shape)

    @property
    def error(self) -> float:
        return polynomial_error(self.shape)

    def message_bytes(self, number: int) -> int:
        return self.shape[number].values * WORD_BYTES

    def opening_bytes(self, prover: int) -> int:
        length = self.length
        for level in self.shape[1:]:
            length = -(-length // level.rows)
        return (length + 1) * WORD_BYTES

    def verifier(self, record: Record, role: Role, prover: int, challenge: bytes, pads: Stream) -> BitVerifier:
        return BitVerifier(self, record, role, challenge, pads)


class _Weights:
    """rho: of rows 1 .. 63.  of_groups: a word for 64 words of each group."""

    def __init__(self, challenge: bytes, groups: Sequence[Gates]) -> None:
        stream = expand(challenge, b"weights over GF(2^64)")
        self.rho = stream.draw(FIRST_ROWS - 1)
        self.of_groups = [stream.draw(-(-gates.outputs // FIRST_ROWS)) for gates in groups]

    def of_blocks(self, gates: Gates, weights: np.ndarray) -> list[np.ndarray]:
        step = gates.block_outputs // FIRST_ROWS
        return [weights[start : start + step] for start in range(0, weights.size, step)]


class BitProver:
    """pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(
        self, statement: BitStatement, record: Record, prover: int, challenge: bytes, pads: Stream, masks: Stream
    ) -> None:
        self._shape, self._pads, self._masks = statement.shape, pads, masks
        self._groups = list(record.bits.values())
        self._weights = _Weights(challenge, self._groups)
        self._u = self._v = _NO_WORDS
        self._rows: tuple[np.ndarray, np.ndarray] | None = None

    def message(self, number: int) -> bytes:
        """L's parts of P's values at level `number`, without the one at k."""
        level = self._shape[number]
        parts = argument.values(level, self._pair_sums(number, level))
        parts = np.delete(parts, level.rows - level.first)
        return (parts ^ self._pads.draw(level.values)).astype("<u8").tobytes()

    def fold(self, number: int, challenge: bytes) -> None:
        level = self._shape[number]
        coefficients = argument.row_coefficients(level, argument.point(challenge, level.points))
        if self._rows is None:
            after = self._shape[1].rows
            u = [blocks for gates in self._groups for blocks in gates.u(Role.PROVER)]
            v = [blocks for gates in self._groups for blocks in gates.v(Role.PROVER)]
            self._u = _fold_first(u, coefficients, after)
            self._v = _fold_first(v, coefficients, after)
            _weigh(self._v, self._groups, self._weights)
            self._groups = []
        else:
            self._u, self._v = (binary_field.combine(coefficients, rows) for rows in self._rows)

    def _pair_sums(self, number: int, level: Level) -> np.ndarray:
        if number == 0:
            return self._first_pair_sums()
        rows = [argument.cut(vector, level.rows) for vector in (self._u, self._v)]
        if level.masked:
            columns = rows[0].shape[1]
            extra = [stream.draw(columns)[None] for stream in (self._pads, self._masks)]
            rows = [np.concatenate(pair) for pair in zip(extra, rows, strict=True)]
        self._rows = (rows[0], rows[1])
        return binary_field.pair_sums(*self._rows)

    def _first_pair_sums(self) -> np.ndarray:
        sums = np.zeros((FIRST_ROWS, FIRST_ROWS), np.uint64)
        for gates, weights in zip(self._groups, self._weights.of_groups, strict=True):
            u, v = gates.u(Role.PROVER), gates.v(Role.PROVER)
            for i, block_weights in enumerate(self._weights.of_blocks(gates, weights)):
                u_2, v_2 = (u[1][i], v[1][i]) if len(u) > 1 else (_NO_WORDS, _NO_WORDS)
                sums ^= lanes.pair_sums(u[0][i], v[0][i], u_2, v_2, block_weights)
        return sums


class BitVerifier:
    """pads: of R, whose parts of P and u_0 come from kappa_i; of L, whose v_0 comes from kappa_{i-1}."""

    def __init__(self, statement: BitStatement, record: Record, role: Role, challenge: bytes, pads: Stream) -> None:
        self._shape, self._role, self._pads = statement.shape, role, pads
        self._groups = list(record.bits.values())
        self._weights = _Weights(challenge, self._groups)
        self._extra = _NO_WORDS
        self.vector = _NO_WORDS
        sums = np.zeros(FIRST_ROWS, np.uint64)
        for gates, weights in zip(self._groups, self._weights.of_groups, strict=True):
            for words, block_weights in zip(gates.t(role), self._weights.of_blocks(gates, weights), strict=True):
                sums ^= lanes.row_sums(block_weights, words)
        rho = np.concatenate([self._weights.rho, _ONE])
        self.claim = argument.total(binary_field.products(rho, sums))

    def receive(self, number: int, message: bytes | None) -> np.ndarray:
        level = self._shape[number]
        if level.masked:
            self._extra = self._pads.draw(-(-len(self.vector) // level.rows))
        if self._role is Role.RIGHT:
            return self._pads.draw(level.values)
        return np.frombuffer(message or b"", "<u8").astype(np.uint64)

    def fold(self, number: int, parts: np.ndarray, challenge: bytes) -> None:
        level = self._shape[number]
        r = argument.point(challenge, level.points)
        coefficients = argument.row_coefficients(level, r)
        self.claim = argument.new_claim(level, parts, self.claim, None if number else self._weights.rho, r)
        if number == 0:
            self._fold_first(coefficients)
            return
        rows = argument.cut(self.vector, level.rows)
        if level.masked:
            rows = np.concatenate([self._extra[None], rows])
        self.vector = binary_field.combine(coefficients, rows)

    def opening(self) -> bytes:
        """U(r), and R's part of P(r)."""
        return np.concatenate([self.vector, self.claim]).astype("<u8").tobytes()

    def accepts(self, opening: bytes) -> bool:
        """<U(r), V(r)> = P(r)?"""
        elements = np.frombuffer(opening, "<u8").astype(np.uint64)
        product = argument.total(binary_field.products(elements[:-1], self.vector))
        return bool(np.array_equal(product, self.claim ^ elements[-1:]))

    def _fold_first(self, coefficients: np.ndarray) -> None:
        right, after = self._role is Role.RIGHT, self._shape[1].rows
        columns = [blocks for gates in self._groups for blocks in (gates.u if right else gates.v)(self._role)]
        self.vector = _fold_first(columns, coefficients, after)
        if not right:
            _weigh(self.vector, self._groups, self._weights)
        self._groups = []


def _fold_first(columns: list[list[np.ndarray]], coefficients: np.ndarray, after: int) -> np.ndarray:
    """Every word to an element, then zeros up to a multiple of `after`."""
    length = sum(block.size for blocks in columns for block in blocks)
    out = np.empty(-(-length // after) * after, np.uint64)
    tables, start = lanes.tables(coefficients), 0
    for blocks in columns:
        for block in blocks:
            lanes.combine_lanes(tables, block, out[start : start + block.size])
            start += block.size
    out[length:] = 0
    return out


def _weigh(vector: np.ndarray, groups: Sequence[Gates], weights: _Weights) -> None:
    """Every element of v times its gate's weight, in place; the products of a gate share it."""
    start = 0
    for gates, of_group in zip(groups, weights.of_groups, strict=True):
        for _ in gates.products:
            lanes.weigh_lanes(of_group, vector[start : start + gates.outputs])
            start += gates.outputs
