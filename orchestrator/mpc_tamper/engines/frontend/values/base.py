"""What the basic types have in common: vectors of Z_2^64, and what MP-SPDZ refuses to do with run-time values.

As in MP-SPDZ a value of size 1 is a scalar, and goes with a vector of any size. What a value holds is never
changed in place: `update` replaces it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self

import numpy as np

from mpc_tamper.core.errors import CompileTimeState, ProgramError, ShapeError, UnsupportedName
from mpc_tamper.engines.frontend.runtime import runtime

INSTEAD = "run it with --engine mp-spdz"
WORD = 1 << 64


def unsupported(name: str) -> UnsupportedName:
    return UnsupportedName(f"{name} is outside the part of MP-SPDZ that this engine runs; {INSTEAD}")


def word(number: int) -> np.uint64:
    """A Python integer as an element of Z_2^64."""
    if not -(WORD >> 1) <= number < WORD:
        raise ProgramError(f"expected an integer from -2^63 to 2^64 - 1, got {number}")
    return np.uint64(number % WORD)


def signed(words: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(words).view(np.int64)


def is_number(x: object) -> bool:
    return isinstance(x, (int, float))


def is_zero(x: object) -> bool:
    return isinstance(x, int) and x == 0


def is_one(x: object) -> bool:
    return isinstance(x, int) and x == 1


def shift(bits: int) -> int:
    """A compile-time number of bits to shift by."""
    if bits < 0:
        raise ProgramError(f"expected a shift by 0 bits or more, got {bits}: shift the other way")
    return bits


def divided(x: object, y: object) -> UnsupportedName:
    """Of x / y, where at least one is a run-time value."""
    return UnsupportedName(
        f"the division {type(x).__name__} / {type(y).__name__} is outside the part of MP-SPDZ that this engine runs: "
        f"use // or >> for public integers, multiply a fixed-point number by a constant such as 0.5, or {INSTEAD}"
    )


class Named(type):
    """A name of MP-SPDZ that a class lacks is an error that says so."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise unsupported(f"{cls.__name__}.{name}")


class RunTime(metaclass=Named):
    """What is known only when the program runs; MP-SPDZ refuses to make Python decisions on it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise unsupported(f"{type(self).__name__}.{name}")

    def _text(self, conditional: bool) -> str:
        """What print_str shows; conditional: print_str_if, which MP-SPDZ prints in another way."""
        return str(self)

    def _refuse(self, what: str) -> CompileTimeState:
        return CompileTimeState(
            f"expected a compile-time value, got {type(self).__name__}: {what} of a run-time value is unknown when "
            "MP-SPDZ compiles. Use if_else, @if_ or @while_do for decisions, Array for indexing by a run-time value"
        )

    def __bool__(self) -> bool:
        raise self._refuse("the truth value")

    def __int__(self) -> int:
        raise self._refuse("the Python int")

    def __index__(self) -> int:
        raise self._refuse("the Python int (a list's index, range())")

    def __float__(self) -> float:
        raise self._refuse("the Python float")


class Number(RunTime):
    """Operators that all basic types have in common.

    As in MP-SPDZ x + 0 and x * 1 are x itself, and x * 0 is the int 0 for a scalar; a vector keeps its size.
    """

    __hash__ = None  # type: ignore[assignment]
    _make_container: ClassVar[Callable[..., Any]]  # of sizes and a type; containers/ are made of numbers and set it

    @property
    def size(self) -> int:
        raise NotImplementedError

    def _filled(self, number: Any, size: int | None = None) -> Any:
        """number in this type and precision, so many times; as often as this vector is long by default."""
        raise NotImplementedError

    def _zero(self) -> Any:
        return 0 if self.size == 1 else self._filled(0)

    def _text(self, conditional: bool) -> str:
        """A type that can be printed says how."""
        raise ProgramError(f"cannot print a secret {type(self).__name__}: reveal() it first")

    def update(self, other: Any) -> None:
        raise NotImplementedError

    def add(self, other: Any) -> Any:
        raise NotImplementedError

    def mul(self, other: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self if is_zero(other) else self.add(read(other))

    def __mul__(self, other: Any) -> Any:
        if is_zero(other):
            return self._zero()
        return self if is_one(other) else self.mul(read(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def square(self) -> Any:
        return self * self

    def __pow__(self, exponent: Any) -> Any:
        if not isinstance(exponent, int) or exponent < 0:
            raise unsupported("** with other than a compile-time exponent from 0")
        if exponent == 0:
            return self._filled(1)
        result: Any = self
        for bit in bin(exponent)[3:]:
            result = result.square()
            if bit == "1":
                result = result * self
        return result

    def min(self: Any, other: Any) -> Any:
        return (self < other).if_else(self, other)

    def max(self: Any, other: Any) -> Any:
        return (self < other).if_else(other, self)

    def iadd(self, other: Any) -> None:
        self.update(self + other)

    def zero_if_not(self, condition: Any) -> Any:
        return condition * self

    @classmethod
    def Array(cls, length: int) -> Any:
        return cls.Tensor((length,))

    @classmethod
    def Matrix(cls, rows: int, columns: int) -> Any:
        return cls.Tensor((rows, columns))

    @classmethod
    def Tensor(cls, shape: Iterable[int]) -> Any:
        return cls._make_container(shape, cls)

    MultiArray = Tensor

    @classmethod
    def input_tensor_from(cls, player: Any, shape: Iterable[int], **kwargs: Any) -> Any:
        tensor = cls.Tensor(shape)
        tensor.input_from(player, **kwargs)
        return tensor


class Integer(Number):
    """A vector v of shape (size,): a Secret for sint, uint64 for cint and regint."""

    def __init__(self, value: Any = None, size: int | None = None) -> None:
        self.v = self._convert(read(value), size)
        self.tape = runtime().tape

    @classmethod
    def wrap(cls, v: Any) -> Self:
        """A value around what it holds, unchecked."""
        value = cls.__new__(cls)
        value.v = v
        value.tape = runtime().tape
        return value

    def copy(self) -> Self:
        """An object of its own; what it holds is never changed in place."""
        return self.wrap(self.v)

    @classmethod
    def conv(cls, value: Any) -> Any:
        value = read(value)
        return value if isinstance(value, cls) else cls(value)

    def _filled(self, number: Any, size: int | None = None) -> Any:
        return type(self)(number, size=self.size if size is None else size)

    @classmethod
    def _convert(cls, value: Any, size: int | None) -> Any:
        raise NotImplementedError

    @property
    def size(self) -> int:
        return int(self.v.shape[0])

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.size))]
        if not isinstance(index, int):
            raise CompileTimeState(
                f"expected a compile-time index of a vector, got {type(index).__name__}: put the vector into an Array"
            )
        if not -self.size <= index < self.size:
            raise IndexError(f"index {index} of a vector of size {self.size}")
        index %= self.size
        return self.wrap(self.v[index : index + 1])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(self.size))

    def get_vector(self, base: int = 0, size: int | None = None) -> Any:
        size = self.size - base if size is None else size
        if base < 0 or base + size > self.size:
            raise ShapeError(f"expected a part of {self.size} elements, got {size} from {base}")
        return self.wrap(self.v[base : base + size])

    def update(self, other: Any) -> None:
        if self.tape != runtime().tape:
            raise CompileTimeState(
                "a register of one thread was updated in another, which MP-SPDZ refuses: use MemValue or Array"
            )
        new = type(self)(other)
        if new.size != self.size:
            raise ShapeError(f"expected {self.size} elements in update, got {new.size}")
        self.v = new.v

    def if_else(self, a: Any, b: Any) -> Any:
        """a where this bit is 1, b where it is 0."""
        return self * (a - b) + b

    def cond_swap(self, a: Any, b: Any) -> tuple[Any, Any]:
        product = self * (a - b)
        return a - product, b + product

    def bit_and(self, other: Any) -> Any:
        return self * other

    def bit_or(self, other: Any) -> Any:
        return self + other - self * other

    def bit_xor(self, other: Any) -> Any:
        return self + other - 2 * (self * other)

    def bit_not(self: Any) -> Any:
        return 1 - self

    def __neg__(self: Any) -> Any:
        return 0 - self

    def __abs__(self: Any) -> Any:
        return (self >= 0).if_else(self, -self)

    @classmethod
    def concat(cls, parts: Iterable[Any]) -> Any:
        return cls(list(element for part in parts for element in part))


class Fixed(Number):
    """What sfix and cfix have in common; here so that the conversions know it."""

    def to_integer(self, kind: type[Integer]) -> Integer:
        raise NotImplementedError


class Stored(RunTime):
    """Something that holds a value and is read where a value is expected."""

    def read(self) -> Any:
        raise NotImplementedError


def read(value: Any) -> Any:
    """What a MemValue holds; anything else as it is."""
    return value.read() if isinstance(value, Stored) else value


def decided(result: Any, x: Number, sign: str, y: object) -> Any:
    """The result of x == y or x != y. A float with which x has none is refused, as < does: Python would say False."""
    if result is NotImplemented and isinstance(y, float):
        raise TypeError(f"'{sign}' not supported between instances of '{type(x).__name__}' and 'float'")
    return result


def listed(elements: list[str]) -> str:
    """A vector as text; one element stands alone."""
    return elements[0] if len(elements) == 1 else "[" + ", ".join(elements) + "]"


def common_size(a: int, b: int) -> int:
    if a != b and 1 not in (a, b):
        raise ShapeError(f"expected vectors of equal size, or one of size 1, got {a} and {b}")
    return max(a, b)


def spread(words: np.ndarray, size: int) -> np.ndarray:
    return np.broadcast_to(words, (size,)) if words.shape[0] != size else words
