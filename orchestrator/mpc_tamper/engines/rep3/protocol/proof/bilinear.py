"""The inner-product argument modulo 2^128: <u, v> = claim, u known to the prover and R, v to the prover and L.

One level shrinks u and v by k. They are cut into k rows each, and the prover shares z_ab = <u_a, v_b> for all a and b
but a = b = k, which R and L set from the claim: the sum of z_aa is the claim. With random alpha and beta modulo 2^128
the claim becomes <sum_a alpha_a u_a, sum_b beta_b v_b> = sum_ab alpha_a beta_b z_ab.

The last level has one more row of each, u_0 and v_0, outside the sum, random and known to one verifier each; alpha_0
and beta_0 are 1, so that what is opened is masked. (After Li et al., CCS'24, ePrint 2024/700)

Elements are (low, high) words, arrays (.., 2). There are at most two levels: the first one over words, if the vectors
are long, and the masked one.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from mpc_tamper.engines.rep3.kernels import ring_128
from mpc_tamper.engines.rep3.protocol.proof.transcript import expand
from mpc_tamper.engines.rep3.protocol.prss import Stream

WORDS = 2  # to an element
# A prover's work at a level goes with rows times length. More rows would make the proof of a large batch shorter by a
# quarter, which is little beside what it proves, and take longer.
_FIRST_ROWS = (1, 2, 4, 8)  # 1: no first level
_MASKED_ROWS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Level:
    """rows: k.  masked: the last level, with the random rows."""

    rows: int
    masked: bool = False

    @property
    def values(self) -> int:
        """How many z_ab the prover sends: all but one."""
        return (self.rows + self.masked) ** 2 - 1


@functools.lru_cache(maxsize=1024)
def levels_for(entries: int, tail: int) -> tuple[Level, ...]:
    """Those that send least, for so many entries of words and `tail` elements that join after the first level."""

    def sent(first: int, last: int) -> int:
        return first**2 + (last + 1) ** 2 + -(-(-(-entries // first) + tail) // last)

    shapes = [(first, last) for first in _FIRST_ROWS for last in _MASKED_ROWS]
    first, last = min(shapes, key=lambda shape: sent(*shape))
    masked = Level(last, masked=True)
    return (masked,) if first == 1 else (Level(first), masked)


def draw(stream: Stream, count: int) -> np.ndarray:
    """The next `count` uniform elements."""
    return stream.draw(WORDS * count).reshape(-1, WORDS)


def elements(message: bytes | None) -> np.ndarray:
    return np.frombuffer(message or b"", "<u8").astype(np.uint64).reshape(-1, WORDS)


def one() -> np.ndarray:
    return np.array([[1, 0]], np.uint64)


@functools.lru_cache(maxsize=16)  # the three roles of a party ask for the same
def coefficients(level: Level, challenge: bytes) -> tuple[np.ndarray, np.ndarray]:
    """alpha and beta, of rows 0 or 1 .. k. Frozen, as they are kept."""
    stream = expand(challenge, b"alpha and beta modulo 2^128")
    of_mask = [one()] if level.masked else []
    alpha, beta = (np.concatenate([*of_mask, draw(stream, level.rows)]) for _ in range(2))
    alpha.flags.writeable = beta.flags.writeable = False
    return alpha, beta


def masked_rows(length: int, level: Level) -> np.ndarray:
    """Room for a vector of so many elements, (1 + k, columns, 2): zeros stand behind it, and row 0 is for its mask."""
    rows = np.empty((1 + level.rows, columns_of(length, level), WORDS), np.uint64)
    vector_of(rows)[length:] = 0
    return rows


def vector_of(rows: np.ndarray) -> np.ndarray:
    """The vector itself, and zeros."""
    return rows[1:].reshape(-1, WORDS)


def columns_of(length: int, level: Level) -> int:
    return -(-length // level.rows)


def new_claim(level: Level, parts: np.ndarray, claim: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """One verifier's part of sum_ab alpha_a beta_b z_ab. parts: its parts of all z_ab but the last.  claim: its part
    of the claim."""
    side = len(alpha)
    z = np.concatenate([parts, claim]).reshape(side, side, WORDS)
    in_sum = np.arange(int(level.masked), side - 1)  # the mask's row is outside the sum
    z[-1, -1:] = ring_128.differences(z[-1, -1:], ring_128.total(z[in_sum, in_sum]))
    return ring_128.combine(beta, ring_128.combine(alpha, z)[:, None])
