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

from mpc_tamper.engines.kernels.threads import shared
from mpc_tamper.engines.mapped import BLOCK_BYTES, Storage, mapping_of, release, row_blocks, sum_over_rows
from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128, subsets
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


@dataclass
class Component:
    """What is made of one component of some matrix products Z = X Y: of the party's own, or of the previous party's.

    x: of each, a^T X, (48, inner) words, or None where that is known to be zero.  y: Y b, (48 or columns, inner).
    t: R's or L's part of what the products have to be modulo 2^64, (48, 48): R verifies by the previous party's
    component, L by its own.
    """

    x: kernel.Matrices
    y: kernel.Matrices
    t: np.ndarray


@dataclass
class Block:
    """What is made of some of a batch's matrix products: of as many as are worth a call.

    products: S_jk modulo 2^128, from canonical lifts of the words: (48 * 48, 2).
    """

    own: Component
    previous: Component
    products: np.ndarray


@dataclass
class Compressed:
    """All matrix products of a batch, as the three roles of a party need them.

    With prover i of a role, u = (a^T X_i, Y_i b) and v = (Y_{i-1} b, a^T X_{i-1}), without what is known to be zero. So
    the party's own component is that of u in its own proof and of v in that of which it is L.
    zero: for each matrix X, whether party 0's, 1's and 2's component of it is known to be zero.  inner: of each.
    """

    party: int
    zero: np.ndarray
    inner: np.ndarray
    blocks: list[Block]

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

    def t(self, role: Role) -> np.ndarray:
        total = np.zeros((SUBSETS, SUBSETS), np.uint64)
        for block in self.blocks:
            total += (block.previous if role is Role.RIGHT else block.own).t
        return total

    def products(self) -> np.ndarray:
        """S_jk of all of them."""
        total = np.zeros((PAIRS, bilinear.WORDS), np.uint64)
        for block in self.blocks:
            total = ring_128.sums(total, block.products)
        return total

    def merge(self, sigma: np.ndarray, tau: np.ndarray, u: dict[Role, np.ndarray], v: dict[Role, np.ndarray]) -> None:
        """Into u and v of each role that knows them, combinations of rows: by sigma of a^T X, by tau of Y b. The rows
        are dropped."""
        blocks, self.blocks = self.blocks, []
        own, previous = [block.own for block in blocks], [block.previous for block in blocks]
        roles = (own, Role.PROVER, Role.LEFT), (previous, Role.RIGHT, Role.PROVER)
        # X_i is the first side of u and the second one of v, Y_i the other way round.
        calls = [
            (some, sigma, tau, (u[of_u], self._places(of_u)), (v[of_v], self._places(of_v)[::-1]))
            for some, of_u, of_v in roles
        ]
        shared(_combine, calls)


def _combine(
    components: list[Component], sigma: np.ndarray, tau: np.ndarray, *outs: tuple[np.ndarray, np.ndarray]
) -> None:
    last = 0
    for component in components:
        first, last = last, last + len(component.x)
        for side, (factors, rows) in enumerate(((sigma, component.x), (tau, component.y))):
            kernel.combine(factors, rows, *((out, places[side, first:last]) for out, places in outs))


def compressed(record: Record, party: int, challenge: bytes) -> Compressed:
    """Of what a party recorded, whose vectors and messages are dropped."""
    groups, stream = list(record.matrices.values()), subsets_of_matrices(challenge)
    drawn = [draw_subsets(stream, gates.outer, gates.vectors) for gates in groups]
    calls = [(party, groups[some], drawn[some], record.storage) for some in _blocks(groups)]
    # What is shared is not split once more, and a single block can be.
    blocks = shared(_block, calls) if len(calls) > 1 else list(itertools.starmap(_block, calls))
    zero = [gates.zero for gates in groups]
    inner = np.array([gates.inner for gates in groups], np.int64)
    return Compressed(party, np.array(zero, np.bool_).reshape(-1, 3), inner, blocks)


def _blocks(groups: list[MatrixGates]) -> list[slice]:
    """One after the other, until they are large enough."""
    bounds, words = [0], 0
    for number, gates in enumerate(groups, start=1):
        words += (SUBSETS + gates.vectors) * gates.inner + gates.outer * gates.vectors
        if words > _BLOCK_WORDS or number == len(groups):
            bounds, words = [*bounds, number], 0
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


def _block(
    party: int, groups: list[MatrixGates], drawn: list[tuple[np.ndarray, np.ndarray]], storage: Storage
) -> Block:
    """The products follow at once, while what they need is in the cache."""
    roles = [(Role.LEFT, party), (Role.RIGHT, (party - 1) % 3)]  # the verifier by a component, and whose that is
    own, previous = shared(_component, [(role, index, groups, drawn, storage) for role, index in roles])
    one, other = shared(_products, [(own.x, previous.y), (previous.x, own.y)])
    return Block(own, previous, ring_128.sums(one, other))


def _products(x: kernel.Matrices, y: kernel.Matrices) -> np.ndarray:
    total = np.zeros((SUBSETS, SUBSETS, bilinear.WORDS), np.uint64)
    kernel.add_products(x, y, total)
    return total.reshape(PAIRS, bilinear.WORDS)


def _component(
    role: Role, index: int, groups: list[MatrixGates], drawn: list[tuple[np.ndarray, np.ndarray]], storage: Storage
) -> Component:
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
    members, transposed = np.concatenate([a for a, _ in drawn]), np.array([gates.transposed for gates in groups])
    columns = [0 if gates.zero[index] else gates.inner for gates in groups]
    of_x, of_y = kernel.Matrices.new(SUBSETS, columns, instead), kernel.Matrices.of(y)
    total = np.zeros((SUBSETS, SUBSETS), np.uint64)
    kernel.sums_over_subsets(members, kernel.Matrices.of(x), transposed, of_x, kernel.Matrices.of(t), total)
    kernel.subtract_low_products(of_x.where([_has_term(gates, role, index) for gates in groups]), of_y, total)
    return Component(of_x, of_y, total)


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
