"""What the three roles of a party have in common in the proof of products modulo 2^64.

A party's own component of everything belongs to u of its own proof, and to v of the next party's, of which it is L; the
previous party's component belongs to v of its own proof and to u of the previous party's, of which it is R. As the
three proofs have the same challenges, each weight, sum over a subset and combination of a matrix is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128, subsets
from mpc_tamper.engines.rep3.protocol.proof.bilinear import WORDS, draw
from mpc_tamper.engines.rep3.protocol.proof.matrices import PAIRS, compressed, draw_members
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand


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
        products = subsets.no_products()
        words = {role: subsets.no_words() for role in (Role.RIGHT, Role.LEFT)}
        for index, gates in enumerate(self.groups):
            t = {role: gates.take_t(role) for role in words}
            pairs = _pairs(gates)
            for block, members in enumerate(self.members(index)):
                for u, v in pairs:
                    subsets.add_products(members, u[block], v[block], products)
                for role, buckets in words.items():
                    subsets.add_words(members, t[role][block], buckets)
        of_roles = {role: subsets.words_of_subsets(buckets) for role, buckets in words.items()}
        return subsets.products_of_subsets(products), of_roles

    def merge(self, challenge: bytes) -> Merging:
        """By challenge 1, which is the same for all roles: the first that asks has it done."""
        if self._merging is None:
            self._merging = Merging.of(challenge)
            self._tables = subsets.weights_of_members(self._merging.rho)
        return self._merging

    def row_products(self, rows: int) -> np.ndarray:
        """z_ab of this party's proof at the level over words: (rows * rows, 2)."""
        total = np.zeros((rows, rows, WORDS), np.uint64)
        for index, gates in enumerate(self.groups):
            pairs = _pairs(gates)
            for block, weights in enumerate(self._weights(index) if pairs else ()):
                for u, v in pairs:
                    ring_128.add_row_products(u[block], _weighed(weights, v[block]), total)
        return total.reshape(-1, WORDS)

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
        start = 0
        for index, gates in enumerate(self.groups):
            of_u, of_v = {role: gates.u(role) for role in u}, {role: gates.v(role) for role in v}
            for block, weights in enumerate(self._weights(index) if gates.inner else ()):
                for product in range(len(gates.products)):
                    stop = start + -(-len(weights) * gates.inner // len(alpha))
                    for role, columns in of_u.items():
                        ring_128.fold_words(alpha, columns[product][block], u[role][start:stop])
                    for role, columns in of_v.items():
                        ring_128.fold(beta, _weighed(weights, columns[product][block]), v[role][start:stop])
                    start = stop

    def _weights(self, index: int) -> Iterator[np.ndarray]:
        """Of the gates of a group, block by block: (n, 2)."""
        for members in self.members(index):
            out = np.empty((members.size, WORDS), np.uint64)
            subsets.weights(self._tables, members, out)
            yield out


def _weighed(weights: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.empty((v.size, WORDS), np.uint64)
    subsets.times_words(weights, v, out)
    return out


def _pairs(gates: Gates) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Blocks of u and of v, of each product of this party's proof; none where products have length 0."""
    sides = zip(gates.u(Role.PROVER), gates.v(Role.PROVER), strict=True)
    return list(sides) if gates.inner else []
