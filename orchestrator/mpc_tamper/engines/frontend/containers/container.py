"""What Array, Matrix and MultiArray have in common: memory with a shape.

A part (a[i], get_part) is a view of the same memory, also with a run-time base; a vector (a[:], get_vector) is a copy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from mpc_tamper.core.errors import CompileTimeState, ProgramCrash, ShapeError
from mpc_tamper.engines.frontend.containers.memory import PART_WORDS, Memory, MemValue
from mpc_tamper.engines.frontend.io.output import print_str
from mpc_tamper.engines.frontend.values.base import Fixed, Number, RunTime, read, unsupported
from mpc_tamper.engines.frontend.values.fixed import cfix, sfix
from mpc_tamper.engines.frontend.values.public import cint, public_int, regint
from mpc_tamper.engines.frontend.values.secret import sint


class Container(RunTime):
    """A shape, row-major, on size words of memory from offset on.

    Each kind says for how many dimensions container() makes it, None: for any other number. A matrix's row is an array,
    and an array's view may be a matrix, so neither kind could import the other.
    """

    __hash__ = None  # type: ignore[assignment]
    _kinds: ClassVar[dict[int | None, Any]] = {}

    def __init_subclass__(cls, dimensions: int | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Container._kinds.setdefault(dimensions, cls)

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
        return self.value_type.wrap(self._memory.load(part), *self._memory.precision)

    def _conv(self, value: Any) -> Any:
        """As this container's type, at the precision of what the memory holds and goes on to hold."""
        value, precision = read(value), self._memory.precision
        if not precision:
            return self.value_type.conv(value)
        if isinstance(value, self.value_type) and (value.f == precision[1] or value.size == self._memory.size):
            return value
        return self.value_type(value, *precision)

    def _precision(self) -> tuple[int, int]:
        """k and f of fixed-point values."""
        k, f = self._memory.precision or (self.value_type.k, self.value_type.f)
        return k, f

    def _put(self, value: Any, part: slice) -> None:
        """value: from _conv()."""
        if isinstance(value, Fixed):
            self._memory.store(part, value.v.v, (value.k, value.f))
        else:
            self._memory.store(part, value.v)

    def _store(self, value: Any, base: int) -> None:
        value = self._conv(value)
        self._put(value, self._span(base, value.size))

    # whole contents

    def get_vector(self, base: Any = 0, size: int | None = None) -> Any:
        start = public_int(base)
        return self._load(self._span(start, self.total_size() - start if size is None else size))

    def assign_vector(self, vector: Any, base: Any = 0) -> Any:
        self._store(contents(vector), public_int(base))
        return self

    def assign_all(self, value: Any, n_threads: int | None = None) -> Any:
        value = self._conv(value)
        if value.size != 1:
            raise ShapeError(f"expected one value for all elements, got {value.size}")
        size = self.total_size()
        self._put(value._filled(value, size), self._span(0, size))
        return self

    def same_shape(self) -> Any:
        return container(self.sizes, self.value_type)

    def to_array(self) -> Any:
        return container((self.total_size(),), self.value_type, self._memory, self._offset)

    def input_from(self, player: Any, budget: int | None = None, raw: bool = False, **kwargs: Any) -> None:
        if raw:
            raise unsupported("raw input")
        size = self.total_size()
        step = size if size == self._memory.size else PART_WORDS  # what fills a memory stays as the machine returns it
        for base in range(0, size, step):
            self._store(self.value_type.get_input_from(player, size=min(step, size - base), **kwargs), base)

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
        print_str("%s" + end, self.reveal_nested())

    def _text(self, conditional: bool) -> str:
        return "[" + ", ".join(part._text(conditional) for part in self) + "]"

    def reveal_to_binary_output(self, player: int | None = None) -> None:
        self.get_vector().reveal().binary_output(player)

    def binary_output(self, player: int | None = None) -> None:
        self.get_vector().binary_output(player)

    def _elementwise(self, vector: Any) -> Any:
        """What operators make of an Array is a vector."""
        return vector

    def __eq__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() == contents(other))

    def __ne__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() != contents(other))

    def __lt__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() < contents(other))

    def __le__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() <= contents(other))

    def __gt__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() > contents(other))

    def __ge__(self, other: Any) -> Any:
        return self._elementwise(self.get_vector() >= contents(other))

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


def container(sizes: Iterable[int], value_type: Any, memory: Memory | None = None, offset: int = 0) -> Any:
    """An Array, a Matrix or a MultiArray, by the number of sizes."""
    sizes, kinds = tuple(sizes), Container._kinds
    if len(sizes) in kinds:
        return kinds[len(sizes)](*sizes, value_type, memory, offset)
    return kinds[None](sizes, value_type, memory, offset)


Number._make_container = container


def contents(value: Any) -> Any:
    """A container's vector; anything else as it is."""
    return value.get_vector() if isinstance(value, Container) else read(value)


def _size(n: Any) -> int:
    if isinstance(n, RunTime):
        raise CompileTimeState(f"expected a compile-time length, got {type(n).__name__}")
    if not isinstance(n, int) or n < 1:
        raise ShapeError(f"expected a length from 1, got {n!r}")
    return n
