"""The proof of AND gates: an inner product over GF(2^64).

Bit a of each recorded word stands in row a of the first level (kernels/lanes.py), with weight rho_a, rho_64 = 1; word
64 c + j of a group has weight X^j sigma_c. With weights on columns alone, equal errors in two rows would cancel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field, lanes
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import argument
from mpc_tamper.engines.rep3.protocol.proof.argument import FIRST_ROWS, Level, length_after, levels_for
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.roles import Vectors
from mpc_tamper.engines.rep3.protocol.proof.soundness import polynomial_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

NAME = "bits"
_NO_WORDS = np.empty(0, np.uint64)
_ONE = np.ones(1, np.uint64)

Pair = tuple[np.ndarray, np.ndarray]  # u and v


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


class BitEntries:
    """What the three roles of a party have in common: what it recorded, and the weights of all three proofs.

    A party's own component of everything is u of its own proof and, weighed, v of that of which it is L; the previous
    party's is v of its own proof, weighed, and u of that of which it is R. As the three proofs have the same
    challenges, each column is folded once, and where it stands: elements take the place of words.
    """

    def __init__(self, groups: list[Gates], weights: _Weights) -> None:
        self.groups, self.weights = groups, weights
        self._folded = False
        self._vectors: Vectors | None = None

    def claim(self, role: Role) -> np.ndarray:
        """R's or L's part of the weighted sum of all products: one element. The messages are dropped."""
        rho = np.concatenate([self.weights.rho, _ONE])
        sums = [
            lanes.weighted_sum(rho, weights, words)
            for gates, of_group in zip(self.groups, self.weights.of_groups, strict=True)
            for words, weights in zip(gates.take_t(role), self.weights.of_blocks(gates, of_group), strict=True)
        ]
        return argument.total(np.array(sums, np.uint64))

    def pair_sums(self) -> np.ndarray:
        """Of the rows of the first level, in this party's proof."""
        sums = np.zeros((FIRST_ROWS, FIRST_ROWS), np.uint64)
        for weights, pairs in self._blocks():
            u_2, v_2 = pairs[1] if len(pairs) > 1 else (_NO_WORDS, _NO_WORDS)
            sums ^= lanes.pair_sums(*pairs[0], u_2, v_2, weights)
        return sums

    def fold(self, coefficients: np.ndarray) -> None:
        """After the first level. The challenge is the same for all roles: the first that asks has it done."""
        if not self._folded:
            tables = lanes.tables(coefficients)
            for _, pairs in self._blocks():
                for words in itertools.chain(*pairs):
                    lanes.combine_lanes(tables, words, words)
            self._folded = True

    def folded_pair_sums(self, rows: int) -> np.ndarray:
        """Of the rows of the second level, into which each block is cut by itself."""
        sums = np.zeros((rows, rows), np.uint64)
        for weights, pairs in self._blocks():
            for u, v in pairs:
                sums ^= lanes.weighed_pair_sums(argument.cut(u, rows), weights, argument.cut(v, rows))
        return sums

    def vectors(self, coefficients: np.ndarray) -> Vectors:
        """After the second level, by its coefficients, or by one: as with fold. The record is dropped."""
        if self._vectors is None:
            rows = len(coefficients)
            length = sum(-(-u.size // rows) for _, pairs in self._blocks() for u, _ in pairs)
            u = {role: np.empty(length, np.uint64) for role in (Role.PROVER, Role.RIGHT)}
            v = {role: np.empty(length, np.uint64) for role in (Role.PROVER, Role.LEFT)}
            for weights, elements, plain, weighed in self._combinations(rows, u, v):
                cut = argument.cut(elements, rows)
                binary_field.combine_to(coefficients, cut, plain)
                lanes.combine_weighed(coefficients, weights, cut, weighed)
            self.groups = []
            self._vectors = Vectors(u, v)
        return self._vectors

    def _blocks(self) -> Iterator[tuple[np.ndarray, list[Pair]]]:
        """Of each block of gates: the weights, and u and v of each product in this party's proof."""
        for gates, of_group in zip(self.groups, self.weights.of_groups, strict=True):
            columns = list(zip(gates.u(Role.PROVER), gates.v(Role.PROVER), strict=True))
            for i, weights in enumerate(self.weights.of_blocks(gates, of_group)):
                yield weights, [(u[i], v[i]) for u, v in columns]

    def _combinations(
        self, rows: int, u: dict[Role, np.ndarray], v: dict[Role, np.ndarray]
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Weights, elements, and where their combinations belong: as they are, and weighed. u and v have the products
        of a group one after the other."""
        start = 0
        for gates, of_group in zip(self.groups, self.weights.of_groups, strict=True):
            right, left = ([names[i] for names in gates.products] for i in (2, 3))
            blocks = self.weights.of_blocks(gates, of_group)
            for product, (own, previous) in enumerate(zip(gates.u(Role.PROVER), gates.v(Role.PROVER), strict=True)):
                length = sum(-(-words.size // rows) for words in own)
                own_name, previous_name, *_ = gates.products[product]
                of_left, of_right = left.index(own_name), right.index(previous_name)
                first = start
                for i, weights in enumerate(blocks):
                    size = -(-own[i].size // rows)
                    own_to, left_to, right_to = (
                        slice(first + p * length, first + p * length + size) for p in (product, of_left, of_right)
                    )
                    yield weights, own[i], u[Role.PROVER][own_to], v[Role.LEFT][left_to]
                    yield weights, previous[i], u[Role.RIGHT][right_to], v[Role.PROVER][own_to]
                    first += size
            start += len(gates.products) * length


class BitProver:
    """pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(self, statement: BitStatement, entries: BitEntries, pads: Stream, masks: Stream) -> None:
        self._shape, self._entries, self._pads, self._masks = statement.shape, entries, pads, masks
        self._weights = entries.weights
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
            self._entries.fold(coefficients)
            if self._shape[1].masked:
                self._leave_record(_ONE)
        elif number == 1:
            self._leave_record(coefficients)
        else:
            rows = (argument.cut(vector, level.rows) for vector in (self._u, self._v))
            self._u, self._v = (binary_field.combine(coefficients, each) for each in rows)

    def _leave_record(self, coefficients: np.ndarray) -> None:
        vectors = self._entries.vectors(coefficients)
        self._u, self._v = vectors.u[Role.PROVER], vectors.v[Role.PROVER]

    def _pair_sums(self, number: int, level: Level) -> np.ndarray:
        if number == 0:
            return self._entries.pair_sums()
        if number == 1 and not level.masked:
            return self._entries.folded_pair_sums(level.rows)
        rows = [argument.cut(vector, level.rows) for vector in (self._u, self._v)]
        self._u, self._v = (each.reshape(-1) for each in rows)  # with zeros at the end, so that fold need not copy them
        if level.masked:
            columns = rows[0].shape[1]
            extra = [stream.draw(columns)[None] for stream in (self._pads, self._masks)]
            rows = [np.concatenate(pair) for pair in zip(extra, rows, strict=True)]
        return binary_field.pair_sums(rows[0], rows[1])


class BitVerifier:
    """pads: of R, whose parts of P and u_0 come from kappa_i; of L, whose v_0 comes from kappa_{i-1}."""

    def __init__(self, statement: BitStatement, entries: BitEntries, role: Role, pads: Stream) -> None:
        self._shape, self._entries, self._role, self._pads = statement.shape, entries, role, pads
        self._extra = _NO_WORDS
        self.vector = _NO_WORDS
        self.claim = entries.claim(role)

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
        self.claim = argument.new_claim(level, parts, self.claim, None if number else self._entries.weights.rho, r)
        if number == 0:
            self._entries.fold(coefficients)
            if self._shape[1].masked:
                self._leave_record(_ONE)
        elif number == 1 and not level.masked:
            self._leave_record(coefficients)
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

    def _leave_record(self, coefficients: np.ndarray) -> None:
        vectors = self._entries.vectors(coefficients)
        self.vector = vectors.u[self._role] if self._role is Role.RIGHT else vectors.v[self._role]
