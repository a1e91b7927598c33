"""Replicated sharings: x = x_0 + x_1 + x_2 modulo 2^64, or by xor; party i holds (x_i, x_{i-1}).

Private inputs have more structure, and it is public: component owner + 1 is zero, and the owner knows the value. The
zero component stands as a broadcast zero, which has a shape but no memory; passive.py multiplies by inputs cheaply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mpc_tamper.engines.mapped import release

_ZERO = np.zeros((), np.uint64)
_ZERO.flags.writeable = False


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """A read-only zero array without memory."""
    return np.broadcast_to(_ZERO, shape)


@dataclass
class RepShare:
    """One party's part of a sharing. own: x_i, previous: x_{i-1}; uint64, equal shapes.

    owner: whose private input this is, for unchanged inputs (read-only) and their parts; else None.
    plain: the value itself, int16, at the owner of an input whose values fit.
    """

    own: np.ndarray = field(repr=False)  # no error text and no log shows shares
    previous: np.ndarray = field(repr=False)
    owner: int | None = None
    plain: np.ndarray | None = field(default=None, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.own.shape

    def __getitem__(self, key: Any) -> RepShare:
        plain = None if self.plain is None else self.plain[key]
        return RepShare(self.own[key], self.previous[key], self.owner, plain)

    def __setitem__(self, key: Any, value: RepShare) -> None:
        self.own[key] = value.own
        self.previous[key] = value.previous
        release(self.own[key])
        release(self.previous[key])

    def reshape(self, *shape: int) -> RepShare:
        plain = None if self.plain is None else self.plain.reshape(*shape)
        return RepShare(self.own.reshape(*shape), self.previous.reshape(*shape), self.owner, plain)

    def copy(self) -> RepShare:
        """Writable memory of its own, broadcast zeros included; no longer an input."""
        copied = RepShare(np.array(self.own), np.array(self.previous))
        release(self.own)
        release(self.previous)
        return copied

    def __add__(self, other: RepShare) -> RepShare:
        return RepShare(self.own + other.own, self.previous + other.previous)

    def __sub__(self, other: RepShare) -> RepShare:
        return RepShare(self.own - other.own, self.previous - other.previous)

    def __xor__(self, other: RepShare) -> RepShare:
        return RepShare(self.own ^ other.own, self.previous ^ other.previous)

    def scale(self, c: np.ndarray | np.uint64) -> RepShare:
        """Times a public constant."""
        return RepShare(self.own * c, self.previous * c)


def concatenate(shares: list[RepShare]) -> RepShare:
    return RepShare(np.concatenate([s.own for s in shares]), np.concatenate([s.previous for s in shares]))


def public(values: np.ndarray, party_id: int) -> RepShare:
    """The trivial sharing of a public value: component 0 holds it, as in MP-SPDZ."""
    nothing = np.zeros(values.shape, np.uint64)
    own = values.copy() if party_id == 0 else nothing
    previous = values.copy() if party_id == 1 else nothing.copy()
    return RepShare(own, previous)
