"""The proof of products modulo 2^64, by random subsets and an inner product modulo 2^128.

Challenge 0 puts every gate g in each of 48 random subsets with probability 1/2. The prover shares, for each subset, the
sum S^k of its products u_g v_g modulo 2^128, of words taken as integers, and for matrices the pairs S_jk (matrices.py).
R and L compare these modulo 2^64 with t_R + t_L: R shows L a hash of its part of the difference. Random rho, sigma and
tau modulo 2^128 merge the sums to one claim, an inner product, which the levels of bilinear.py prove.

Words cannot have random weights modulo 2^64: an error of 2^63 survives one with probability 1/2. A sum over a subset
has weights 0 and 1, and a wrong S^k has an error modulo 2^64 that random factors modulo 2^128 hardly ever make zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128, subsets
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.bilinear import WORDS, Level, draw, levels_for
from mpc_tamper.engines.rep3.protocol.proof.matrices import PAIRS, compressed, draw_members, merged
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.soundness import subset_error, valuation_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import HASH_BYTES, expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

NAME = "integers"
_ELEMENT_BYTES = WORDS * WORD_BYTES


@dataclass(frozen=True)
class IntegerStatement:
    """elementwise, matrices: whether there are such gates, whose messages have to be right. Sizes do not say so, since
    products of length 0 have no words and no elements, and yet a message, which has to be a sharing of zeros.

    columns: how many entries, words, each column of u and v has.  tails: elements of each prover that join after the
    first level, of matrices.  shape: the levels; message 0, of the subsets, comes before them.
    """

    elementwise: bool
    matrices: bool
    columns: tuple[int, ...]
    tails: tuple[int, int, int]
    shape: tuple[Level, ...]
    name: str = NAME

    @classmethod
    def of(cls, record: Record) -> IntegerStatement:
        columns = tuple(g.inner * g.outputs for g in record.integers.values() for _ in g.products)
        first, second, third = (sum(m.length(p) for m in record.matrices.values()) for p in range(3))
        shape = levels_for(sum(columns), max(first, second, third))
        return cls(bool(record.integers), bool(record.matrices), columns, (first, second, third), shape)

    @property
    def levels(self) -> int:
        return 1 + len(self.shape)

    @property
    def first_rows(self) -> int:
        """k of the level over words; 1: there is none."""
        return self.shape[0].rows if len(self.shape) > 1 else 1

    @property
    def folded(self) -> int:
        """How many elements the entries become after it: they are folded column by column."""
        return sum(-(-size // self.first_rows) for size in self.columns)

    @property
    def error(self) -> float:
        """The factors are rho, or sigma and tau, then alpha and beta of each level."""
        factors = (2 if self.matrices else 1) + 2 * len(self.shape)
        return subset_error(elementwise=self.elementwise, matrices=self.matrices) + valuation_error(factors)

    def values(self, number: int) -> int:
        """How many elements the message of a level has."""
        if number:
            return self.shape[number - 1].values
        return SUBSETS * self.elementwise + PAIRS * self.matrices

    def message_bytes(self, number: int) -> int:
        return self.values(number) * _ELEMENT_BYTES

    def opening_bytes(self, prover: int) -> int:
        length = bilinear.columns_of(self.folded + self.tails[prover], self.shape[-1])
        return HASH_BYTES + (length + 1) * _ELEMENT_BYTES

    def verifier(self, record: Record, role: Role, prover: int, challenge: bytes, pads: Stream) -> IntegerVerifier:
        return IntegerVerifier(self, record, role, prover, challenge, pads)


@dataclass(frozen=True)
class Merging:
    """The factors by which the sums over subsets become one claim: of elementwise gates, and of pairs of matrices."""

    rho: np.ndarray
    sigma: np.ndarray
    tau: np.ndarray

    @classmethod
    def of(cls, challenge: bytes) -> Merging:
        stream = expand(challenge, b"rho, sigma and tau modulo 2^128")
        return cls(draw(stream, SUBSETS), draw(stream, SUBSETS), draw(stream, SUBSETS))

    def claims(self, statement: IntegerStatement, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of elementwise gates and of matrices, an element each."""
        gates = pairs = np.zeros((1, WORDS), np.uint64)
        if statement.elementwise:
            gates = ring_128.combine(self.rho, sums[:SUBSETS, None])
        if statement.matrices:
            rows = ring_128.combine(self.sigma, sums[-PAIRS:].reshape(SUBSETS, SUBSETS, WORDS))
            pairs = ring_128.combine(self.tau, rows[:, None])
        return gates, pairs


class _Members:
    """The elementwise gates, and in which subsets each of them is, by group and block.

    They are drawn again whenever they are read, block by block: this takes less time than memory.
    """

    def __init__(self, groups: Sequence[Gates], challenge: bytes) -> None:
        self._groups, self._challenge = groups, challenge

    def blocks(self, index: int) -> Iterator[np.ndarray]:
        gates = self._groups[index]
        stream = expand(self._challenge, b"subsets of gates, %d" % index)
        for start in range(0, gates.outputs, gates.block_outputs):
            yield draw_members(stream, min(gates.block_outputs, gates.outputs - start))

    def u(self, role: Role) -> Iterator[np.ndarray]:
        """The words of u: of each block of gates, those of all its products."""
        for gates in self._groups:
            for words in zip(*gates.u(role), strict=True):
                yield from words

    def v(self, role: Role) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same of v, with the block's members."""
        for index, gates in enumerate(self._groups):
            for members, *columns in zip(self.blocks(index) if gates.inner else (), *gates.v(role), strict=True):
                for words in columns:
                    yield members, words


class IntegerProver:
    """pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(
        self, statement: IntegerStatement, record: Record, prover: int, challenge: bytes, pads: Stream, masks: Stream
    ) -> None:
        self._statement, self._pads, self._masks = statement, pads, masks
        self._groups = list(record.integers.values())
        self._members = _Members(self._groups, challenge)
        self._matrices = compressed(record, Role.PROVER, prover, challenge)
        self._merging: Merging | None = None
        self._tables = np.empty((0, 0, 0), np.uint64)
        self._u = self._v = np.empty((0, WORDS), np.uint64)

    def message(self, number: int) -> bytes:
        """L's parts of the sums over subsets or, at a level, of all z_ab but the last."""
        values = self._values(number)
        pads = draw(self._pads, len(values))
        return ring_128.differences(values, pads).astype("<u8").tobytes()

    def fold(self, number: int, challenge: bytes) -> None:
        statement = self._statement
        if number == 0:
            self._merging = Merging.of(challenge)
            self._tables = subsets.weights_of_members(self._merging.rho)
            if statement.first_rows == 1:
                self._enter(bilinear.one(), bilinear.one())
        elif number < len(statement.shape):
            self._enter(*bilinear.coefficients(statement.shape[number - 1], challenge))

    def _values(self, number: int) -> np.ndarray:
        if number == 0:
            return self._sums()
        level = self._statement.shape[number - 1]
        if not level.masked:
            return self._first_products(level.rows)[:-1]
        u, v = (
            bilinear.masked_rows(vector, level.rows, draw(stream, bilinear.columns_of(len(vector), level)))
            for vector, stream in ((self._u, self._pads), (self._v, self._masks))
        )
        return ring_128.row_products(u, v).reshape(-1, WORDS)[:-1]

    def _sums(self) -> np.ndarray:
        sums = np.empty((0, WORDS), np.uint64)
        if self._statement.elementwise:
            buckets = subsets.no_products()
            for u, (members, v) in self._entries():
                subsets.add_products(members, u, v, buckets)
            sums = subsets.products_of_subsets(buckets)
        return np.concatenate([sums, self._matrices.products()]) if self._statement.matrices else sums

    def _first_products(self, rows: int) -> np.ndarray:
        total = np.zeros((rows, rows, WORDS), np.uint64)
        for u, (members, v) in self._entries():
            ring_128.add_row_products(u, _weighed(self._tables, members, v), total)
        return total.reshape(-1, WORDS)

    def _entries(self) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
        return zip(self._members.u(Role.PROVER), self._members.v(Role.PROVER), strict=True)

    def _enter(self, alpha: np.ndarray, beta: np.ndarray) -> None:
        assert self._merging is not None
        folded, matrices, merging = self._statement.folded, self._matrices, self._merging
        u = _fold_u(self._members.u(Role.PROVER), alpha, folded)
        v = _fold_v(self._members.v(Role.PROVER), beta, folded, self._tables)
        self._u = np.concatenate([u, merged(matrices.u, merging.sigma, merging.tau)])
        self._v = np.concatenate([v, merged(matrices.v, merging.sigma, merging.tau)])
        del self._members, self._matrices, self._groups


class IntegerVerifier:
    """pads: of R, whose parts and u_0 come from kappa_i; of L, whose v_0 comes from kappa_{i-1}."""

    def __init__(
        self, statement: IntegerStatement, record: Record, role: Role, prover: int, challenge: bytes, pads: Stream
    ) -> None:
        self._statement, self._role, self._right, self._pads = statement, role, role is Role.RIGHT, pads
        groups = list(record.integers.values())
        self._members = _Members(groups, challenge)
        self._matrices = compressed(record, role, prover, challenge)
        self._t = self._sums_of_t(groups)
        self._merging: Merging | None = None
        self._tail_claim = self._mask = np.empty((0, WORDS), np.uint64)
        self._difference = b""
        self.claim = self.vector = self._mask

    def receive(self, number: int, message: bytes | None) -> np.ndarray:
        statement = self._statement
        if number and statement.shape[number - 1].masked:
            self._mask = draw(self._pads, bilinear.columns_of(len(self.vector), statement.shape[-1]))
        if self._right:
            return draw(self._pads, statement.values(number))
        return bilinear.elements(message)

    def fold(self, number: int, parts: np.ndarray, challenge: bytes) -> None:
        statement = self._statement
        if number == 0:
            self._merge(parts, challenge)
            return
        level = statement.shape[number - 1]
        alpha, beta = bilinear.coefficients(level, challenge)
        self.claim = bilinear.new_claim(level, parts, self.claim, alpha, beta)
        if level.masked:
            rows = bilinear.masked_rows(self.vector, level.rows, self._mask)
            self.vector = ring_128.combine(alpha if self._right else beta, rows)
        else:
            self._enter(alpha if self._right else beta)

    def opening(self) -> bytes:
        """R's part of the sums modulo 2^64, hashed; U, and R's part of the claim."""
        return self._difference + np.concatenate([self.vector, self.claim]).astype("<u8").tobytes()

    def accepts(self, opening: bytes) -> bool:
        """Are the sums right modulo 2^64, and <U, V> what is claimed modulo 2^128?"""
        elements = bilinear.elements(opening[HASH_BYTES:])
        product = ring_128.row_products(elements[None, :-1], self.vector[None])[0]
        equal = np.array_equal(product, ring_128.sums(self.claim, elements[-1:]))
        return equal and opening[:HASH_BYTES] == self._difference

    def _sums_of_t(self, groups: Sequence[Gates]) -> np.ndarray:
        """This role's part of what the sums over subsets have to be modulo 2^64."""
        sums = [np.empty(0, np.uint64)]
        if self._statement.elementwise:
            buckets = subsets.no_words()
            for index, gates in enumerate(groups):
                for members, t in zip(self._members.blocks(index), gates.take_t(self._role), strict=True):
                    subsets.add_words(members, t, buckets)
            sums.append(subsets.words_of_subsets(buckets))
        if self._statement.matrices:
            sums.append(self._matrices.t.reshape(-1))
        return np.concatenate(sums)

    def _merge(self, parts: np.ndarray, challenge: bytes) -> None:
        """S_R - t_R = t_L - S_L modulo 2^64 is what R and L compare."""
        low = np.ascontiguousarray(parts[:, 0])
        difference = low - self._t if self._right else self._t - low
        self._difference = hashlib.sha256(difference.astype("<u8").tobytes()).digest()
        self._merging = Merging.of(challenge)
        self.claim, self._tail_claim = self._merging.claims(self._statement, parts)
        if self._statement.first_rows == 1:
            self._enter(bilinear.one())

    def _enter(self, coefficients: np.ndarray) -> None:
        """Leave the words."""
        assert self._merging is not None
        folded, merging = self._statement.folded, self._merging
        if self._right:
            vector = _fold_u(self._members.u(self._role), coefficients, folded)
        else:
            tables = subsets.weights_of_members(merging.rho)
            vector = _fold_v(self._members.v(self._role), coefficients, folded, tables)
        tail = self._matrices.u if self._right else self._matrices.v
        self.vector = np.concatenate([vector, merged(tail, merging.sigma, merging.tau)])
        self.claim = ring_128.sums(self.claim, self._tail_claim)
        del self._members, self._matrices


def _weighed(tables: np.ndarray, members: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.empty((v.size, WORDS), np.uint64)
    subsets.weigh(tables, members, v, out)
    return out


def _fold_u(columns: Iterator[np.ndarray], alpha: np.ndarray, folded: int) -> np.ndarray:
    out, start = np.empty((folded, WORDS), np.uint64), 0
    for words in columns:
        stop = start + -(-words.size // len(alpha))
        ring_128.fold_words(alpha, words, out[start:stop])
        start = stop
    return out


def _fold_v(
    columns: Iterator[tuple[np.ndarray, np.ndarray]], beta: np.ndarray, folded: int, tables: np.ndarray
) -> np.ndarray:
    """With the weights, which stand with v."""
    out, start = np.empty((folded, WORDS), np.uint64), 0
    for members, words in columns:
        stop = start + -(-words.size // len(beta))
        ring_128.fold(beta, _weighed(tables, members, words), out[start:stop])
        start = stop
    return out
