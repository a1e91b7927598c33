"""The inner-product argument over GF(2^64): <u, v> = t_R + t_L, u known to the prover and R, v to the prover and L.

One level shrinks u and v by k. They are cut into rows u_1 .. u_k; U(X) is the vector of polynomials of degree k - 1
that goes through row a at point a, V(X) likewise, and P(X) = <U(X), V(X)> has degree 2k - 2. The claim is that the sum
of P at the points 1 .. k, weighted by rho_a at the first level, has a known sharing between R and L. The prover shares
P's values at 1 .. 2k - 1: R's parts are pads from a common key, the rest goes to L. The value at k is not sent: R and L
set their parts of it from the claim. At a random point r the claim becomes <U(r), V(r)> = P(r).

The last level has one more row at point 0, outside the sum, which is random and known to one verifier each: U(r) and
P(r) then tell L nothing, and are opened. Boneh et al., CRYPTO'19 (ePrint 2019/188); Boyle et al., CCS'19
(ePrint 2019/1390).

Elements are words, the number a is the point a: points are the polynomials whose coefficients are its bits.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field
from mpc_tamper.engines.rep3.protocol.proof.interpolation import extension, nodes
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand

FIRST_ROWS = 64  # the bits of a word
# A prover's work at a level goes with rows times length, so a long vector is first made shorter by few rows. Each level
# is two rounds in which parties wait for each other, so it does not become much shorter before the last one. That sends
# two words for each row and opens one for each column, 16 KB at most.
_LAST_LENGTH = 1 << 17
_ROWS, _ROWS_OF_LONG = 8, 16
_LAST_ROWS, _LAST_ROWS_OF_LONG = 32, 64
_SHORT = 2 * _LAST_ROWS * _LAST_ROWS_OF_LONG  # where both send as much


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


def levels_for(columns: Sequence[int]) -> tuple[Level, ...]:
    """The first level, and those after it. columns: how long the vector's columns are after the first one."""
    levels: list[Level] = []
    while (length := length_after(columns, levels)) > _LAST_LENGTH:
        levels.append(Level(_ROWS if length <= _ROWS * _LAST_LENGTH else _ROWS_OF_LONG))
    rows = _LAST_ROWS if length <= _SHORT else _LAST_ROWS_OF_LONG
    return (Level(FIRST_ROWS), *levels, Level(max(1, min(rows, length)), masked=True))


def length_after(columns: Sequence[int], levels: Sequence[Level]) -> int:
    """Of a vector: the second level, the first of these, cuts each column by itself unless it is the masked one."""
    if not levels or levels[0].masked:
        length = sum(columns)
        return -(-length // levels[0].rows) if levels else length
    length = sum(-(-column // levels[0].rows) for column in columns)
    for level in levels[1:]:
        length = -(-length // level.rows)
    return length


def total(elements: np.ndarray) -> np.ndarray:
    """Their sum, kept as an array of one element."""
    return np.bitwise_xor.reduce(elements, keepdims=True)


@functools.lru_cache(maxsize=16)  # the three roles of a party ask for the same
def point(challenge: bytes, excluded: int) -> np.uint64:
    """r: uniform without the points 0 .. excluded - 1. Canonical by its making: what travels is the challenge, and each
    party derives r from it by itself."""
    stream = expand(challenge, b"point of GF(2^64)")
    while True:
        number = stream.draw(1)[0]
        if number >= excluded:
            return np.uint64(number)


def cut(vector: np.ndarray, rows: int) -> np.ndarray:
    """(n,) elements, zeros appended, as (rows, columns)."""
    columns = -(-len(vector) // rows)
    if columns * rows != len(vector):
        vector = np.concatenate([vector, np.zeros(rows * columns - len(vector), np.uint64)])
    return vector.reshape(rows, columns)


@functools.lru_cache(maxsize=16)
def row_coefficients(level: Level, r: np.uint64) -> np.ndarray:
    """By which the rows at points first .. k are combined into the row at r. Frozen, as it is kept."""
    found = nodes(level.first, level.rows).at(r)
    found.flags.writeable = False
    return found


def values(level: Level, pair_sums: np.ndarray) -> np.ndarray:
    """P at first .. last, from G_ab = <u_a, v_b>, of which G_ab + G_ba and G_aa are given for a < b.

    P(q) = sum_ab L_a(q) L_b(q) G_ab.
    """
    beyond = binary_field.quadratic_forms(extension(level.first, level.rows, level.last), pair_sums)
    return np.concatenate([np.diagonal(pair_sums), beyond])


def new_claim(level: Level, parts: np.ndarray, claim: np.ndarray, rho: np.ndarray | None, r: np.uint64) -> np.ndarray:
    """One verifier's part of P(r). parts: its parts of P's values without the one at k.  claim: its part of the claim.

    rho: the weights of rows 1 .. k - 1, that of row k being 1; None: all are 1.
    """
    index = level.rows - level.first  # where the value at k stands
    summed = parts[1 - level.first : index]
    if rho is not None:
        summed = binary_field.products(rho, summed)
    at_k = claim ^ total(summed)
    everywhere = np.concatenate([parts[:index], at_k, parts[index:]])
    return total(binary_field.products(nodes(level.first, level.last).at(r), everywhere))
