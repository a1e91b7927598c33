"""The two extensions that proofs are done over: GF(2^64) for AND gates, GR(2^64, 64) for products modulo 2^64.

Both are given by the same polynomial of degree 64, and both have the 2^64 polynomials with coefficients 0 and 1 as
their exceptional set: differences of its members are invertible, so a nonzero polynomial of degree D vanishes at no
more than D of them. Challenge points come from this set; weights do too, those of columns and matrices being sparse.
Masks are uniform over the whole ring. Weights in the base ring would be worthless: an error of 2^63 would survive one
with probability 1/2.

Elements are arrays (n,) of words in GF(2^64), (n, 64) in GR(2^64, 64). Base vectors are words: 64 gates each, or
integers. A first level has them in rows, in the layout that the kernels like.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from mpc_tamper.engines.rep3.kernels import binary_field, galois_ring
from mpc_tamper.engines.rep3.protocol.prss import Stream

DEGREE = 64
_SPARSE_ONES = 16
_ONE_IN = 8.7  # words drawn per sparse weight found, about: 1 / (C(64, 16) 3^48 / 4^64)
_NEWTON_STEPS = 6


class Field(Protocol):
    """What the inner-product argument needs. weights: of the columns of a first level, as draw_weights gives them."""

    name: str
    words: int  # per element
    base_rows: int  # of a first level, at most
    weight_set_bits: float  # log2 of the size of the set that a column's weight is drawn from

    def __hash__(self) -> int: ...
    def elements(self, words: np.ndarray) -> np.ndarray: ...
    def points(self, numbers: np.ndarray) -> np.ndarray: ...
    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray: ...
    def subtract(self, a: np.ndarray, b: np.ndarray) -> np.ndarray: ...
    def sum(self, a: np.ndarray) -> np.ndarray: ...
    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray: ...
    def invert(self, a: np.ndarray) -> np.ndarray: ...
    def gram(self, u: np.ndarray, v: np.ndarray) -> np.ndarray: ...
    def combine(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray: ...
    def rows(self, words: np.ndarray) -> np.ndarray: ...
    def draw_weights(self, stream: Stream, count: int) -> np.ndarray: ...
    def gram_of_base(self, u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray: ...
    def folded_length(self, rows: np.ndarray) -> int: ...
    def combine_base(self, coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None: ...
    def weigh_base(self, weights: np.ndarray, x: np.ndarray) -> None: ...
    def sum_base(self, weights: np.ndarray, t: np.ndarray) -> np.ndarray: ...


class BinaryField:
    """GF(2^64)."""

    name = "GF(2^64)"
    words = 1
    base_rows = 64
    weight_set_bits = 64.0

    def elements(self, words: np.ndarray) -> np.ndarray:
        """Any words as elements: uniform ones as uniform elements."""
        return words

    def points(self, numbers: np.ndarray) -> np.ndarray:
        """The member of the exceptional set whose coefficients are the bits of the number."""
        return numbers.astype(np.uint64)

    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a ^ b

    def subtract(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a ^ b

    def sum(self, a: np.ndarray) -> np.ndarray:
        """Along the first axis, kept with length 1."""
        return np.bitwise_xor.reduce(a, axis=0, keepdims=True)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return binary_field.products(a, b)

    def invert(self, a: np.ndarray) -> np.ndarray:
        return binary_field.inverses(a)

    def gram(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """G_ab = <u_a, v_b>: (k, n) and (k, n) give (k, k)."""
        return binary_field.gram(u, v)

    def combine(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
        """sum_a coefficient_a u_a: (k,) and (k, n) give (n,)."""
        return binary_field.combine(coefficients, u)

    def rows(self, words: np.ndarray) -> np.ndarray:
        """(k, columns, inner) words as (k, columns * inner)."""
        return words.reshape(len(words), -1)

    def draw_weights(self, stream: Stream, count: int) -> np.ndarray:
        """Uniform over the field."""
        return stream.draw(count)

    def gram_of_base(self, u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return binary_field.gram_of_bits(u, v, weights)

    def folded_length(self, rows: np.ndarray) -> int:
        """How many elements combine_base makes of rows: one for each bit."""
        return rows.shape[1] * DEGREE

    def combine_base(self, coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
        """sum_a coefficient_a u_a, into out."""
        binary_field.combine_bits(coefficients, u, out)

    def weigh_base(self, weights: np.ndarray, x: np.ndarray) -> None:
        """Each element of combine_base times its gate's weight, in place."""
        binary_field.weigh_lanes(weights, x)

    def sum_base(self, weights: np.ndarray, t: np.ndarray) -> np.ndarray:
        """The weighted sum of each row: (k,)."""
        return binary_field.weighted_rows_of_bits(weights, t)


class GaloisRing:
    """GR(2^64, 64)."""

    name = "GR(2^64, 64)"
    words = DEGREE
    base_rows = 32
    weight_set_bits = math.log2(math.comb(DEGREE, _SPARSE_ONES))

    def elements(self, words: np.ndarray) -> np.ndarray:
        return words.reshape(-1, DEGREE)

    def points(self, numbers: np.ndarray) -> np.ndarray:
        bits = numbers.astype(np.uint64)[:, None] >> np.arange(DEGREE, dtype=np.uint64)
        return bits & np.uint64(1)

    def add(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b

    def subtract(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a - b

    def sum(self, a: np.ndarray) -> np.ndarray:
        return a.sum(axis=0, dtype=np.uint64, keepdims=True)

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return galois_ring.products(a, b)

    def invert(self, a: np.ndarray) -> np.ndarray:
        """Of units. The inverse modulo 2, in GF(2^64), is lifted by Newton's iteration x <- x (2 - a x)."""
        modulo_2 = (a & np.uint64(1)) << np.arange(DEGREE, dtype=np.uint64)
        x = self.points(binary_field.inverses(np.bitwise_or.reduce(modulo_2, axis=1)))
        two = self.points(np.array([1])) * np.uint64(2)
        for _ in range(_NEWTON_STEPS):
            x = self.multiply(x, two - self.multiply(a, x))
        return x

    def gram(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return galois_ring.gram(u, v)

    def combine(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
        return galois_ring.combine(coefficients, u)

    def rows(self, words: np.ndarray) -> np.ndarray:
        """(k, columns, inner) words as (columns * inner, k)."""
        return np.ascontiguousarray(words.reshape(len(words), -1).T)

    def draw_weights(self, stream: Stream, count: int) -> np.ndarray:
        """(count, ones) uint8: the positions of the ones of weights uniform over the sparse members of the set."""
        found = [np.empty((0, _SPARSE_ONES), np.uint8)]
        missing = count
        while missing > 0:
            draw = int(_ONE_IN * missing) + DEGREE
            words = stream.draw(draw)
            words &= stream.draw(draw)
            found.append(galois_ring.sparse_positions(words, _SPARSE_ONES))
            missing -= len(found[-1])
        return np.concatenate(found)[:count]

    def gram_of_base(self, u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return galois_ring.gram_of_words(u, v, weights)

    def folded_length(self, rows: np.ndarray) -> int:
        return rows.shape[0]

    def combine_base(self, coefficients: np.ndarray, u: np.ndarray, out: np.ndarray) -> None:
        galois_ring.combine_words(coefficients, u, out)

    def weigh_base(self, weights: np.ndarray, x: np.ndarray) -> None:
        galois_ring.weigh(weights, x)

    def sum_base(self, weights: np.ndarray, t: np.ndarray) -> np.ndarray:
        return galois_ring.weighted_sum(weights, t)


BITS: Field = BinaryField()
INTEGERS: Field = GaloisRing()
