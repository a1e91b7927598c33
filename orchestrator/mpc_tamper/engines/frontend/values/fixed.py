"""sfix and cfix: fixed-point numbers, v * 2^-f with v an integer of k bits.

Products of secrets are rounded once per product or dot product (precision.py).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from mpc_tamper.core.errors import ProgramError
from mpc_tamper.engines.frontend.runtime import Precision, runtime
from mpc_tamper.engines.frontend.values.base import (
    Fixed,
    Integer,
    common_size,
    is_number,
    is_zero,
    listed,
    read,
    signed,
    unsupported,
    word,
)
from mpc_tamper.engines.frontend.values.precision import PerRun, round_shift, to_fixed
from mpc_tamper.engines.frontend.values.public import Public, cint, regint
from mpc_tamper.engines.frontend.values.secret import sint


class _Fix(Fixed, metaclass=PerRun):
    """v: the integer; f, k: its precision."""

    v: Any
    f: int
    k: int

    @classmethod
    def set_precision(cls, f: int, k: int | None = None) -> None:
        runtime().fixed[cls.__name__] = Precision(f, 2 * f if k is None else k)

    @classmethod
    def _integer(cls) -> type[Integer]:
        raise NotImplementedError

    def __init__(self, value: Any = None, k: int | None = None, f: int | None = None, size: int | None = None) -> None:
        cls = type(self)
        self.f, self.k = cls.f if f is None else f, cls.k if k is None else k
        self.v = self._from(read(value), size)

    def _from(self, value: Any, size: int | None) -> Any:
        integer = self._integer()
        if value is None or is_number(value):
            return integer(to_fixed(value or 0, self.f, self.k), size=size)
        if isinstance(value, (list, tuple)):
            return integer([type(self)(element, k=self.k, f=self.f).v for element in value])
        if isinstance(value, (Public, integer)):
            return integer(value * (1 << self.f), size=size)
        if isinstance(value, Fixed):
            return integer(self._rescale(value), size=size)
        raise ProgramError(f"cannot convert {type(value).__name__} to {type(self).__name__}")

    def _rescale(self, value: Any) -> Any:
        shift = value.f - self.f
        if isinstance(value, sfix) and not isinstance(self, sfix):
            raise ProgramError("cannot convert sfix to cfix: reveal() it first")
        return value.v * (1 << -shift) if shift <= 0 else value.v >> shift

    @classmethod
    def _new(cls, v: Any, k: int | None = None, f: int | None = None) -> Self:
        """Around the integer representation."""
        value = cls.__new__(cls)
        value.f, value.k = cls.f if f is None else f, cls.k if k is None else k
        value.v = cls._integer().conv(v)
        return value

    @classmethod
    def wrap(cls, words: Any, k: int | None = None, f: int | None = None) -> Self:
        return cls._new(cls._integer().wrap(words), k, f)

    @classmethod
    def conv(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else cls(value)

    def copy(self) -> Self:
        return self._new(self.v.wrap(self.v.v), self.k, self.f)

    @property
    def size(self) -> int:
        return int(self.v.size)

    def _filled(self, number: Any, size: int | None = None) -> Any:
        return type(self)(number, self.k, self.f, self.size if size is None else size)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        part = self.v[index]
        if isinstance(part, list):
            return [self._new(element, self.k, self.f) for element in part]
        return self._new(part, self.k, self.f)

    def __iter__(self) -> Iterator[Any]:
        return (self._new(element, self.k, self.f) for element in self.v)

    def get_vector(self, base: int = 0, size: int | None = None) -> Any:
        return self._new(self.v.get_vector(base, size), self.k, self.f)

    def update(self, other: Any) -> None:
        other = type(self)(other, k=self.k, f=self.f)
        self.v.update(other.v)

    def sum(self) -> Any:
        return self._new(self.v.sum(), self.k, self.f)

    def _coerce(self, other: Any) -> Any:
        """The other operand as cfix or sfix of this precision, or None."""
        other = read(other)
        if isinstance(other, Fixed):
            if isinstance(other, _Fix) and other.f != self.f:
                raise ProgramError(f"expected {self.f} fraction bits, got {other.f}")
            return other
        if is_number(other) or isinstance(other, Public):
            return cfix(other, k=self.k, f=self.f)
        return sfix(other, k=self.k, f=self.f) if isinstance(other, sint) else None

    def _result(self, v: Any) -> Any:
        return (sfix if isinstance(v, sint) else cfix)._new(v, self.k, self.f)

    def add(self, other: Any) -> Any:
        other = self._coerce(other)
        return NotImplemented if other is None else self._result(self.v + other.v)

    def __sub__(self, other: Any) -> Any:
        other = self._coerce(other)
        return NotImplemented if other is None else self._result(self.v - other.v)

    def __neg__(self) -> Any:
        return self._new(-self.v, self.k, self.f)

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __truediv__(self, other: Any) -> Any:
        raise unsupported("fixed-point division")

    __rtruediv__ = __truediv__

    def _compare(self, other: Any, name: str) -> Any:
        other = self._coerce(other)
        if other is None:
            return NotImplemented
        compare, mirrored = _COMPARISONS[name]
        if isinstance(self.v, Public) and isinstance(other.v, sint):
            return getattr(other.v, mirrored)(self.v, self.k)
        if isinstance(self.v, Public):
            return compare(self.v, other.v)
        return getattr(self.v, name)(other.v, self.k)

    def less_than(self, other: Any) -> Any:
        return self._compare(other, "less_than")

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "less_than")

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "less_equal")

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, "greater_than")

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, "greater_equal")

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, "equal")

    def __ne__(self, other: Any) -> Any:
        return self._compare(other, "not_equal")

    def __abs__(self) -> Any:
        return (self < 0).if_else(-self, self)


_COMPARISONS: dict[str, tuple[Callable[[Any, Any], Any], str]] = {  # of public values, and seen from the other side
    "less_than": (operator.lt, "greater_than"),
    "less_equal": (operator.le, "greater_equal"),
    "greater_than": (operator.gt, "less_than"),
    "greater_equal": (operator.ge, "less_equal"),
    "equal": (operator.eq, "equal"),
    "not_equal": (operator.ne, "not_equal"),
}


class cfix(_Fix):  # noqa: N801, MP-SPDZ's name
    """Public fixed-point. A product of two is rounded toward zero."""

    @classmethod
    def _integer(cls) -> type[Integer]:
        return cint

    def mul(self, other: Any) -> Any:
        if isinstance(other, (int, Public, sint)):
            return self._result(self.v * other)
        other = self._coerce(other)
        if not isinstance(other, cfix):
            return NotImplemented
        size = common_size(self.size, other.size)
        a, b = np.broadcast_to(signed(self.v.v), size), np.broadcast_to(signed(other.v.v), size)
        sign = np.where((a < 0) != (b < 0), word(-1), np.uint64(1))
        absolute = a.astype(np.uint64) * b.astype(np.uint64) * sign
        return cfix._new(cint.wrap(sign * (absolute >> np.uint64(self.f))), self.k, self.f)

    def to_integer(self, kind: type[Integer]) -> Integer:
        offset = 1 << (self.k - 1)
        shifted = (self.v + offset + (1 << self.f >> 1)) >> self.f
        return shifted - (1 << (self.k - self.f - 1))

    def reveal(self) -> cfix:
        return self

    def _text(self, conditional: bool) -> str:
        """v 2^-f as C++ prints a double, with six significant digits; unconditionally NaN beyond k bits."""
        bound = 1 << (self.k - 1)
        shown = [
            f"{v / 2**self.f:.6g}" if conditional or -bound <= v < bound else "NaN" for v in signed(self.v.v).tolist()
        ]
        return listed(shown)


class sfix(_Fix):  # noqa: N801, MP-SPDZ's name
    """Secret fixed-point."""

    @classmethod
    def _integer(cls) -> type[Integer]:
        return sint

    def mul(self, other: Any) -> Any:
        if isinstance(other, (int, Public, sint)):
            return sfix._new(self.v * other, self.k, self.f)
        if isinstance(other, float):
            return self._scale(other)
        other = self._coerce(other)
        if other is None:
            return NotImplemented
        return sfix._new(round_shift(sint.conv(self.v * other.v), self.k + self.f, self.f), self.k, self.f)

    def _scale(self, factor: float) -> Any:
        """By a compile-time factor, rounded to f bits first; its trailing zeros are not multiplied."""
        if factor == int(factor):
            return self * int(factor)
        v, f = round(factor * 2**self.f), self.f
        if is_zero(v):
            return self._zero()
        while v % 2 == 0 and f > 0:
            v, f = v // 2, f - 1
        return sfix._new(round_shift(self.v * v, self.k + f, f), self.k, self.f)

    def to_integer(self, kind: type[Integer]) -> Integer:
        return round_shift(self.v, self.k, self.f)

    def reveal(self) -> cfix:
        return cfix._new(self.v.reveal(), self.k, self.f)

    def dot(self, other: Any) -> Any:
        if isinstance(other, sint):
            return sfix._new(sint.dot_product(self.v, other), self.k, self.f)
        if isinstance(other, sfix):
            return sfix._new(round_shift(sint.dot_product(self.v, other.v), self.k + self.f, self.f), self.k, self.f)
        return (self * other).sum()

    @classmethod
    def dot_product(cls, x: Any, y: Any) -> Any:
        """Rounded once."""
        x, y = list(x), list(y)
        if isinstance(x[0], sint):
            x, y = y, x
        k, f = x[0].k, x[0].f
        if isinstance(y[0], sint):
            return cls._new(sint.dot_product([e.v for e in x], y), k, f)
        return cls._new(round_shift(sint.dot_product([e.v for e in x], [e.v for e in y]), k + f, f), k, f)

    @classmethod
    def get_input_from(cls, player: Any, **_: Any) -> Any:
        raise unsupported("input of sfix (read integers with sint at scale 2^f and use sfix._new)")

    @classmethod
    def read_from_file(cls, *args: Any, **kwargs: Any) -> tuple[regint, list[sfix]]:
        stop, shares = sint.read_from_file(*args, **kwargs)
        return stop, [cls._new(share) for share in shares]

    @classmethod
    def write_to_file(cls, shares: Any, position: Any = None) -> None:
        sint.write_to_file([share.v for share in ([shares] if isinstance(shares, sfix) else shares)], position)
