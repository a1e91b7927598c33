"""Matrix products Z_t = X Y_t, compressed by random subsets (after Freivalds).

With a_j the indicator of a random subset of the rows of Z, b_k of its columns, those of all t in the batch, the claims
a_j^T Z b_k = (a_j^T X)(Y b_k) modulo 2^64 for all pairs (j, k) of 48 subsets each follow from X Y = Z, and hardly ever
without. Where Z has at most 48 columns, b_k is column k itself: there is nothing to draw, to miss or to add up. One sum
over all matrices of a batch is claimed for each pair. The subsets are drawn afresh in each batch, the same for its
three provers: they are revealed to them, and a prover could otherwise choose later errors that they miss.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.mapped import BLOCK_BYTES, Storage, mapping_of, release, row_blocks, sum_over_rows
from mpc_tamper.engines.rep3.kernels import SUBSETS, subsets
from mpc_tamper.engines.rep3.kernels import matrices as kernel
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.record import MatrixGates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

_UNUSED_BITS = np.uint64(64 - SUBSETS)
_ALONE = np.uint64(1) << np.arange(SUBSETS, dtype=np.uint64)  # members of subsets of one each
_ALONE.flags.writeable = False
_BLOCK_WORDS = 1 << 18  # a call takes little of the time that they do, and they little of what memory there is
PAIRS = SUBSETS**2


def draw_members(stream: Stream, count: int) -> np.ndarray:
    """Bit k of each word says whether it is in subset k: 48 bits of 64."""
    members = stream.draw(count)
    members >>= _UNUSED_BITS
    return members


def subsets_of_matrices(challenge: bytes) -> Stream:
    """What a and b of each matrix are drawn from, one after the other."""
    return expand(challenge, b"subsets of matrices")


def draw_subsets(stream: Stream, outer: int, vectors: int) -> tuple[np.ndarray, np.ndarray]:
    """Members of the rows of one Z, a, and of its columns, b: up to 48 columns are a subset each."""
    a = draw_members(stream, outer)
    return a, draw_members(stream, vectors) if vectors > SUBSETS else _ALONE[:vectors]


Rows = tuple["kernel.Matrices", "kernel.Matrices"]  # of a component of some matrix products, a^T X and Y b


@dataclass
class Block:
    """What is left of some of a batch's matrix products.

    numbers: which they are.  units: pieces of the work (kernels/matrices.py).  own, previous: of each component.
    """

    numbers: slice
    units: np.ndarray
    own: Rows
    previous: Rows


@dataclass
class Compressed:
    """All matrix products of a batch, as the three roles of a party need them.

    With prover i of a role, u = (a^T X_i, Y_i b) and v = (Y_{i-1} b, a^T X_{i-1}), without what is known to be zero. So
    the party's own component is that of u in its own proof and of v in that of which it is L.
    zero: for each matrix X, whether party 0's, 1's and 2's component of it is known to be zero.  inner: of each.
    t: L's and R's part of what the products have to be modulo 2^64, (48, 48): L verifies by its own component, R by the
    previous party's.  products: S_jk modulo 2^128, from canonical lifts of the words: (48 * 48, 2).
    """

    party: int
    zero: np.ndarray
    inner: np.ndarray
    blocks: list[Block]
    t: dict[Role, np.ndarray]
    products: np.ndarray

    def length(self, role: Role) -> int:
        """Of u and v in the proof of a role: what merge needs room for."""
        return int(self._lengths(role).sum())

    def _lengths(self, role: Role) -> np.ndarray:
        """Of X_i Y_{i-1} and of X_{i-1} Y_i, how long their sides are, for each matrix: (matrices, 2)."""
        prover = (self.party + {Role.PROVER: 0, Role.RIGHT: -1, Role.LEFT: 1}[role]) % 3
        return np.where(self.zero[:, [prover, prover - 1]], 0, self.inner[:, None])

    def _places(self, role: Role) -> np.ndarray:
        """Where they begin: (2, matrices); -1 where there are none."""
        lengths = self._lengths(role)
        ends = lengths.cumsum().reshape(-1, 2)
        return np.where(lengths > 0, ends - lengths, -1).T.copy()

    def merge(self, sigma: np.ndarray, tau: np.ndarray, u: dict[Role, np.ndarray], v: dict[Role, np.ndarray]) -> None:
        """Into u and v of each role that knows them, combinations of rows: by sigma of a^T X, by tau of Y b. The rows
        are dropped."""
        places = {role: self._places(role) for role in Role}
        blocks, self.blocks = self.blocks, []
        for block in blocks:
            # X_i is the first side of u and the second one of v, Y_i the other way round.
            for rows, of_u, of_v in (
                (block.own, Role.PROVER, Role.LEFT),
                (block.previous, Role.RIGHT, Role.PROVER),
            ):
                outs = (u[of_u], places[of_u][:, block.numbers]), (v[of_v], places[of_v][::-1, block.numbers])
                for side, factors in enumerate((sigma, tau)):
                    kernel.combine(factors, rows[side], block.units, *((out, starts[side]) for out, starts in outs))


def compressed(record: Record, party: int, challenge: bytes) -> Compressed:
    """Of what a party recorded, whose vectors and messages are dropped."""
    groups, stream = list(record.matrices.values()), subsets_of_matrices(challenge)
    drawn = [draw_subsets(stream, gates.outer, gates.vectors) for gates in groups]
    t, products = np.zeros((2, SUBSETS, SUBSETS), np.uint64), np.zeros((SUBSETS, SUBSETS, bilinear.WORDS), np.uint64)
    blocks = [
        _block(party, groups[numbers], drawn[numbers], record.storage, numbers, (t, products))
        for numbers in _blocks(groups)
    ]
    zero = np.array([gates.zero for gates in groups], np.bool_).reshape(-1, 3)
    inner = np.array([gates.inner for gates in groups], np.int64)
    of_verifier = {Role.LEFT: t[0], Role.RIGHT: t[1]}
    return Compressed(party, zero, inner, blocks, of_verifier, products.reshape(PAIRS, bilinear.WORDS))


def _blocks(groups: list[MatrixGates]) -> list[slice]:
    """One after the other, until they are large enough."""
    bounds, words = [0], 0
    for number, gates in enumerate(groups, start=1):
        words += (SUBSETS + gates.vectors) * gates.inner + gates.outer * gates.vectors
        if words > _BLOCK_WORDS or number == len(groups):
            bounds, words = [*bounds, number], 0
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


def _block(
    party: int,
    groups: list[MatrixGates],
    drawn: list[tuple[np.ndarray, np.ndarray]],
    storage: Storage,
    numbers: slice,
    sums: tuple[np.ndarray, np.ndarray],
) -> Block:
    """Adds to sums: what both verifiers and the prover of Compressed have."""
    outer, inner = ([getattr(gates, name) for gates in groups] for name in ("outer", "inner"))
    units = kernel.units_of(outer, inner)
    subsets_of_rows = kernel.SubsetsOfRows.of([a for a, _ in drawn], [gates.transposed for gates in groups])
    # The verifier by a component, and whose that is.
    own = _side(Role.LEFT, party, groups, drawn, storage)
    previous = _side(Role.RIGHT, (party - 1) % 3, groups, drawn, storage)
    kernel.compress(subsets_of_rows, units, own, previous, *sums)
    return Block(numbers, units, (own.of_x, own.y), (previous.of_x, previous.y))


def _side(
    role: Role, index: int, groups: list[MatrixGates], drawn: list[tuple[np.ndarray, np.ndarray]], storage: Storage
) -> kernel.Side:
    x: list[np.ndarray | None] = []  # of which sums are still to be made
    instead: dict[int, np.ndarray] = {}  # those that have been made
    y, t = [], []
    for number, (gates, (a, b)) in enumerate(zip(groups, drawn, strict=True)):
        component = None if gates.zero[index] else gates.x_of(role)
        if component is not None and mapping_of(component) is not None:
            instead[number], component = _sums_of_mapped(gates, a, component, storage), None
        x.append(component)
        y.append(_sums_of_vectors(gates, b, gates.take_y(role), storage))
        t.append(_sums_of_t(b, gates.take_t(role)))
    columns = [0 if gates.zero[index] else gates.inner for gates in groups]
    has_term = np.array([_has_term(gates, role, index) for gates in groups], np.bool_)
    of_x = kernel.Matrices.new(SUBSETS, columns, instead)
    return kernel.Side(kernel.Matrices.of(x), of_x, kernel.Matrices.of(y), kernel.Matrices.of(t), has_term)


def _has_term(gates: MatrixGates, role: Role, index: int) -> bool:
    """x_i y_i of R's prover i, unless the next party's message holds it: then it is L's that has to."""
    return not gates.term_is_shifted(index) if role is Role.RIGHT else gates.takes_shifted_term(index + 1)


def _sums_of_mapped(gates: MatrixGates, a: np.ndarray, x: np.ndarray, storage: Storage) -> np.ndarray:
    """a^T X or, where the transpose is what is multiplied, X a: (48, inner)."""
    if not gates.transposed:
        return sum_over_rows(lambda rows, members: subsets.sums_of_rows(members, rows), x, a)
    out = storage.zeros((SUBSETS, len(x)))  # as long as X has rows, which may be too long for memory
    for rows in row_blocks(x, SUBSETS * WORD_BYTES):
        out[:, rows] = subsets.sums_of_columns(a, x[rows])
        release(out)
    return out


def _sums_of_vectors(gates: MatrixGates, b: np.ndarray, y: list[np.ndarray], storage: Storage) -> np.ndarray:
    """Y b: (48, inner), or (vectors, inner). y: vectors (inner,) as rows, of one product after the other."""
    if not (gates.transposed and gates.mapped):
        return _sums_of_rows(b, y[0] if len(y) == 1 else np.concatenate(y))
    out = storage.zeros((min(SUBSETS, gates.vectors), gates.inner))
    size = max(1, BLOCK_BYTES // (WORD_BYTES * max(gates.vectors, SUBSETS)))
    for start in range(0, gates.inner, size):
        columns = slice(start, start + size)
        out[:, columns] = _sums_of_rows(b, np.concatenate([each[:, columns] for each in y]))
        release(out)
    return out


def _sums_of_rows(b: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Where each is a subset by itself, the rows."""
    return subsets.sums_of_rows(b, rows) if len(b) > SUBSETS else rows


def _sums_of_t(b: np.ndarray, t: list[np.ndarray]) -> np.ndarray:
    """t b: (outer, 48 or columns). t: (outer, vectors) of one product after the other."""
    joined = t[0] if len(t) == 1 else np.concatenate(t, axis=1)
    return joined if len(b) <= SUBSETS else kernel.turned(subsets.sums_of_columns(b, joined))
