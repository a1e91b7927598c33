"""Slow twins of fast code, in plain Python on Python integers."""

from __future__ import annotations

from collections.abc import Sequence

MODULUS = 1 << 64

Matrix = Sequence[Sequence[int]]


def signed(x: int) -> int:
    """An element of Z_2^64 as an integer from -2^63 to 2^63 - 1."""
    x %= MODULUS
    return x - MODULUS if x >= MODULUS // 2 else x


def less_than_zero(x: int, k: int) -> int:
    """Bit k - 1 of x mod 2^k."""
    return (x % (1 << k)) // (1 << (k - 1))


def less_than(x: int, y: int, bit_length: int = 63) -> int:
    return less_than_zero(x - y, bit_length + 1)


def equal(x: int, y: int, bit_length: int = 63) -> int:
    """Whether the low bits of x and y are equal."""
    return int((x - y) % (1 << bit_length) == 0)


def right_shift(x: int, t: int) -> int:
    """floor(x / 2^t) of the signed value, as an element of Z_2^64."""
    return (signed(x) // (1 << t)) % MODULUS


def matmul(x: Matrix, y: Matrix) -> list[list[int]]:
    """(a, b) times (b, c), modulo 2^64."""
    return [[sum(p * q for p, q in zip(row, column, strict=True)) % MODULUS for column in transpose(y)] for row in x]


def trans_matmul(x: Matrix, y: Matrix) -> list[list[int]]:
    """The transpose of x (b, a) times y (b, c), modulo 2^64."""
    return matmul(transpose(x), y)


def dot(x: Matrix, y: Matrix) -> list[int]:
    """Row-wise."""
    return [sum(p * q for p, q in zip(a, b, strict=True)) % MODULUS for a, b in zip(x, y, strict=True)]


def transpose(x: Matrix) -> list[list[int]]:
    return [list(column) for column in zip(*x, strict=True)]
