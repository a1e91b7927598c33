"""Array, Matrix and MultiArray: memory with a shape.

A part (a[i], get_part) is a view of the same memory, also with a run-time base; a vector (a[:], get_vector) is a copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.engines.frontend.fixed import _Fix, cfix, round_shift, sfix
from orchestrator.engines.frontend.memory import Memory, MemValue
from orchestrator.engines.frontend.runtime import machine
from orchestrator.engines.frontend.values import (
    Number,
    RunTime,
    cint,
    is_zero,
    public_int,
    read,
    regint,
    sint,
    unsupported,
)
from orchestrator.errors import CompileTimeState, ProgramCrash, ProgramError, ShapeError


def words_of(value: Any) -> Any:
    return value.v.v if isinstance(value, _Fix) else value.v


class Container(RunTime):
    """A shape, row-major, on size words of memory from offset on."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, sizes: Iterable[int], value_type: Any, memory: Memory | None = None, offset: int = 0) -> None:
        self.sizes = tuple(_size(n) for n in sizes)
        if value_type not in (sint, cint, regint, sfix, cfix):
            raise unsupported(f"a container of {getattr(value_type, '__name__', value_type)}")
        self.value_type = value_type
        self._offset = offset
        self._memory = memory or Memory(math.prod(self.sizes), secret=value_type in (sint, sfix))

    # shape

    @property
    def shape(self) -> list[int]:
        return list(self.sizes)

    def __len__(self) -> int:
        return self.sizes[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def total_size(self) -> int:
        return math.prod(self.sizes)

    def _part_size(self) -> int:
        return math.prod(self.sizes[1:])

    def _index(self, index: Any, length: int) -> int:
        """A checked index; a run-time one that is out of range crashes the virtual machine."""
        if isinstance(read(index), Number) and not isinstance(read(index), (cint, regint)):
            raise CompileTimeState(
                f"expected a public index, got {type(read(index)).__name__}: memory cannot be addressed by secrets"
            )
        number = public_int(index)
        if isinstance(index, int):
            number += length * (number < 0)
            if not 0 <= number < length:
                raise IndexError(f"index {index}, length {length}")
        elif not 0 <= number < length:
            raise ProgramCrash(f"overflow: {number}/{list(self.sizes)}")
        return number

    def _span(self, base: int, size: int) -> slice:
        """size words from base on, relative to this container, as a part of the memory."""
        start = self._offset + base
        if size < 1 or base < 0 or base + size > self.total_size():
            raise ShapeError(f"expected 1 to {self.total_size() - base} elements from {base} on, got {size}")
        return slice(start, start + size)

    def words(self) -> Any:
        """All words, flat, for a computation that keeps no reference."""
        return self._memory.view(self._span(0, self.total_size()))

    def _load(self, part: slice) -> Any:
        return self.value_type.wrap(self._memory.load(part))

    def _store(self, value: Any, base: int) -> None:
        value = self.value_type.conv(value)
        self._memory.store(self._span(base, value.size), words_of(value))

    # whole contents

    def get_vector(self, base: Any = 0, size: int | None = None) -> Any:
        start = public_int(base)
        return self._load(self._span(start, self.total_size() - start if size is None else size))

    def assign_vector(self, vector: Any, base: Any = 0) -> Any:
        self._store(contents(vector), public_int(base))
        return self

    def assign_all(self, value: Any, n_threads: int | None = None) -> Any:
        value = self.value_type.conv(value)
        if value.size != 1:
            raise ShapeError(f"expected one value for all elements, got {value.size}")
        size = self.total_size()
        spread = value._new(type(value.v)(value.v, size=size)) if isinstance(value, _Fix) else type(value)(value, size=size)
        self._memory.store(self._span(0, size), words_of(spread))
        return self

    def same_shape(self) -> Any:
        return container(self.sizes, self.value_type)

    def to_array(self) -> Array:
        return Array(self.total_size(), self.value_type, self._memory, self._offset)

    def input_from(self, player: Any, budget: int | None = None, raw: bool = False, **kwargs: Any) -> None:
        if raw:
            raise unsupported("raw input")
        self.assign_vector(self.value_type.get_input_from(player, size=self.total_size(), **kwargs))

    def read_from_file(self, start: Any, crash_if_missing: bool = True) -> MemValue:
        stop, shares = self.value_type.read_from_file(start, size=self.total_size())
        self.assign_vector(shares[0])
        return MemValue(stop)

    def write_to_file(self, position: Any = None) -> None:
        self.value_type.write_to_file([self.get_vector()], position)

    def reveal(self) -> Any:
        revealed = self.get_vector().reveal()
        return container(self.sizes, type(revealed)).assign_vector(revealed)

    def reveal_list(self) -> list[Any]:
        return list(self.get_vector().reveal())

    def reveal_nested(self) -> list[Any]:
        flat = iter(self.get_vector().reveal())

        def nest(sizes: tuple[int, ...]) -> list[Any]:
            return [nest(sizes[1:]) if len(sizes) > 1 else next(flat) for _ in range(sizes[0])]

        return nest(self.sizes)

    def print_reveal_nested(self, end: str = "\n") -> None:
        from orchestrator.engines.frontend.output import print_str

        print_str("%s" + end, self.reveal_nested())

    def reveal_to_binary_output(self, player: int | None = None) -> None:
        self.get_vector().reveal().binary_output(player)

    def binary_output(self, player: int | None = None) -> None:
        self.get_vector().binary_output(player)

    def _in_place(self, name: str, other: Any) -> Any:
        if not isinstance(other, (Container, Number)):
            raise ShapeError(f"expected a container in an in-place operation, got {type(other).__name__}: use a[:]")
        return self.assign_vector(getattr(self.get_vector(), name)(contents(other)))

    def __iadd__(self, other: Any) -> Any:
        return self._in_place("__add__", other)

    def __isub__(self, other: Any) -> Any:
        return self._in_place("__sub__", other)

    def __imul__(self, other: Any) -> Any:
        return self._in_place("__mul__", other)


class Array(Container):
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
            raise ShapeError(f"expected a slice of at least one element with non-negative ends, got [{first}:{last}:{stride}]")
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
            value = self.value_type.conv(read(value))
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
            self._memory.store(self._strided(start, size, step), words_of(self.value_type.conv(value)))

    def _strided(self, start: int, size: int, step: int) -> slice:
        first = self._offset + start
        return slice(first, first + (size - 1) * step + 1, step)

    def assign(self, other: Any, base: Any = 0) -> Array:
        """A vector, a container or a list, of this length or shorter, from base on."""
        other = contents(other)
        if isinstance(other, Number) or isinstance(other, (int, float)):
            self._store(other, public_int(base))
        else:
            for i, element in enumerate(other):
                self[public_int(base) + i] = element
        return self

    assign_vector = assign_part_vector = assign
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
        return self.value_type(self[index], size=size)

    def to_row_matrix(self) -> Matrix:
        return Matrix(1, self.length, self.value_type, self._memory, self._offset)

    def to_column_matrix(self) -> Matrix:
        return Matrix(self.length, 1, self.value_type, self._memory, self._offset)

    def dot(self, other: Any) -> Any:
        return self.to_row_matrix().dot(other)

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

    def __eq__(self, other: Any) -> Any:
        return self.get_vector() == contents(other)

    def __ne__(self, other: Any) -> Any:
        return self.get_vector() != contents(other)

    def __lt__(self, other: Any) -> Any:
        return self.get_vector() < contents(other)

    def __le__(self, other: Any) -> Any:
        return self.get_vector() <= contents(other)

    def __gt__(self, other: Any) -> Any:
        return self.get_vector() > contents(other)

    def __ge__(self, other: Any) -> Any:
        return self.get_vector() >= contents(other)


class MultiArray(Container):
    def __init__(self, sizes: Iterable[int], value_type: Any, memory: Memory | None = None, offset: int = 0) -> None:
        super().__init__(sizes, value_type, memory, offset)
        if len(self.sizes) < 2:
            raise ShapeError("expected two or more dimensions: use Array for one")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if index != slice(None):
                raise ShapeError("expected [:] or one index: MP-SPDZ slices no matrices; use get_part or get_part_vector")
            return self.get_vector()
        offset = self._offset + self._index(index, self.sizes[0]) * self._part_size()
        return container(self.sizes[1:], self.value_type, self._memory, offset)

    def __setitem__(self, index: Any, other: Any) -> None:
        if isinstance(index, slice):
            if index != slice(None):
                raise ShapeError("expected [:] or one index: use assign_part_vector")
            self._fill(other)
            return
        self[index]._fill(other) if len(self.sizes) > 2 else self[index].__setitem__(slice(None), other)

    def _fill(self, other: Any) -> None:
        if not isinstance(other, (Container, Number)) or len(contents(other)) == self.total_size():
            self.assign(other)
            return
        raise ShapeError(f"expected {self.total_size()} elements, got {len(contents(other))}")

    def assign(self, other: Any, base: Any = 0) -> MultiArray:
        """A vector or container, or a nested list."""
        if isinstance(other, (Container, Number)):
            return self.assign_vector(other, base)
        for i, row in enumerate(other):
            self[public_int(base) + i].assign(row)
        return self

    def iadd(self, other: Any) -> None:
        self._same_sizes(other)
        self.assign_vector(self.get_vector() + other.get_vector())

    def get_part_vector(self, base: Any = 0, size: int | None = None) -> Any:
        """Of size rows (default 1) from base on."""
        part = self._part_size()
        return self.get_vector(public_int(base) * part, (size or 1) * part)

    def assign_part_vector(self, vector: Any, base: Any = 0) -> None:
        self._store(contents(vector), public_int(base) * self._part_size())

    def get_part(self, start: Any, size: int) -> MultiArray:
        """A view of size rows."""
        row = self._index(start, self.sizes[0])
        span = self._span(row * self._part_size(), size * self._part_size())
        part: MultiArray = container((size, *self.sizes[1:]), self.value_type, self._memory, span.start)
        return part

    def concat(self, other: MultiArray) -> Any:
        if self.sizes[1:] != other.sizes[1:]:
            raise ShapeError(f"expected rows of shape {self.sizes[1:]}, got {other.sizes[1:]}")
        joined = container((self.sizes[0] + other.sizes[0], *self.sizes[1:]), self.value_type)
        joined.assign_vector(self)
        joined.assign_part_vector(other, self.sizes[0])
        return joined

    def schur(self, other: MultiArray) -> Any:
        self._same_sizes(other)
        return self.same_shape().assign_vector(self.get_vector() * other.get_vector())

    def _same_sizes(self, other: Any) -> None:
        if not isinstance(other, MultiArray) or other.sizes != self.sizes:
            raise ShapeError(f"expected shape {self.sizes}, got {other.shape if isinstance(other, Container) else type(other).__name__}")

    def _elementwise(self, vector: Any) -> Any:
        return container(self.sizes, type(vector)).assign_vector(vector)

    def __add__(self, other: Any) -> Any:
        if is_zero(other):
            return self
        self._same_sizes(other)
        return self._elementwise(self.get_vector() + other.get_vector())

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if is_zero(other):
            return self
        self._same_sizes(other)
        return self._elementwise(self.get_vector() - other.get_vector())

    def __lt__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() < contents(other))

    def __le__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() <= contents(other))

    def __gt__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() > contents(other))

    def __ge__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() >= contents(other))

    def __eq__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() == contents(other))

    def __ne__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() != contents(other))

    # two dimensions: products, columns

    def _rows_and_columns(self) -> tuple[int, int]:
        if len(self.sizes) != 2:
            raise ShapeError(f"expected a matrix, got shape {self.sizes}")
        return self.sizes[0], self.sizes[1]

    def _words2d(self) -> Any:
        return self.words().reshape(*self._rows_and_columns())

    def _product(self, other: Any, name: str, left: int, right: int) -> Any:
        """Row-major vector of the product; left, right: the axes that are summed over."""
        if isinstance(other, Array):
            other = other.to_column_matrix()
        if not isinstance(other, MultiArray):
            raise ShapeError(f"expected a Matrix or an Array, got {type(other).__name__}")
        if self._rows_and_columns()[left] != other._rows_and_columns()[right]:
            raise ShapeError(f"matrix product of shapes {self.sizes} and {other.sizes} does not fit")
        kinds = {self.value_type, other.value_type}
        if not kinds <= {sint, sfix}:
            raise unsupported(f"a matrix product of {self.value_type.__name__} and {other.value_type.__name__}")
        x, y = self._words2d(), other._words2d()
        if name == "mul_trans":
            result = machine().matmul(x, transposed(y))
        else:
            result = getattr(machine(), name)(x, y)
        product = sint.wrap(result.reshape(math.prod(result.shape)))
        if kinds == {sint}:
            return product
        return sfix._new(round_shift(product, sfix.k + sfix.f, sfix.f) if kinds == {sfix} else product)

    def direct_mul(self, other: Any, reduce: bool = True, indices: Any = None, res_type: Any = None) -> Any:
        """self times other as a row-major vector."""
        _no_indices(indices, reduce)
        return self._product(other, "matmul", 1, 0)

    def direct_trans_mul(self, other: Any, reduce: bool = True, indices: Any = None) -> Any:
        """The transpose of self times other."""
        _no_indices(indices, reduce)
        return self._product(other, "trans_matmul", 0, 0)

    def direct_mul_trans(self, other: Any, reduce: bool = True, indices: Any = None) -> Any:
        """self times the transpose of other."""
        _no_indices(indices, reduce)
        return self._product(other, "mul_trans", 1, 1)

    def dot(self, other: Any, res_params: Any = None, n_threads: int | None = None) -> Any:
        """A Matrix, or an Array for an Array or a vector."""
        if isinstance(other, self.value_type):
            other = Array.create_from(other)
        product = self._product(other, "matmul", 1, 0)
        if isinstance(other, Array):
            return Array(self.sizes[0], type(product)).assign(product)
        return Matrix(self.sizes[0], other.sizes[1], type(product)).assign_vector(product)

    mul = dot

    def __mul__(self, other: Any) -> Any:
        return self.dot(other)

    def trans_mul(self, other: Any) -> Matrix:
        product = self.direct_trans_mul(other)
        return Matrix(self.sizes[1], len(product) // self.sizes[1], type(product)).assign_vector(product)

    def mul_trans(self, other: Any) -> Matrix:
        product = self.direct_mul_trans(other)
        return Matrix(self.sizes[0], len(product) // self.sizes[0], type(product)).assign_vector(product)

    def transpose(self, n_threads: int | None = None) -> Matrix:
        rows, columns = self._rows_and_columns()
        result = Matrix(columns, rows, self.value_type)
        flat = transposed(self._words2d()).reshape(rows * columns)
        result._memory.store(slice(0, rows * columns), flat)
        return result

    def _column(self, index: Any) -> slice:
        rows, columns = self._rows_and_columns()
        start = self._offset + self._index(index, columns)
        return slice(start, start + (rows - 1) * columns + 1, columns)

    def get_column(self, index: Any) -> Any:
        return self._load(self._column(index))

    def set_column(self, index: Any, vector: Any) -> None:
        value = self.value_type.conv(contents(vector))
        if value.size != self.sizes[0]:
            raise ShapeError(f"expected a column of {self.sizes[0]} elements, got {value.size}")
        self._memory.store(self._column(index), words_of(value))

    def get_columns(self) -> Iterator[Any]:
        return (self.get_column(i) for i in range(self.sizes[1]))

    def trace(self) -> Any:
        return sum(self[i][i] for i in range(self._rows_and_columns()[0]))


class Matrix(MultiArray):
    def __init__(
        self, rows: int, columns: int, value_type: Any, memory: Memory | None = None, offset: int = 0
    ) -> None:
        super().__init__((rows, columns), value_type, memory, offset)

    @staticmethod
    def create_from(rows: Iterable[Any]) -> Matrix:
        arrays = [Array.create_from(row) for row in rows]
        matrix = Matrix(len(arrays), len(arrays[0]), arrays[0].value_type)
        matrix.assign(arrays)
        return matrix


def transposed(x: Any) -> Any:
    """A copy of a 2-D secret or array with rows and columns exchanged."""
    rows, columns = x.shape
    if rows == 1 or columns == 1:
        return x.reshape(columns, rows)
    result = x.copy().reshape(columns, rows)
    for column in range(columns):
        result[column] = x[:, column]
    return result


def container(sizes: Iterable[int], value_type: Any, memory: Memory | None = None, offset: int = 0) -> Any:
    sizes = tuple(sizes)
    if len(sizes) == 1:
        return Array(sizes[0], value_type, memory, offset)
    if len(sizes) == 2:
        return Matrix(sizes[0], sizes[1], value_type, memory, offset)
    return MultiArray(sizes, value_type, memory, offset)


def contents(value: Any) -> Any:
    """A container's vector; anything else as it is."""
    return value.get_vector() if isinstance(value, Container) else read(value)


def _size(n: Any) -> int:
    if isinstance(n, RunTime):
        raise CompileTimeState(f"expected a compile-time length, got {type(n).__name__}")
    if not isinstance(n, int) or n < 1:
        raise ShapeError(f"expected a length from 1, got {n!r}")
    return n


def _no_indices(indices: Any, reduce: bool) -> None:
    if indices is not None or not reduce:
        raise unsupported("indices= and reduce=False of matrix products")
