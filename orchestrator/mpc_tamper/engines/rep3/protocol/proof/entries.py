"""What the three roles of a party have in common in the proof of products modulo 2^64.

A party's own component of everything belongs to u of its own proof, and to v of the next party's, of which it is L; the
previous party's component belongs to v of its own proof and to u of the previous party's, of which it is R. As the
three proofs have the same challenges, each weight, sum over a subset and combination of a matrix is computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import SUBSETS, gate_rows, gate_sums, ring_128
from mpc_tamper.engines.rep3.protocol.proof.bilinear import WORDS, Level, draw, masked_rows, vector_of
from mpc_tamper.engines.rep3.protocol.proof.matrices import PAIRS, compressed, draw_members
from mpc_tamper.engines.rep3.protocol.proof.record import Gates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.roles import Vectors
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


class Entries:
    """Of one batch. challenge: 0, from which the subsets come.  folded: how many elements elementwise gates become.
    level: the masked one.

    members: of each group and block of elementwise gates, in which subsets they are.  sums: S^k of these gates in this
    party's proof, (48, 2).  t: by role, R's or L's part of what they have to be modulo 2^64, (48,).
    """

    def __init__(self, record: Record, party: int, challenge: bytes, folded: int, level: Level) -> None:
        self.groups = list(record.integers.values())
        self.challenge, self._folded, self._level = challenge, folded, level
        self.matrices = compressed(record, party, challenge)
        self.members = [self._draw_members(index, gates) for index, gates in enumerate(self.groups)]
        self.sums, self.t = self._sums_over_subsets()
        self._merging: Merging | None = None
        self._tables = np.empty((0, 0, 0), np.uint64)
        self._vectors: Vectors | None = None

    def _draw_members(self, index: int, gates: Gates) -> list[np.ndarray]:
        stream, size = expand(self.challenge, b"subsets of gates, %d" % index), gates.block_outputs
        return [draw_members(stream, min(size, gates.outputs - start)) for start in range(0, gates.outputs, size)]

    def _sums_over_subsets(self) -> tuple[np.ndarray, dict[Role, np.ndarray]]:
        products, words = np.zeros((SUBSETS, WORDS), np.uint64), np.zeros((2, SUBSETS), np.uint64)
        t = [(gates.take_t(Role.RIGHT), gates.take_t(Role.LEFT)) for gates in self.groups]
        for index, block, members, pairs in self._blocks():
            of_block = t[index][0][block], t[index][1][block]
            gate_sums.add_gates(members, pairs, of_block, products, words)
        return products, {Role.RIGHT: words[0], Role.LEFT: words[1]}

    def _blocks(self) -> Iterator[tuple[int, int, np.ndarray, list[Pair]]]:
        """Of each group and block of gates: their numbers, the members, and u and v of each product of this party's
        proof; no pair where products have length 0."""
        for index, (gates, of_group) in enumerate(zip(self.groups, self.members, strict=True)):
            sides = list(zip(gates.u(Role.PROVER), gates.v(Role.PROVER), strict=True)) if gates.inner else []
            for block, members in enumerate(of_group):
                yield index, block, members, [(u[block], v[block]) for u, v in sides]

    def merge(self, challenge: bytes) -> Merging:
        """By challenge 1, which is the same for all roles: the first that asks has it done."""
        if self._merging is None:
            self._merging = Merging.of(challenge)
            self._tables = gate_rows.tables_of(self._merging.rho)
        return self._merging

    def row_products(self, rows: int) -> np.ndarray:
        """z_ab of this party's proof at the level over words: (rows * rows, 2)."""
        total = np.zeros((rows, rows, WORDS), np.uint64)
        for _, _, members, pairs in self._blocks():
            gate_rows.add_row_products(self._tables, members, pairs, total)
        return total.reshape(-1, WORDS)

    def vectors(self, alpha: np.ndarray, beta: np.ndarray) -> Vectors:
        """After the level over words, by its coefficients, or by ones: as with merge.

        Weights stand with v. Words are dropped.
        """
        if self._vectors is None:
            assert self._merging is not None
            u = {role: self._room(role) for role in (Role.PROVER, Role.RIGHT)}
            v = {role: self._room(role) for role in (Role.PROVER, Role.LEFT)}
            tails_u, tails_v = (
                {role: vector_of(rows)[self._folded :] for role, rows in each.items()} for each in (u, v)
            )
            self.matrices.merge(self._merging.sigma, self._merging.tau, tails_u, tails_v)
            del self.matrices
            self._fold(alpha, beta, u, v)
            self.groups, self.members = [], []
            self._vectors = Vectors(u, v)
        return self._vectors

    def _room(self, role: Role) -> np.ndarray:
        """For what elementwise gates become, and after it what matrices add."""
        return masked_rows(self._folded + self.matrices.length(role), self._level)

    def _fold(self, alpha: np.ndarray, beta: np.ndarray, u: dict[Role, np.ndarray], v: dict[Role, np.ndarray]) -> None:
        """The elementwise gates, each block of each column by itself."""
        assert self._merging is not None
        tables = gate_rows.tables_of_rows(self._merging.rho, beta)
        to_u, to_v = ({role: vector_of(rows) for role, rows in each.items()} for each in (u, v))
        of_u = [{role: gates.u(role) for role in u} for gates in self.groups]
        of_v = [{role: gates.v(role) for role in v} for gates in self.groups]
        start = 0
        for index, block, members, pairs in self._blocks():
            folds: list[Fold] = []
            for product in range(len(pairs)):
                stop = start + -(-members.size * self.groups[index].inner // len(alpha))
                for role, out in to_u.items():
                    ring_128.fold_words(alpha, of_u[index][role][product][block], out[start:stop])
                folds += [(of_v[index][role][product][block], out[start:stop]) for role, out in to_v.items()]
                start = stop
            gate_rows.fold(tables, members, folds)
