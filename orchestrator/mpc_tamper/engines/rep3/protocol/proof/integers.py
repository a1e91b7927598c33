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
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.bilinear import WORDS, Level, draw, levels_for
from mpc_tamper.engines.rep3.protocol.proof.entries import Entries, Merging
from mpc_tamper.engines.rep3.protocol.proof.matrices import PAIRS
from mpc_tamper.engines.rep3.protocol.proof.record import Record, Role
from mpc_tamper.engines.rep3.protocol.proof.soundness import subset_error, valuation_error
from mpc_tamper.engines.rep3.protocol.proof.transcript import HASH_BYTES
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
        tails = [gates.lengths for gates in record.matrices.values()]
        first, second, third = map(sum, zip(*tails, strict=True)) if tails else (0, 0, 0)
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

    def entries(self, record: Record, party: int, challenge: bytes) -> Entries:
        return Entries(record, party, challenge, self.folded, self.shape[-1])

    def verifier(self, entries: Entries, role: Role, pads: Stream) -> IntegerVerifier:
        return IntegerVerifier(self, entries, role, pads)


class IntegerProver:
    """pads: of R's parts and u_0, from kappa_i; masks: of v_0, from kappa_{i-1}."""

    def __init__(self, statement: IntegerStatement, entries: Entries, pads: Stream, masks: Stream) -> None:
        self._statement, self._entries, self._pads, self._masks = statement, entries, pads, masks
        self._merging: Merging | None = None
        self._u = self._v = np.empty((0, 0, WORDS), np.uint64)  # rows of the masked level

    def message(self, number: int) -> bytes:
        """L's parts of the sums over subsets or, at a level, of all z_ab but the last."""
        values = self._values(number)
        pads = draw(self._pads, len(values))
        return ring_128.differences(values, pads).astype("<u8").tobytes()

    def fold(self, number: int, challenge: bytes) -> None:
        statement = self._statement
        if number == 0:
            self._merging = self._entries.merge(challenge)
            if statement.first_rows == 1:
                self._enter(bilinear.one(), bilinear.one())
        elif number < len(statement.shape):
            self._enter(*bilinear.coefficients(statement.shape[number - 1], challenge))

    def _values(self, number: int) -> np.ndarray:
        if number == 0:
            return self._sums()
        level = self._statement.shape[number - 1]
        if not level.masked:
            return self._entries.row_products(level.rows)[:-1]
        for rows, stream in ((self._u, self._pads), (self._v, self._masks)):
            rows[0] = draw(stream, rows.shape[1])
        return ring_128.row_products(self._u, self._v).reshape(-1, WORDS)[:-1]

    def _sums(self) -> np.ndarray:
        parts = [np.empty((0, WORDS), np.uint64)]
        if self._statement.elementwise:
            parts.append(self._entries.sums)
        if self._statement.matrices:
            parts.append(self._entries.matrices.products)
        return np.concatenate(parts)

    def _enter(self, alpha: np.ndarray, beta: np.ndarray) -> None:
        vectors = self._entries.vectors(alpha, beta)
        self._u, self._v = vectors.u[Role.PROVER], vectors.v[Role.PROVER]


class IntegerVerifier:
    """pads: of R, whose parts and u_0 come from kappa_i; of L, whose v_0 comes from kappa_{i-1}."""

    def __init__(self, statement: IntegerStatement, entries: Entries, role: Role, pads: Stream) -> None:
        self._statement, self._entries, self._pads = statement, entries, pads
        self._role, self._right = role, role is Role.RIGHT
        self._t = self._sums_of_t(role)
        self._rows = np.empty((0, 0, WORDS), np.uint64)  # of the masked level
        self._difference = b""
        self.claim = self.vector = self._tail_claim = np.empty((0, WORDS), np.uint64)

    def receive(self, number: int, message: bytes | None) -> np.ndarray:
        statement = self._statement
        if number and statement.shape[number - 1].masked:
            self._rows[0] = draw(self._pads, self._rows.shape[1])
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
            self.vector = ring_128.combine(alpha if self._right else beta, self._rows)
        else:
            self._enter(alpha, beta)

    def opening(self) -> bytes:
        """R's part of the sums modulo 2^64, hashed; U, and R's part of the claim."""
        return self._difference + np.concatenate([self.vector, self.claim]).astype("<u8").tobytes()

    def accepts(self, opening: bytes) -> bool:
        """Are the sums right modulo 2^64, and <U, V> what is claimed modulo 2^128?"""
        elements = bilinear.elements(opening[HASH_BYTES:])
        product = ring_128.row_products(elements[None, :-1], self.vector[None])[0]
        equal = np.array_equal(product, ring_128.sums(self.claim, elements[-1:]))
        return equal and opening[:HASH_BYTES] == self._difference

    def _merge(self, parts: np.ndarray, challenge: bytes) -> None:
        """S_R - t_R = t_L - S_L modulo 2^64 is what R and L compare."""
        low, t = np.ascontiguousarray(parts[:, 0]), self._t
        difference = low - t if self._right else t - low
        self._difference = hashlib.sha256(difference.astype("<u8").tobytes()).digest()
        self.claim, self._tail_claim = self._entries.merge(challenge).claims(
            parts, elementwise=self._statement.elementwise, matrices=self._statement.matrices
        )
        if self._statement.first_rows == 1:
            self._enter(bilinear.one(), bilinear.one())

    def _sums_of_t(self, role: Role) -> np.ndarray:
        """This role's part of what the sums over subsets have to be modulo 2^64."""
        parts = [np.empty(0, np.uint64)]
        if self._statement.elementwise:
            parts.append(self._entries.t[role])
        if self._statement.matrices:
            parts.append(self._entries.matrices.t[role].reshape(-1))
        return np.concatenate(parts)

    def _enter(self, alpha: np.ndarray, beta: np.ndarray) -> None:
        """Leave the words."""
        vectors = self._entries.vectors(alpha, beta)
        self._rows = (vectors.u if self._right else vectors.v)[self._role]
        self.claim = ring_128.sums(self.claim, self._tail_claim)
