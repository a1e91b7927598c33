"""Matrix and MultiArray: memory in two or more dimensions, and matrix products."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from mpc_tamper.core.errors import ProgramError, ShapeError
from mpc_tamper.engines.frontend.containers.array import Array
from mpc_tamper.engines.frontend.containers.container import Container, container, contents
from mpc_tamper.engines.frontend.containers.memory import Memory
from mpc_tamper.engines.frontend.runtime import machine
from mpc_tamper.engines.frontend.values.base import Number, is_zero, unsupported
from mpc_tamper.engines.frontend.values.fixed import sfix
from mpc_tamper.engines.frontend.values.precision import round_shift
from mpc_tamper.engines.frontend.values.public import public_int
from mpc_tamper.engines.frontend.values.secret import sint


class MultiArray(Container, dimensions=None):
    def __init__(self, sizes: Iterable[int], value_type: Any, memory: Memory | None = None, offset: int = 0) -> None:
        super().__init__(sizes, value_type, memory, offset)
        if len(self.sizes) < 2:
            raise ShapeError("expected two or more dimensions: use Array for one")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            if index != slice(None):
                raise ShapeError(
                    "expected [:] or one index: MP-SPDZ slices no matrices, use get_part or get_part_vector"
                )
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
            got = other.sizes if isinstance(other, Container) else type(other).__name__
            raise ShapeError(f"expected shape {self.sizes}, got {got}")

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
        precisions = [each._precision() for each in (self, other) if each.value_type is sfix]
        if len({f for _, f in precisions}) > 1:
            raise ProgramError(f"expected {precisions[0][1]} fraction bits, got {precisions[1][1]}")
        x, y = self._words2d(), other._words2d()
        if name == "mul_trans":
            result = machine().matmul(x, transposed(y))
        else:
            result = getattr(machine(), name)(x, y)
        product = sint.wrap(result.reshape(math.prod(result.shape)))
        if kinds == {sint}:
            return product
        k, f = max(precisions)
        return sfix._new(round_shift(product, k + f, f) if kinds == {sfix} else product, k, f)

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
        result._memory.store(slice(0, rows * columns), flat, self._memory.precision)
        return result

    def _column(self, index: Any) -> slice:
        rows, columns = self._rows_and_columns()
        start = self._offset + self._index(index, columns)
        return slice(start, start + (rows - 1) * columns + 1, columns)

    def get_column(self, index: Any) -> Any:
        return self._load(self._column(index))

    def set_column(self, index: Any, vector: Any) -> None:
        value = self._conv(contents(vector))
        if value.size != self.sizes[0]:
            raise ShapeError(f"expected a column of {self.sizes[0]} elements, got {value.size}")
        self._put(value, self._column(index))

    def get_columns(self) -> Iterator[Any]:
        return (self.get_column(i) for i in range(self.sizes[1]))

    def trace(self) -> Any:
        return sum(self[i][i] for i in range(self._rows_and_columns()[0]))


class Matrix(MultiArray, dimensions=2):
    def __init__(self, rows: int, columns: int, value_type: Any, memory: Memory | None = None, offset: int = 0) -> None:
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
    result = x.copy().reshape(columns, rows)
    if rows == 1 or columns == 1:
        return result
    for column in range(columns):
        result[column] = x[:, column]
    return result


def _no_indices(indices: Any, reduce: bool) -> None:
    if indices is not None or not reduce:
        raise unsupported("indices= and reduce=False of matrix products")
