"""The proof of AND gates: an inner product over GF(2^64).

Bit a of each recorded word stands in row a of the first level (kernels/lanes.py), with weight rho_a, rho_64 = 1; word
64 c + j of a group has weight X^j sigma_c. With weights on columns alone, equal errors in two rows would cancel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field, lanes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import argument
from mpc_tamper.engines.rep3.protocol.proof.argument import FIRST_ROWS, Level, length_after, levels_for
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.soundness import polynomial_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

NAME = "bits"
_NO_WORDS = np.empty(0, np.uint64)
_ONE = np.ones(1, np.uint64)


@dataclass(frozen=True)
class BitStatement:
    """columns: how many words each column of u and v has, an element each after the first level."""

    columns: tuple[int, ...]
    shape: tuple[Level, ...]
    name: str = NAME

    @classmethod
    def of(cls, record: Record) -> BitStatement:
        columns = tuple(gates.outputs for gates in record.bits.values() for _ in gates.products)
        return cls(columns, levels_for(columns))

    @property
    def levels(self) -> int:
        return len(self.shape)

    @property
    def error(self) -> float:
        return polynomial_error(self.shape)

    def message_bytes(self, number: int) -> int:
        return self.shape[number].values * WORD_BYTES

    def opening_bytes(self, prover: int) -> int:
        return (length_after(self.columns, self.shape[1:]) + 1) * WORD_BYTES

    def entries(self, record: Record, party: int, challenge: bytes) -> BitEntries:
        groups = list(record.bits.values())
        return BitEntries(groups, _Weights(challenge, groups))

    def verifier(self, entries: BitEntries, role: Role, pads: Stream) -> BitVerifier:
        return BitVerifier(self, entries, role, pads)


class _Weights:
    """rho: of rows 1 .. 63.  of_groups: a word for 64 words of each group."""

    def __init__(self, challenge: bytes, groups: Sequence[Gates]) -> None:
        stream = expand(challenge, b"weights over GF(2^64)")
        self.rho = stream.draw(FIRST_ROWS - 1)
        self.of_groups = [stream.draw(-(-gates.outputs // FIRST_ROWS)) for gates in groups]

    def of_blocks(self, gates: Gates, weights: np.ndarray) -> list[np.ndarray]:
        step = gates.block_outputs // FIRST_ROWS
        return [weights[start : start + step] for start in range(0, weights.size, step)]


@dataclass(frozen=True)
class BitEntries:
    """What the three roles of a party have in common: what it recorded, and the weights of all three proofs."""

    groups: list[Gates]
    weights: _Weights


class _Folded:
    """A vector after the first level, made of the record block by block whenever it is read: it takes less time than
    memory. weights: with v; None: u."""

    def __init__(self, groups: Sequence[Gates], role: Role, weights: _Weights | None, coefficients: np.ndarray) -> None:
        self._groups, self._role, self._weights = groups, role, weights
        self._tables = lanes.tables(coefficients)

    def blocks(self, rows: int) -> Iterator[np.ndarray]:
        """Blocks (rows, ..) of elements, with zeros at their ends: the rows of the second level, part by part. Each
        stands where the one before it stood."""
        room = _NO_WORDS
        for index, number, words in self._words():
            size = -(-words.size // rows) * rows
            if size > room.size:
                room = np.empty(size, np.uint64)
            out = room[:size]
            out[words.size :] = 0
            self._fold(index, number, words, out[: words.size])
            yield out.reshape(rows, -1)

    def whole(self) -> np.ndarray:
        return self._joined(1, lambda block, out: np.copyto(out, block[0]))

    def combine(self, coefficients: np.ndarray) -> np.ndarray:
        """After the second level."""
        rows = len(coefficients)
        return self._joined(rows, lambda block, out: binary_field.combine_to(coefficients, block, out))

    def _joined(self, rows: int, put: Callable[[np.ndarray, np.ndarray], None]) -> np.ndarray:
        """What `put` makes of the blocks, one after the other."""
        out, start = np.empty(sum(-(-words.size // rows) for *_, words in self._words()), np.uint64), 0
        for block in self.blocks(rows):
            stop = start + block.shape[1]
            put(block, out[start:stop])
            start = stop
        return out

    def _words(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Each recorded block, with the numbers of its group and of the block in its column."""
        for index, gates in enumerate(self._groups):
            columns = gates.u(self._role) if self._weights is None else gates.v(self._role)
            for column in columns:
                for number, words in enumerate(column):
                    yield index, number, words

    def _fold(self, index: int, number: int, words: np.ndarray, out: np.ndarray) -> None:
        lanes.combine_lanes(self._tables, words, out)
        if self._weights is not None:
            step = self._groups[index].block_outputs // FIRST_ROWS
            lanes.weigh_lanes(self._weights.of_groups[index][number * step : (number + 1) * step], out)


class BitProver:
    """pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(self, statement: BitStatement, entries: BitEntries, pads: Stream, masks: Stream) -> None:
        self._shape, self._pads, self._masks = statement.shape, pads, masks
        self._groups, self._weights = entries.groups, entries.weights
        self._folded: tuple[_Folded, _Folded] | None = None
        self._u = self._v = _NO_WORDS

    def message(self, number: int) -> bytes:
        """L's parts of P's values at level `number`, without the one at k."""
        level = self._shape[number]
        parts = argument.values(level, self._pair_sums(number, level))
        parts = np.delete(parts, level.rows - level.first)
        return (parts ^ self._pads.draw(level.values)).astype("<u8").tobytes()

    def fold(self, number: int, challenge: bytes) -> None:
        level = self._shape[number]
        if level.masked:
            return
        coefficients = argument.row_coefficients(level, argument.point(challenge, level.points))
        if number == 0:
            weights = (None, self._weights)
            u, v = (_Folded(self._groups, Role.PROVER, each, coefficients) for each in weights)
            self._folded = (u, v)
            if self._shape[1].masked:
                self._leave_record(u.whole(), v.whole())
        elif self._folded is not None:
            self._leave_record(*(vector.combine(coefficients) for vector in self._folded))
        else:
            rows = (argument.cut(vector, level.rows) for vector in (self._u, self._v))
            self._u, self._v = (binary_field.combine(coefficients, each) for each in rows)

    def _leave_record(self, u: np.ndarray, v: np.ndarray) -> None:
        self._u, self._v, self._folded, self._groups = u, v, None, []

    def _pair_sums(self, number: int, level: Level) -> np.ndarray:
        if number == 0:
            return self._first_pair_sums()
        if self._folded is not None:
            sums = np.zeros((level.rows, level.rows), np.uint64)
            for u, v in zip(*(vector.blocks(level.rows) for vector in self._folded), strict=True):
                sums ^= binary_field.pair_sums(u, v)
            return sums
        rows = [argument.cut(vector, level.rows) for vector in (self._u, self._v)]
        self._u, self._v = (each.reshape(-1) for each in rows)  # with zeros at the end, so that fold need not copy them
        if level.masked:
            columns = rows[0].shape[1]
            extra = [stream.draw(columns)[None] for stream in (self._pads, self._masks)]
            rows = [np.concatenate(pair) for pair in zip(extra, rows, strict=True)]
        return binary_field.pair_sums(rows[0], rows[1])

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

    def __init__(self, statement: BitStatement, entries: BitEntries, role: Role, pads: Stream) -> None:
        self._shape, self._role, self._pads = statement.shape, role, pads
        self._groups, self._weights = entries.groups, entries.weights
        self._folded: _Folded | None = None
        self._extra = _NO_WORDS
        self.vector = _NO_WORDS
        sums = np.zeros(FIRST_ROWS, np.uint64)
        for gates, weights in zip(self._groups, self._weights.of_groups, strict=True):
            for words, block_weights in zip(gates.take_t(role), self._weights.of_blocks(gates, weights), strict=True):
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
            weights = None if self._role is Role.RIGHT else self._weights
            self._folded = _Folded(self._groups, self._role, weights, coefficients)
            if self._shape[1].masked:
                self._leave_record(self._folded.whole())
        elif self._folded is not None:
            self._leave_record(self._folded.combine(coefficients))
        else:
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

    def _leave_record(self, vector: np.ndarray) -> None:
        self.vector, self._folded, self._groups = vector, None, []
