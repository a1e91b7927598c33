"""What the three roles of a party have in common in the proof of products modulo 2^64.

A party's own component of everything belongs to u of its own proof, and to v of the next party's, of which it is L; the
previous party's component belongs to v of its own proof and to u of the previous party's, of which it is R. As the
three proofs have the same challenges, each weight, sum over a subset and combination of a matrix is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.kernels.threads import shared
from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128, subsets
from mpc_tamper.engines.rep3.protocol.proof.bilinear import WORDS, draw
from mpc_tamper.engines.rep3.protocol.proof.matrices import PAIRS, compressed, draw_members
from mpc_tamper.engines.rep3.protocol.proof.record import Record, Role
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand

Pair = tuple[np.ndarray, np.ndarray]  # words of u and of v
Fold = tuple[np.ndarray, np.ndarray]  # words, and the elements that they become


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

    def claims(self, sums: np.ndarray, *, elementwise: bool, matrices: bool) -> tuple[np.ndarray, np.ndarray]:
        """Of elementwise gates and of matrices, an element each. sums: of those that there are, one after the other."""
        gates = pairs = np.zeros((1, WORDS), np.uint64)
        if elementwise:
            gates = ring_128.combine(self.rho, sums[:SUBSETS, None])
        if matrices:
            rows = ring_128.combine(self.sigma, sums[-PAIRS:].reshape(SUBSETS, SUBSETS, WORDS))
            pairs = ring_128.combine(self.tau, rows[:, None])
        return gates, pairs


@dataclass(frozen=True)
class Vectors:
    """u and v of each role that knows them, elements, once they have left the words."""

    u: dict[Role, np.ndarray]
    v: dict[Role, np.ndarray]


class Entries:
    """Of one batch. challenge: 0, from which the subsets come.  folded: how many elements elementwise gates become.

    sums: S^k of the elementwise gates of this party's proof, (48, 2).  t: by role, R's or L's part of what they have to
    be modulo 2^64, (48,).
    """

    def __init__(self, record: Record, party: int, challenge: bytes, folded: int) -> None:
        self.groups = list(record.integers.values())
        self.challenge, self._folded = challenge, folded
        self.matrices = compressed(record, party, challenge)
        self.sums, self.t = self._sums_over_subsets()
        self._merging: Merging | None = None
        self._tables = np.empty((0, 0, 0), np.uint64)
        self._vectors: Vectors | None = None

    def members(self, index: int) -> Iterator[np.ndarray]:
        """In which subsets the gates of a group are, block by block.

        They are drawn again whenever they are read: this takes less time than memory.
        """
        gates = self.groups[index]
        stream = expand(self.challenge, b"subsets of gates, %d" % index)
        for start in range(0, gates.outputs, gates.block_outputs):
            yield draw_members(stream, min(gates.block_outputs, gates.outputs - start))

    def _sums_over_subsets(self) -> tuple[np.ndarray, dict[Role, np.ndarray]]:
        products = np.zeros((SUBSETS, WORDS), np.uint64)
        sums = {role: np.zeros(SUBSETS, np.uint64) for role in (Role.RIGHT, Role.LEFT)}
        t = [[gates.take_t(role) for role in sums] for gates in self.groups]
        blocks = (
            (members, pairs, [of_role[block] for of_role in t[index]])
            for index, block, members, pairs in self._blocks()
        )
        for of_products, of_t in shared(_sums_of_block, blocks):
            products = ring_128.sums(products, of_products)
            for role, of_role in zip(sums, of_t, strict=True):
                sums[role] += of_role
        return products, sums

    def _blocks(self) -> Iterator[tuple[int, int, np.ndarray, list[Pair]]]:
        """Of each group and block of gates: their numbers, the members, and u and v of each product of this party's
        proof; no pair where products have length 0."""
        for index, gates in enumerate(self.groups):
            sides = list(zip(gates.u(Role.PROVER), gates.v(Role.PROVER), strict=True)) if gates.inner else []
            for block, members in enumerate(self.members(index)):
                yield index, block, members, [(u[block], v[block]) for u, v in sides]

    def merge(self, challenge: bytes) -> Merging:
        """By challenge 1, which is the same for all roles: the first that asks has it done."""
        if self._merging is None:
            self._merging = Merging.of(challenge)
            self._tables = subsets.weights_of_members(self._merging.rho)
        return self._merging

    def row_products(self, rows: int) -> np.ndarray:
        """z_ab of this party's proof at the level over words: (rows * rows, 2)."""
        total = np.zeros((rows * rows, WORDS), np.uint64)
        blocks = ((self._tables, members, pairs, rows) for _, _, members, pairs in self._blocks() if pairs)
        for of_block in shared(_row_products_of_block, blocks):
            total = ring_128.sums(total, of_block.reshape(-1, WORDS))
        return total

    def vectors(self, alpha: np.ndarray, beta: np.ndarray) -> Vectors:
        """After the level over words, by its coefficients, or by ones: as with merge.

        Weights stand with v. Words are dropped.
        """
        if self._vectors is None:
            assert self._merging is not None
            self.matrices.merge(self._merging.sigma, self._merging.tau)
            u = {role: self._with_tail(self.matrices.u(role)) for role in (Role.PROVER, Role.RIGHT)}
            v = {role: self._with_tail(self.matrices.v(role)) for role in (Role.PROVER, Role.LEFT)}
            del self.matrices
            self._fold(alpha, beta, u, v)
            self.groups = []
            self._vectors = Vectors(u, v)
        return self._vectors

    def _with_tail(self, of_matrices: list[np.ndarray]) -> np.ndarray:
        """Room for what elementwise gates become, and after it what matrices add."""
        out = np.empty((self._folded + sum(map(len, of_matrices)), WORDS), np.uint64)
        np.concatenate(of_matrices or [out[:0]], out=out[self._folded :])
        return out

    def _fold(self, alpha: np.ndarray, beta: np.ndarray, u: dict[Role, np.ndarray], v: dict[Role, np.ndarray]) -> None:
        """The elementwise gates, each block of each column by itself."""

        def calls() -> Iterator[tuple[np.ndarray, list[Fold], list[Fold]]]:
            start = 0
            of_u = [{role: gates.u(role) for role in u} for gates in self.groups]
            of_v = [{role: gates.v(role) for role in v} for gates in self.groups]
            for index, block, members, pairs in self._blocks():
                folds_u: list[Fold] = []
                folds_v: list[Fold] = []
                for product in range(len(pairs)):
                    stop = start + -(-members.size * self.groups[index].inner // len(alpha))
                    folds_u += [(of_u[index][role][product][block], out[start:stop]) for role, out in u.items()]
                    folds_v += [(of_v[index][role][product][block], out[start:stop]) for role, out in v.items()]
                    start = stop
                yield members, folds_u, folds_v

        def fold(members: np.ndarray, folds_u: list[Fold], folds_v: list[Fold]) -> None:
            for words, out in folds_u:
                ring_128.fold_words(alpha, words, out)
            if folds_v:
                scaled = ring_128.scaled_rows(beta, _weights(self._tables, members, folds_v[0][0].size))
                for words, out in folds_v:
                    ring_128.fold_by(scaled, words, out)

        shared(fold, calls())


def _sums_of_block(members: np.ndarray, pairs: list[Pair], t: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Of the products, and of R's and L's parts of what they have to be."""
    products = subsets.no_products()
    for u, v in pairs:
        subsets.add_products(members, u, v, products)
    sums = []
    for words in t:
        buckets = subsets.no_words()
        subsets.add_words(members, words, buckets)
        sums.append(subsets.words_of_subsets(buckets))
    return subsets.products_of_subsets(products), sums


def _row_products_of_block(tables: np.ndarray, members: np.ndarray, pairs: list[Pair], rows: int) -> np.ndarray:
    total = np.zeros((rows, rows, WORDS), np.uint64)
    weights = _weights(tables, members, pairs[0][0].size)
    for u, v in pairs:
        weighed = np.empty((v.size, WORDS), np.uint64)
        subsets.times_words(weights, v, weighed)
        ring_128.add_row_products(u, weighed, total)
    return total


def _weights(tables: np.ndarray, members: np.ndarray, words: int) -> np.ndarray:
    """W of each gate of a block, for each of the words that it stands with: (words, 2)."""
    out = np.empty((members.size, WORDS), np.uint64)
    subsets.weights(tables, members, out)
    return out if words == members.size else np.repeat(out, words // members.size, axis=0)
