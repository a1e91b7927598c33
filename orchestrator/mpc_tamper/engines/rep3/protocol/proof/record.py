"""What is recorded of each gate, for the three proofs that a party takes part in.

Prover P_i, R = P_{i+1} and L = P_{i-1} have to agree on

    z_i - x_i y_i - F(kappa_i)  +  F(kappa_{i-1})  =  x_i y_{i-1} + x_{i-1} y_i
    \\__ t_R, known to R ____/      \\_ t_L _____/      u = (x_i, y_i) known to R, v = (y_{i-1}, x_{i-1}) known to L

A party records the u and v of its own proof, u and t_R of its predecessor's, v and t_L of its successor's. Recorded
arrays are copies, or frozen: nothing that happens later changes a statement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from mpc_tamper.engines.rep3.protocol.share import RepShare


class Role(Enum):
    """A party's part in a proof."""

    PROVER = "prover"
    RIGHT = "R"
    LEFT = "L"


# Per product of a gate, the names of the recorded columns that are u and v to the prover, u to R and v to L.
Product = tuple[str, str, str, str]
TWO_PRODUCTS: tuple[Product, ...] = (
    ("x_own", "y_previous", "x_previous", "y_own"),
    ("y_own", "x_previous", "y_previous", "x_own"),
)
COMPONENTS: tuple[Product, ...] = (("x_own", "x_previous", "x_previous", "x_own"),)
SEPARATE: tuple[Product, ...] = (("u", "v", "u_right", "v_left"),)


@dataclass
class Gates:
    """Elementwise gates of one kind. columns: name -> chunks (outputs, inner) of words; t_right, t_left: (outputs,)."""

    products: tuple[Product, ...]
    columns: dict[str, list[np.ndarray]] = field(default_factory=dict)
    outputs: int = 0

    def add(self, t_right: np.ndarray, t_left: np.ndarray, **columns: np.ndarray) -> int:
        """Record gates; arrays of equal length, copied. Returns the bytes kept."""
        self.outputs += t_right.size
        kept = 0
        for name, values in {"t_right": t_right, "t_left": t_left, **columns}.items():
            chunk = np.array(values, np.uint64, order="C").reshape(t_right.size, -1)
            self.columns.setdefault(name, []).append(chunk)
            kept += chunk.nbytes
        return kept

    def column(self, name: str, k: int) -> np.ndarray:
        """(k, columns, inner) words: the outputs, and zeros, cut into k rows. Takes the place of what was recorded."""
        chunks = self.columns[name]
        if chunks[0].ndim != 3:
            columns, inner = -(-self.outputs // k), chunks[0].shape[1]
            rows = np.empty((k, columns, inner), np.uint64)
            flat, start = rows.reshape(-1, inner), 0
            for chunk in chunks:
                flat[start : start + len(chunk)] = chunk
                start += len(chunk)
            flat[start:] = 0
            self.columns[name] = chunks = [rows]
        return chunks[0]

    @property
    def inner(self) -> int:
        """Products per output and pair of components: the length of a dot product."""
        return self.columns[self.products[0][0]][0].shape[-1]

    def u(self, role: Role, k: int) -> list[np.ndarray]:
        return [self.column(p[0] if role is Role.PROVER else p[2], k) for p in self.products]

    def v(self, role: Role, k: int) -> list[np.ndarray]:
        return [self.column(p[1] if role is Role.PROVER else p[3], k) for p in self.products]


@dataclass
class MatrixGates:
    """Products of one and the same matrix x (outer, inner), or of its transpose, by vectors y.

    rows of y and t: a vector each, (inner,) and (outer,).  owner: of x, if it is a private input (share.py).
    """

    x: RepShare
    transposed: bool
    y_own: list[np.ndarray] = field(default_factory=list)
    y_previous: list[np.ndarray] = field(default_factory=list)
    t_right: list[np.ndarray] = field(default_factory=list)
    t_left: list[np.ndarray] = field(default_factory=list)
    vectors: int = 0

    @property
    def outer(self) -> int:
        return self.x.shape[1] if self.transposed else self.x.shape[0]

    @property
    def inner(self) -> int:
        return self.x.shape[0] if self.transposed else self.x.shape[1]

    def add(self, y: RepShare, t_right: np.ndarray, t_left: np.ndarray) -> int:
        """y: (inner, vectors); t: (outer, vectors). Returns the bytes kept."""
        self.vectors += y.shape[1]
        kept = 0
        for to, values in (
            (self.y_own, y.own),
            (self.y_previous, y.previous),
            (self.t_right, t_right),
            (self.t_left, t_left),
        ):
            to.append(np.array(values.T, np.uint64, order="C"))
            kept += to[-1].nbytes
        return kept

    def known_zero(self, component: int) -> bool:
        """Whether this component of x is zero by construction, for everybody to see."""
        return self.x.owner is not None and component % 3 == (self.x.owner + 1) % 3

    def term_is_shifted(self, prover: int) -> bool:
        """Whether the prover's own x_i y_i is left to the next party (passive.py): true of the input's owner - 1."""
        return self.x.owner is not None and prover % 3 == (self.x.owner - 1) % 3

    def takes_shifted_term(self, prover: int) -> bool:
        """Whether the prover adds x_{i-1} y_{i-1}: true of the owner of an input."""
        return self.x.owner is not None and prover % 3 == self.x.owner

    def length(self, prover: int) -> int:
        """Of this group's u and v."""
        zero = self.known_zero(prover) + self.known_zero(prover - 1)
        return (2 - zero) * self.inner


@dataclass
class Record:
    """The gates of one batch. Groups stand in the order of their first gate, which is the same at every party."""

    bits: dict[str, Gates] = field(default_factory=dict)
    integers: dict[tuple[str, int], Gates] = field(default_factory=dict)
    matrices: dict[tuple[Any, ...], MatrixGates] = field(default_factory=dict)
    kept_bytes: int = 0

    @property
    def empty(self) -> bool:
        return not (self.bits or self.integers or self.matrices)


def freeze(x: RepShare) -> RepShare:
    """x itself if nothing can change it any more (an input, or a part of one), else a frozen copy."""
    parts = []
    for part in (x.own, x.previous):
        if not _is_frozen(part):
            part = np.array(part, np.uint64, order="C")
            part.flags.writeable = False
        parts.append(part)
    return RepShare(parts[0], parts[1], x.owner)


def identity(x: RepShare) -> tuple[Any, ...]:
    """Equal for the same parts of the same frozen arrays. Only of arrays that are kept, so that no address returns."""
    parts = (x.own, x.previous)
    return (x.owner, *((part.__array_interface__["data"][0], part.shape, part.strides) for part in parts))


def _is_frozen(array: np.ndarray) -> bool:
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True
