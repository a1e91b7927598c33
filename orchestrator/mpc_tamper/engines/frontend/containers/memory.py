"""The memory behind Array, Matrix and MemValue.

Memory is allocated when it is first written: an input that covers a matrix is kept as the machine returned it,
and copied only when a part of it is assigned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc_tamper.core.errors import ProgramError, ShapeError
from mpc_tamper.engines.frontend.runtime import machine
from mpc_tamper.engines.frontend.values.base import Number, Stored, read
from mpc_tamper.engines.frontend.values.public import regint

PART_WORDS = 1 << 20  # of what may be larger than memory, at a time


class Memory:
    """size words, secret or public. data: None until written. shared: someone else may hold data, so copy to write.

    precision: (k, f) of the fixed-point values in it; () for integers, and until something is written.
    """

    def __init__(self, size: int, *, secret: bool) -> None:
        self.size = size
        self.secret = secret
        self.precision: tuple[int, ...] = ()
        self._data: Any = None
        self._shared = False

    def load(self, part: slice) -> Any:
        """A copy of a part; the whole is handed out as it is and copied at the next write."""
        if self._covers(part):
            self._shared = True
            return self._read()
        return self._read()[part].copy()

    def view(self, part: slice) -> Any:
        """For a product, which does not change it; where the machine keeps what it multiplies, it is copied then."""
        data = self._read()
        if self.secret and not self._shared:
            self._shared = machine().lend(data)
        return data if self._covers(part) else data[part]

    def store(self, part: slice, words: Any, precision: tuple[int, ...] = ()) -> None:
        """words: of the part's size.  precision: theirs, of the f that the memory has, unless they cover all of it."""
        if self._covers(part):
            self._data, self._shared, self.precision = words, True, precision
            return
        self.precision = max(self.precision, precision)
        if self._shared:
            self._data, self._shared = self._copy(), False
        self._read()[part] = words

    def _read(self) -> Any:
        if self._data is None:
            self._data = machine().allocate(self.size) if self.secret else np.zeros(self.size, np.uint64)
        return self._data

    def _copy(self) -> Any:
        """Part by part: it may be larger than the machine's memory."""
        if not self.secret:
            return self._data.copy()
        copied = machine().allocate(self.size)
        for start in range(0, self.size, PART_WORDS):
            part = slice(start, start + PART_WORDS)
            copied[part] = self._data[part]
        return copied

    def _covers(self, part: slice) -> bool:
        return part.start == 0 and part.stop == self.size and part.step in (None, 1)


_COMPARISONS = ("less_than", "greater_than", "less_equal", "greater_equal", "equal", "not_equal")
_BITS = ("if_else", "bit_and", "bit_or", "bit_xor", "bit_not", "mod2m", "right_shift")
_READS_FIRST = frozenset((*_COMPARISONS, *_BITS, "square", "min", "max", "binary_output", "sum", "get_vector", "v"))
_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor")


class MemValue(Stored):
    """One value in memory; any operation reads it. write() and iadd() change it for all who hold it."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any) -> None:
        value = read(value)
        if isinstance(value, int):
            value = regint(value)
        if not isinstance(value, Number):
            raise ProgramError(f"expected a basic type for MemValue, got {type(value).__name__}")
        self.value_type = type(value)
        self._value = value.copy()

    @property
    def size(self) -> int:
        return int(self._value.size)

    def read(self) -> Any:
        return self._value.copy()

    def write(self, value: Any) -> MemValue:
        value = self.value_type.conv(read(value))
        if value.size != self.size:
            raise ShapeError(f"expected {self.size} elements for this MemValue, got {value.size}")
        self._value = value.copy()
        return self

    def iadd(self, other: Any) -> MemValue:
        return self.write(self.read() + other)

    def reveal(self) -> Any:
        return self.read().reveal()

    def __getattr__(self, name: str) -> Any:
        if name in _READS_FIRST:
            return getattr(self.read(), name)
        return super().__getattr__(name)

    def __neg__(self) -> Any:
        return -self.read()

    def __abs__(self) -> Any:
        return abs(self.read())


def _delegate_operators() -> None:
    def forward(name: str) -> Any:
        def operation(self: MemValue, other: Any) -> Any:
            of_value = getattr(self.read(), name, None)
            return NotImplemented if of_value is None else of_value(read(other))

        operation.__qualname__ = f"MemValue.{name}"
        return operation

    def in_place(name: str) -> Any:
        def operation(self: MemValue, other: Any) -> MemValue:
            of_value = getattr(self.read(), name, None)
            result = NotImplemented if of_value is None else of_value(read(other))
            return result if result is NotImplemented else self.write(result)

        return operation

    for name in _ARITHMETIC:
        setattr(MemValue, f"__{name}__", forward(f"__{name}__"))
        setattr(MemValue, f"__r{name}__", forward(f"__r{name}__"))
        setattr(MemValue, f"__i{name}__", in_place(f"__{name}__"))
    for name in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(MemValue, f"__{name}__", forward(f"__{name}__"))


_delegate_operators()
