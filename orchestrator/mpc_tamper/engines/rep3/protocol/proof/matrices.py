"""Matrix products Z_t = X Y_t, compressed by random subsets (after Freivalds).

With a_j the indicator of a random subset of the rows of Z, b_k of its columns, those of all t in the batch, the claims
a_j^T Z b_k = (a_j^T X)(Y b_k) modulo 2^64 for all pairs (j, k) of 48 subsets each follow from X Y = Z, and hardly ever
without. Where Z has at most 48 columns, b_k is column k itself: there is nothing to draw, to miss or to add up. One sum
over all matrices of a batch is claimed for each pair. The subsets are drawn afresh in each batch and for each prover:
they are revealed to the prover, who could otherwise choose later errors that they miss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mpc_tamper.engines.mapped import BLOCK_BYTES, Storage, mapping_of, release, row_blocks, sum_over_rows
from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128, subsets
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.record import MatrixGates, Record, Role
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

_UNUSED_BITS = np.uint64(64 - SUBSETS)
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
    if vectors > SUBSETS:
        return a, draw_members(stream, vectors)
    return a, np.uint64(1) << np.arange(vectors, dtype=np.uint64)


@dataclass
class Compressed:
    """One role's side of all matrix products of a batch.

    u, v: in the order of the entries, (48 or columns, inner) words and whether they are of subsets a; empty where not
    known.
    t: (48, 48), R's or L's part of what the products have to be modulo 2^64.
    """

    u: list[tuple[np.ndarray, bool]] = field(default_factory=list)
    v: list[tuple[np.ndarray, bool]] = field(default_factory=list)
    t: np.ndarray = field(default_factory=lambda: np.zeros((SUBSETS, SUBSETS), np.uint64))

    def products(self) -> np.ndarray:
        """S_jk modulo 2^128, from canonical lifts of the words: (48 * 48, 2)."""
        total = np.zeros((SUBSETS, SUBSETS, bilinear.WORDS), np.uint64)
        for (u, of_a), (v, _) in zip(self.u, self.v, strict=True):
            a, b = (u, v) if of_a else (v, u)
            ring_128.add_word_products(a, b, total[:, : len(b)])
        return total.reshape(PAIRS, bilinear.WORDS)


def compressed(record: Record, role: Role, prover: int, challenge: bytes) -> Compressed:
    """u = (a^T X_i, Y_i b) and v = (Y_{i-1} b, a^T X_{i-1}), without what is known to be zero."""
    stream, all_of_them = subsets_of_matrices(challenge), Compressed()
    for gates in record.matrices.values():
        _add(all_of_them, gates, role, prover, stream, record.storage)
    return all_of_them


def merged(parts: Sequence[tuple[np.ndarray, bool]], sigma: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """The combinations of the subsets' rows by sigma, of those of subsets a, and tau: elements."""
    out, start = np.empty((sum(rows.shape[1] for rows, _ in parts), bilinear.WORDS), np.uint64), 0
    for rows, of_a in parts:
        stop = start + rows.shape[1]
        ring_128.combine_words((sigma if of_a else tau)[: len(rows)], rows, out[start:stop])
        start = stop
    return out


def _add(to: Compressed, gates: MatrixGates, role: Role, prover: int, stream: Stream, storage: Storage) -> None:
    a, b = draw_subsets(stream, gates.outer, gates.vectors)
    with_own = not gates.known_zero(prover)  # x_i, which the prover and R know
    with_previous = not gates.known_zero(prover - 1)  # x_{i-1}, which the prover and L know
    if role is not Role.LEFT:
        x_i, y_i = (gates.x.own, gates.y_own) if role is Role.PROVER else (gates.x.previous, gates.y_previous)
        x_part = _sums_of_outer(gates, a, x_i, storage) if with_own else None
        y_part = _sums_of_vectors(gates, b, y_i, storage)
        if role is Role.RIGHT:
            gates.y_previous = []  # the prover, which comes first, has read it
        to.u += _known(x_part, y_part if with_previous else None, a_first=True)
        if role is Role.RIGHT:
            t = to.t[:, : len(y_part)]
            t += _pairs(a, b, gates.take_t(role))
            if x_part is not None and not gates.term_is_shifted(prover):
                t -= ring_128.low_word_products(x_part, y_part)
    if role is not Role.RIGHT:
        x_i, y_i = (gates.x.previous, gates.y_previous) if role is Role.PROVER else (gates.x.own, gates.y_own)
        x_part = _sums_of_outer(gates, a, x_i, storage) if with_previous else None
        y_part = _sums_of_vectors(gates, b, y_i, storage)
        if role is Role.LEFT:
            gates.y_own = []
        to.v += _known(y_part if with_own else None, x_part, a_first=False)
        if role is Role.LEFT:
            t = to.t[:, : len(y_part)]
            t += _pairs(a, b, gates.take_t(role))
            if x_part is not None and gates.takes_shifted_term(prover):
                t -= ring_128.low_word_products(x_part, y_part)


def _known(first: np.ndarray | None, second: np.ndarray | None, *, a_first: bool) -> list[tuple[np.ndarray, bool]]:
    pairs = ((first, a_first), (second, not a_first))
    return [(part, of_a) for part, of_a in pairs if part is not None]


def _sums_of_outer(gates: MatrixGates, a: np.ndarray, component: np.ndarray, storage: Storage) -> np.ndarray:
    """a^T X or, where the transpose is what is multiplied, X a: (48, inner)."""
    x = np.ascontiguousarray(component)
    if not gates.transposed:
        return sum_over_rows(lambda rows, members: subsets.sums_of_rows(members, rows), x, a)
    if mapping_of(x) is None:
        return subsets.sums_of_columns(a, x)
    out = storage.zeros((SUBSETS, len(x)))  # as long as X has rows, which may be too long for memory
    for rows in row_blocks(x, SUBSETS * WORD_BYTES):
        out[:, rows] = subsets.sums_of_columns(a, x[rows])
        release(out)
    return out


def _sums_of_vectors(gates: MatrixGates, b: np.ndarray, y: list[np.ndarray], storage: Storage) -> np.ndarray:
    """Y b: (48, inner), or (vectors, inner). y: vectors (inner,) as rows, of one product after the other."""
    if not (
        gates.transposed and any(mapping_of(component) is not None for component in (gates.x.own, gates.x.previous))
    ):
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


def _pairs(a: np.ndarray, b: np.ndarray, t: list[np.ndarray]) -> np.ndarray:
    """a_j^T t b_k: (j, k). t: (outer, vectors) of one product after the other."""
    if len(b) <= SUBSETS:
        return subsets.sums_of_rows(a, t[0] if len(t) == 1 else np.ascontiguousarray(np.concatenate(t, axis=1)))
    vectors = np.ascontiguousarray(np.concatenate([each.T for each in t]))
    return subsets.sums_of_columns(a, subsets.sums_of_rows(b, vectors))
