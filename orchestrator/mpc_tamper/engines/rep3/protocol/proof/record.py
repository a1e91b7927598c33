"""What is recorded of each gate, for the three proofs that a party takes part in.

Prover P_i, R = P_{i+1} and L = P_{i-1} have to agree on

    z_i - x_i y_i - F(kappa_i)  +  F(kappa_{i-1})  =  x_i y_{i-1} + x_{i-1} y_i
    \\__ t_R, known to R ____/      \\_ t_L _____/      u = (x_i, y_i) known to R, v = (y_{i-1}, x_{i-1}) known to L

A party records the u and v of its own proof, u and t_R of its predecessor's, v and t_L of its successor's. Recorded
arrays are copies, frozen, or stand in the place of pads, which a stream hands out once: nothing that happens before the
proof changes a statement. The proof of AND gates folds its columns where they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from mpc_tamper.engines.mapped import Storage, is_frozen, mapping_of
from mpc_tamper.engines.rep3.kernels import matrices
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
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


Write = Callable[..., None]
Block = tuple[np.ndarray, np.ndarray]
_T = ("t_right", "t_left")
_NO_BLOCK: Block = (np.empty((0, 0), np.uint64), np.empty((0, 0), np.uint64))
_BLOCK_WORDS = 1 << 16
_BLOCK_OUTPUTS = 64  # at least in a block, and in steps: of AND gates, what shares one random weight


class Gates:
    """Elementwise gates of one kind, in columns of words: t_right, t_left, then what the products name, in their order.

    inner: words for each output, but one in t_right and t_left: products per output and pair of components, the length
    of a dot product. With 0, u and v have no blocks.

    Columns stand in blocks of equally many gates, in the order in which these came. Blocks stay where they are: proofs
    read them so.
    """

    def __init__(self, products: tuple[Product, ...], inner: int = 1, outputs: int = 0) -> None:
        self.products, self.inner, self.outputs = products, inner, outputs
        self._names = tuple(dict.fromkeys(name for product in products for name in product))
        self._columns: dict[str, list[np.ndarray]] = {name: [] for name in (*_T, *self._names)}
        self._room_for_t: list[np.ndarray] = []
        self._open = _NO_BLOCK  # what the next gates are written to: t_right and t_left, and what products name
        self._free = 0  # places in it
        self.output_bytes = WORD_BYTES * (len(_T) + inner * len(self._names))
        # To a block of each column: blocks of different columns hold the same gates.
        self.block_outputs = max(_BLOCK_OUTPUTS, _BLOCK_WORDS // max(1, inner) // _BLOCK_OUTPUTS * _BLOCK_OUTPUTS)

    def record(self, outputs: int, write: Write, *gates: Any) -> int:
        """Record gates, copied. In one piece, unless a block ends within it. Returns the bytes kept.

        write: a kernel (kernels/recording.py), called with what the gates are, which of them, and where they go.
        """
        done = 0
        while done < outputs:
            if not self._free:
                self._begin_block()
            count = min(outputs - done, self._free)
            write(*gates, done, self.block_outputs - self._free, count, *self._open)
            self._free -= count
            self.outputs += count
            done += count
        return outputs * self.output_bytes

    def _begin_block(self) -> None:
        """t stands apart, that of more and more blocks together: it is dropped first, and a proof takes its room."""
        if not self._room_for_t:
            blocks = max(1, self.outputs // self.block_outputs)
            self._room_for_t = list(np.empty((blocks, len(_T), self.block_outputs), np.uint64))
        t = self._room_for_t.pop()
        factors = np.empty((len(self._names), self.block_outputs * self.inner), np.uint64)
        self._open, self._free = (t, factors), self.block_outputs
        for name, column in zip((*_T, *self._names), (*t, *factors), strict=True):
            self._columns[name].append(column)

    def take_t(self, role: Role) -> list[np.ndarray]:
        """R's or L's part of what the products have to be. Taken once, so that its memory serves what comes next."""
        name = _T[0] if role is Role.RIGHT else _T[1]
        taken, self._columns[name] = self._blocks(name, 1), []
        self._open, self._free, self._room_for_t = _NO_BLOCK, 0, []
        return taken

    def u(self, role: Role) -> list[list[np.ndarray]]:
        """A list of blocks for each product, known to the prover and R."""
        return [self._blocks(p[0] if role is Role.PROVER else p[2], self.inner) for p in self.products]

    def v(self, role: Role) -> list[list[np.ndarray]]:
        """The same, known to the prover and L."""
        return [self._blocks(p[1] if role is Role.PROVER else p[3], self.inner) for p in self.products]

    def _blocks(self, name: str, width: int) -> list[np.ndarray]:
        """All but the last are full. width: words for each output."""
        blocks = self._columns[name]
        if not blocks or not width:
            return []
        return [*blocks[:-1], blocks[-1][: (self.outputs - (len(blocks) - 1) * self.block_outputs) * width]]


@dataclass
class MatrixGates:
    """Products of one and the same matrix x (outer, inner), or of its transpose, by vectors y.

    y: of each product, its vectors as rows.  t: of each product, (outer, vectors).  zero: whether the components 0, 1
    and 2 of x are zero by construction, for everybody to see: of a private input (share.py).  lengths: of this group's
    u and v in the proofs of parties 0, 1 and 2.  mapped: whether x lies in a file.
    """

    x: RepShare
    transposed: bool
    y_own: list[np.ndarray] = field(default_factory=list)
    y_previous: list[np.ndarray] = field(default_factory=list)
    t_right: list[np.ndarray] = field(default_factory=list)
    t_left: list[np.ndarray] = field(default_factory=list)
    vectors: int = 0
    outer: int = field(init=False)
    inner: int = field(init=False)
    zero: tuple[bool, ...] = field(init=False)
    lengths: tuple[int, ...] = field(init=False)
    mapped: bool = field(init=False)

    def __post_init__(self) -> None:
        self.outer, self.inner = self.x.shape[::-1] if self.transposed else self.x.shape
        owner = self.x.owner
        zero = self.zero = tuple(owner is not None and i == (owner + 1) % 3 for i in range(3))
        self.lengths = tuple((2 - zero[prover] - zero[prover - 1]) * self.inner for prover in range(3))
        self.mapped = mapping_of(self.x.own) is not None or mapping_of(self.x.previous) is not None

    def x_of(self, role: Role) -> np.ndarray:
        """The component of x by which R or L verifies."""
        return self.x.previous if role is Role.RIGHT else self.x.own

    def take_y(self, role: Role) -> list[np.ndarray]:
        """The same of y, the vectors of one product after the other. Taken once."""
        if role is Role.RIGHT:
            taken, self.y_previous = self.y_previous, []
        else:
            taken, self.y_own = self.y_own, []
        return taken

    def take_t(self, role: Role) -> list[np.ndarray]:
        """R's or L's part of what the products have to be: (outer, vectors) of each. Taken once."""
        if role is Role.RIGHT:
            taken, self.t_right = self.t_right, []
        else:
            taken, self.t_left = self.t_left, []
        return taken

    def add(self, y: RepShare, t_right: np.ndarray, t_left: np.ndarray) -> int:
        """y: (inner, vectors); copied.  t: (outer, vectors), which is frozen. Returns the bytes kept."""
        self.vectors += y.shape[1]
        rows = matrices.both_turned(y.own, y.previous)
        self.y_own.append(rows[0])
        self.y_previous.append(rows[1])
        for of_role, t in ((self.t_right, t_right), (self.t_left, t_left)):
            t.flags.writeable = False
            of_role.append(t)
        return rows.nbytes + t_right.nbytes + t_left.nbytes

    def term_is_shifted(self, prover: int) -> bool:
        """Whether the prover's own x_i y_i is left to the next party (passive.py): true of the input's owner - 1."""
        return self.x.owner is not None and prover % 3 == (self.x.owner - 1) % 3

    def takes_shifted_term(self, prover: int) -> bool:
        """Whether the prover adds x_{i-1} y_{i-1}: true of the owner of an input."""
        return self.x.owner is not None and prover % 3 == self.x.owner


@dataclass
class Record:
    """The gates of one batch. Groups stand in the order of their first gate, which is the same at every party.

    limit: how many bytes may be kept.  storage: for what a proof makes of them that is as long as rows larger than
    memory.
    """

    bits: dict[str, Gates] = field(default_factory=dict)
    integers: dict[tuple[str, int], Gates] = field(default_factory=dict)
    matrices: dict[tuple[Any, ...], MatrixGates] = field(default_factory=dict)
    kept_bytes: int = 0
    limit: int = 0
    storage: Storage = field(default_factory=Storage)

    @property
    def empty(self) -> bool:
        return not (self.bits or self.integers or self.matrices)


def freeze(x: RepShare) -> RepShare:
    """x itself if nothing can change it any more (an input, or a part of one), else a frozen copy."""
    return RepShare(_frozen(x.own), _frozen(x.previous), x.owner)


def _frozen(part: np.ndarray) -> np.ndarray:
    if is_frozen(part):
        return part
    copied = np.array(part, np.uint64, order="C")
    copied.flags.writeable = False
    return copied


def identity(x: RepShare) -> tuple[Any, ...]:
    """Equal for the same parts of the same frozen arrays. Only of arrays that are kept, so that no address returns."""
    return x.owner, x.shape, *matrices.addresses(x.own, x.previous), x.own.strides, x.previous.strides
