"""Array: memory in one dimension."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mpc_tamper.core.errors import CompileTimeState, ShapeError
from mpc_tamper.engines.frontend.containers.container import Container, container, contents
from mpc_tamper.engines.frontend.containers.memory import Memory
from mpc_tamper.engines.frontend.values.base import Number, is_zero, read
from mpc_tamper.engines.frontend.values.public import public_int


class Array(Container, dimensions=1):
    def __init__(self, length: int, value_type: Any, memory: Memory | None = None, offset: int = 0) -> None:
        super().__init__((length,), value_type, memory, offset)
        self.length = self.sizes[0]

    @classmethod
    def create_from(cls, source: Any) -> Array:
        if isinstance(source, (Array, Number)):
            vector = contents(source)
            return cls(len(vector), type(vector)).assign(vector)
        elements = list(source)
        return cls(len(elements), type(elements[0])).assign(elements)

    def _slice(self, index: slice) -> tuple[int, int, int]:
        """start, size, step."""
        start, stop, step = (read(x) for x in (index.start, index.stop, index.step))
        for x in (stop, step):
            if isinstance(x, Number):
                raise CompileTimeState("expected a compile-time length of a slice: use get_vector(base, size)")
        first = 0 if start is None else self._index(start, self.length) if isinstance(start, Number) else start
        last = self.length if stop is None else min(stop, self.length)
        stride = 1 if step is None else step
        if first < 0 or last < 0 or stride < 1 or first >= last:
            raise ShapeError(
                f"expected a slice of at least one element with ends from 0, got [{first}:{last}:{stride}]: MP-SPDZ "
                "reads such a slice otherwise than Python"
            )
        return first, (last - first - 1) // stride + 1, stride

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, size, step = self._slice(index)
            if step == 1:
                return self.get_vector(start, size)
            return self._load(self._strided(start, size, step))
        return self.get_vector(self._index(index, self.length), 1)

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            value = self._conv(value)
            if value.size != 1:
                raise ShapeError(f"expected one value for one element, got {value.size}")
            self._store(value, self._index(index, self.length))
            return
        start, size, step = self._slice(index)
        value = contents(value)
        length = 1 if isinstance(value, (int, float)) else len(value)
        if length != size:
            raise ShapeError(f"expected {size} elements for the slice, got {length}: assign_all() repeats one value")
        if step == 1:
            self.assign(value, start)
        else:
            self._put(self._conv(value), self._strided(start, size, step))

    def _strided(self, start: int, size: int, step: int) -> slice:
        first = self._offset + start
        return slice(first, first + (size - 1) * step + 1, step)

    def assign_vector(self, other: Any, base: Any = 0) -> Array:
        """A vector, a container or a list, of this length or shorter, from base on."""
        other = contents(other)
        if isinstance(other, (Number, int, float)):
            self._store(other, public_int(base))
        else:
            for i, element in enumerate(other):
                self[public_int(base) + i] = element
        return self

    assign = assign_part_vector = assign_vector
    get_part_vector = Container.get_vector

    def get_reverse_vector(self) -> Any:
        return self.get_vector().get_reverse_vector()

    def get_part(self, base: Any, size: int) -> Array:
        """A view."""
        return Array(size, self.value_type, self._memory, self._span(self._index(base, self.length), size).start)

    def get_sub(self, start: int, stop: int | None = None) -> Array:
        first, last = (0, start) if stop is None else (start, stop)
        return self.get_part(first, last - first)

    def get_range(self, start: int, size: int) -> list[Any]:
        return [self[start + i] for i in range(size)]

    def set_range(self, start: int, values: Iterable[Any]) -> None:
        for i, value in enumerate(values):
            self[start + i] = value

    def concat(self, other: Array) -> Array:
        joined = Array(len(self) + len(other), self.value_type)
        return joined.assign(self).assign(other, len(self))

    def expand_to_vector(self, index: Any, size: int) -> Any:
        element = self[index]
        return element._filled(element, size)

    def to_row_matrix(self) -> Any:
        return container((1, self.length), self.value_type, self._memory, self._offset)

    def to_column_matrix(self) -> Any:
        return container((self.length, 1), self.value_type, self._memory, self._offset)

    def dot(self, other: Any) -> Any:
        return self.to_row_matrix().dot(other)

    def _text(self, conditional: bool) -> str:
        vector: Number = self.get_vector()
        return vector._text(conditional)

    def sum(self) -> Any:
        return self.get_vector().sum()

    def __add__(self, other: Any) -> Any:
        return self if is_zero(other) else self.get_vector() + contents(other)

    def __sub__(self, other: Any) -> Any:
        return self.get_vector() - contents(other)

    def __rsub__(self, other: Any) -> Any:
        return contents(other) - self.get_vector()

    def __mul__(self, other: Any) -> Any:
        return self.get_vector() * contents(other)

    def __pow__(self, other: Any) -> Any:
        return self.get_vector() ** other

    def __neg__(self) -> Any:
        return -self.get_vector()

    __radd__ = __add__
    __rmul__ = __mul__
