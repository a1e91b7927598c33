"""The inner-product argument: <u, v> = t_R + t_L, u known to the prover and R, v to the prover and L.

One level shrinks u and v by k. They are cut into rows u_1 .. u_k; U(X) is the vector of polynomials of degree k - 1
that goes through row a at point a, V(X) likewise, and P(X) = <U(X), V(X)> has degree 2k - 2. The claim is that the sum
of P at the points 1 .. k, weighted by rho_a at the first level, has a known sharing between R and L. The prover shares
P's values at 1 .. 2k - 1: R's parts are pads from a common key, the rest goes to L. The value at k is not sent: R and L
set their parts of it from the claim. At a random point r the claim becomes <U(r), V(r)> = P(r).

The last level has one more row at point 0, outside the sum, which is random and known to one verifier each: U(r) and
P(r) then tell L nothing, and are opened. Boneh et al., CRYPTO'19 (ePrint 2019/188); Boyle et al., CCS'19
(ePrint 2019/1390).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.protocol.proof.fields import Field
from mpc_tamper.engines.rep3.protocol.proof.interpolation import extension, nodes

_BASE_COLUMNS = 16  # no more rows than leave so many columns
_ROWS = 8
_LAST_LENGTH = 64


@dataclass(frozen=True)
class Level:
    """rows: k.  masked: the last level, with the random row."""

    rows: int
    masked: bool = False

    @property
    def first(self) -> int:
        return 0 if self.masked else 1

    @property
    def last(self) -> int:
        """The last point at which P is shared; the points before `first` and after this one are not used."""
        return 2 * self.rows if self.masked else 2 * self.rows - 1

    @property
    def values(self) -> int:
        """How many values of P the prover sends: all but the one at k."""
        return self.last - self.first

    @property
    def degree(self) -> int:
        """Of P."""
        return 2 * self.rows if self.masked else 2 * self.rows - 2

    @property
    def points(self) -> int:
        """How many challenges are excluded: the points 0 .. last."""
        return self.last + 1


@dataclass(frozen=True)
class Shape:
    """The levels that a vector goes through. base_rows: k of the first level, over the base ring; 1 for none."""

    base_rows: int
    levels: tuple[Level, ...]

    @property
    def rows_after_base(self) -> int:
        """k of the first level over the extension."""
        return self.levels[1 if self.base_rows > 1 else 0].rows


def base_rows(field: Field, outputs: int) -> int:
    """k of the first level over so many outputs: a power of two."""
    rows = 1
    while rows < field.base_rows and 2 * rows * _BASE_COLUMNS <= outputs:
        rows *= 2
    return rows


def shape(rows: int, length: int) -> Shape:
    """rows: base_rows.  length: of the longest vector of the three provers once it is over the extension."""
    levels = [Level(rows)] if rows > 1 else []
    while length > _LAST_LENGTH:
        levels.append(Level(_ROWS))
        length = -(-length // _ROWS)
    return Shape(rows, (*levels, Level(min(_ROWS, length), masked=True)))


@dataclass(frozen=True)
class Base:
    """A vector before the first level: blocks of rows of words (Field.rows), each block with its columns' weights."""

    blocks: Sequence[np.ndarray]
    weights: Sequence[np.ndarray]


NO_BASE = Base((), ())


def fold_base(
    field: Field, base: Base, tail: np.ndarray, coefficients: np.ndarray, rows: int, *, weigh: bool
) -> np.ndarray:
    """The rows combined into one over the extension, then the tail, then zeros up to a multiple of `rows`.

    weigh: times the columns' weights, which stand with v.
    """
    lengths = [field.folded_length(block) for block in base.blocks]
    used = sum(lengths) + len(tail)
    out = np.empty((-(-used // rows) * rows, *tail.shape[1:]), np.uint64)
    start = 0
    for block, weights, length in zip(base.blocks, base.weights, lengths, strict=True):
        part = out[start : start + length]
        field.combine_base(coefficients, block, part)
        if weigh:
            field.weigh_base(weights, part)
        start += length
    out[start:used] = tail
    out[used:] = 0
    return out


def cut(vector: np.ndarray, rows: int) -> np.ndarray:
    """(n, ..) elements, zeros appended, as (rows, columns, ..)."""
    columns = -(-len(vector) // rows)
    if columns * rows != len(vector):
        padded = np.zeros((rows * columns, *vector.shape[1:]), np.uint64)
        padded[: len(vector)] = vector
        vector = padded
    return vector.reshape(rows, columns, *vector.shape[1:])


def row_coefficients(field: Field, level: Level, r: np.ndarray) -> np.ndarray:
    """By which the rows at points first .. k are combined into the row at r."""
    return nodes(field, level.first, level.rows).at(r)


def values(field: Field, level: Level, gram: np.ndarray) -> np.ndarray:
    """P at first .. last, from G_ab = <u_a, v_b>: P(q) = sum_ab L_a(q) L_b(q) G_ab."""
    at_rows = gram[np.arange(len(gram)), np.arange(len(gram))]
    beyond = [
        field.combine(c, field.combine(c, gram)[:, None]) for c in extension(field, level.first, level.rows, level.last)
    ]
    return np.concatenate([at_rows, *beyond])


def new_claim(
    field: Field, level: Level, parts: np.ndarray, claim: np.ndarray, rho: np.ndarray | None, r: np.ndarray
) -> np.ndarray:
    """One verifier's part of P(r). parts: its parts of P's values without the one at k.  claim: its part of the claim.

    rho: the weights of rows 1 .. k - 1, that of row k being 1; None: all are 1.
    """
    index = level.rows - level.first  # where the value at k stands
    summed = parts[1 - level.first : index]
    if rho is not None and len(summed):
        summed = field.multiply(rho, summed)
    at_k = field.subtract(claim, field.sum(summed)) if len(summed) else claim
    everywhere = np.concatenate([parts[:index], at_k, parts[index:]])
    return field.sum(field.multiply(nodes(field, level.first, level.last).at(r), everywhere))
