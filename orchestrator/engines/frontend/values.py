"""sint, cint and regint: vectors of Z_2^64.

As in MP-SPDZ a value of size 1 is a scalar, and goes with a vector of any size. What a value holds is never
changed in place: `update` replaces it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np

from orchestrator.engines.frontend.runtime import machine, runtime
from orchestrator.errors import CompileTimeState, ParameterError, ProgramError, ShapeError, UnsupportedName

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
    """Operators that all basic types have in common. As in MP-SPDZ x + 0 and x * 1 are x itself, x * 0 is the int 0."""

    __hash__ = None  # type: ignore[assignment]

    def add(self, other: Any) -> Any:
        raise NotImplementedError

    def mul(self, other: Any) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self if is_zero(other) else self.add(read(other))

    def __mul__(self, other: Any) -> Any:
        if is_zero(other):
            return 0
        return self if is_one(other) else self.mul(read(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def square(self) -> Any:
        return self * self

    def __pow__(self, exponent: Any) -> Any:
        if not isinstance(exponent, int) or exponent < 0:
            raise unsupported("** with other than a compile-time exponent from 0")
        if exponent == 0:
            return type(self)(1)  # type: ignore[call-arg]
        result: Any = self
        for bit in bin(exponent)[3:]:
            result = result.square()
            if bit == "1":
                result = result * self
        return result

    def min(self, other: Any) -> Any:
        return (self < other).if_else(self, other)  # type: ignore[operator]

    def max(self, other: Any) -> Any:
        return (self < other).if_else(other, self)  # type: ignore[operator]

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
        from orchestrator.engines.frontend.containers import container

        return container(shape, cls)

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

    @classmethod
    def conv(cls, value: Any) -> Any:
        value = read(value)
        return value if isinstance(value, cls) else cls(value)

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

    def bit_not(self) -> Any:
        return 1 - self

    def __neg__(self) -> Any:
        return 0 - self

    def __abs__(self) -> Any:
        return (self >= 0).if_else(self, -self)  # type: ignore[operator]

    @classmethod
    def concat(cls, parts: Iterable[Any]) -> Any:
        return cls(list(element for part in parts for element in part))


def read(value: Any) -> Any:
    """A MemValue's content; anything else as it is."""
    from orchestrator.engines.frontend.memory import MemValue

    return value.read() if isinstance(value, MemValue) else value


def common_size(a: int, b: int) -> int:
    if a != b and 1 not in (a, b):
        raise ShapeError(f"expected vectors of equal size, or one of size 1, got {a} and {b}")
    return max(a, b)


def spread(words: np.ndarray, size: int) -> np.ndarray:
    return np.broadcast_to(words, (size,)) if words.shape[0] != size else words


def public_words(value: Any, size: int | None) -> np.ndarray:
    """Python numbers and public values as words."""
    if isinstance(value, Public):
        words = value.v
    elif isinstance(value, int):
        words = np.full(1, word(value))
    elif isinstance(value, (list, tuple)):
        parts = [public_words(element, None) for element in value]
        words = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    else:
        raise ProgramError(f"expected an integer or a public value, got {type(value).__name__}")
    if size is None or words.shape[0] == size:
        return words
    return np.array(spread(words, common_size(words.shape[0], size)))


class Public(Integer):
    """cint and regint. Comparisons are signed and give regint."""

    v: np.ndarray

    @classmethod
    def _convert(cls, value: Any, size: int | None) -> np.ndarray:
        if value is None:
            return np.zeros(size or 1, np.uint64)
        if isinstance(value, Fixed):
            value = value.to_integer(cint)
        if isinstance(value, sint):
            raise ProgramError(f"cannot convert sint to {cls.__name__}: reveal() it first")
        return public_words(value, size)

    def _pair(self, other: Any) -> tuple[np.ndarray, np.ndarray, type[Public]] | None:
        """Both operands at one size, and the type of the result; None for types that know better themselves."""
        if not isinstance(other, (int, Public)):
            return None
        words = public_words(other, None)
        size = common_size(self.size, words.shape[0])
        both_regint = isinstance(self, regint) and isinstance(other, (int, regint))
        return spread(self.v, size), spread(words, size), regint if both_regint else cint

    def _binary(self, other: Any, operation: Any, *, swap: bool = False) -> Any:
        pair = self._pair(read(other))
        if pair is None:
            return NotImplemented
        x, y, kind = pair
        with np.errstate(over="ignore"):
            return kind.wrap(operation(y, x) if swap else operation(x, y))

    def add(self, other: Any) -> Any:
        return self._binary(other, np.add)

    def mul(self, other: Any) -> Any:
        return self._binary(other, np.multiply)

    def __sub__(self, other: Any) -> Any:
        return self._binary(other, np.subtract)

    def __rsub__(self, other: Any) -> Any:
        return self._binary(other, np.subtract, swap=True)

    def __and__(self, other: Any) -> Any:
        return self._binary(other, np.bitwise_and)

    def __or__(self, other: Any) -> Any:
        return self._binary(other, np.bitwise_or)

    def __xor__(self, other: Any) -> Any:
        return self._binary(other, np.bitwise_xor)

    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__

    def _compare(self, other: Any, operation: Any) -> Any:
        pair = self._pair(read(other))
        if pair is None:
            return NotImplemented
        return regint.wrap(operation(signed(pair[0]), signed(pair[1])).astype(np.uint64))

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, np.less)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, np.less_equal)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, np.greater)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, np.greater_equal)

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, np.equal)

    def __ne__(self, other: Any) -> Any:
        return self._compare(other, np.not_equal)

    def less_than(self, other: Any, bit_length: int | None = None) -> Any:
        return self < other

    def greater_than(self, other: Any, bit_length: int | None = None) -> Any:
        return self > other

    def equal(self, other: Any, bit_length: int | None = None) -> Any:
        return self == other

    def __floordiv__(self, other: Any) -> Any:
        return self._binary(other, divide_toward_zero)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._binary(other, divide_toward_zero, swap=True)

    def __lshift__(self, other: Any) -> Any:
        return self._binary(other, np.left_shift)

    def __rlshift__(self, other: Any) -> Any:
        return self._binary(other, np.left_shift, swap=True)

    def sum(self) -> Any:
        return self.wrap(self.v.sum(dtype=np.uint64, keepdims=True))

    def reveal(self) -> Any:
        return self

    def binary_output(self, player: int | None = None) -> None:
        machine().emit_binary(self.v)

    def get_reverse_vector(self) -> Any:
        return self.wrap(self.v[::-1])


def divide_toward_zero(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed division as C++ does it, the virtual machine's way."""
    if not y.all():
        raise ProgramError("division by zero")
    a, b = signed(x), signed(y)
    quotient = np.abs(a).view(np.uint64) // np.abs(b).view(np.uint64)
    return np.where((a < 0) != (b < 0), np.uint64(0) - quotient, quotient)


class cint(Public):
    """A public integer in the domain of the shares. >> is logical and % unsigned, as on MP-SPDZ's rings."""

    def __rshift__(self, other: Any) -> Any:
        return self._binary(other, np.right_shift)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary(other, np.right_shift, swap=True)

    def right_shift(self, other: Any, bit_length: int | None = None) -> Any:
        return self >> other

    def __mod__(self, other: Any) -> Any:
        return self._binary(other, remainder)

    def __rmod__(self, other: Any) -> Any:
        return self._binary(other, remainder, swap=True)

    def mod2m(self, m: int, bit_length: int | None = None) -> Any:
        return self % 2**m

    def __invert__(self) -> Any:
        return cint.wrap(np.uint64((1 << runtime().bit_length) - 1) - self.v)


def remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if not y.all():
        raise ProgramError("division by zero")
    return np.remainder(x, y)


class regint(Public):
    """A public 64-bit integer. / and >> round toward zero, % has the sign of the dividend, as in the virtual machine."""

    @classmethod
    def _convert(cls, value: Any, size: int | None) -> np.ndarray:
        if isinstance(value, (list, tuple)):
            raise unsupported("regint of a list (MP-SPDZ v0.4.2 loses its elements: use regint.Array)")
        return super()._convert(value, size)

    @classmethod
    def inc(cls, size: int, base: Any = 0, step: int = 1, repeat: int = 1, wrap: int | None = None) -> regint:
        """base + step * (i // repeat mod wrap) for i < size."""
        counts = np.arange(size, dtype=np.int64) // repeat % (size if wrap is None else wrap)
        return cls.wrap((counts * step).view(np.uint64) + public_words(base, None))

    def __rshift__(self, other: Any) -> Any:
        if isinstance(other, int):
            return self // 2**other
        return self._binary(other, np.right_shift)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary(other, np.right_shift, swap=True)

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return regint(other) % self


class Fixed(Number):
    """What sfix and cfix have in common; here so that the conversions know it."""

    def to_integer(self, kind: type[Integer]) -> Integer:
        raise NotImplementedError


def expand(x: Any, size: int) -> Any:
    """A secret of one element, repeated."""
    return x if x.shape[0] == size else machine().scale(x, np.ones(size, np.uint64))


class sint(Integer):
    """A secret integer of Z_2^64."""

    @classmethod
    def _convert(cls, value: Any, size: int | None) -> Any:
        if value is None:
            return machine().share_public(np.zeros(size or 1, np.uint64))
        if isinstance(value, Fixed):
            value = value.to_integer(cls)
        if isinstance(value, (list, tuple)) and any(isinstance(element, sint) for element in value):
            return gather([cls.conv(element).v for element in value])
        if isinstance(value, sint):
            if size is not None:
                common_size(value.size, size)
            return value.v if size is None else expand(value.v, size)
        return machine().share_public(np.array(public_words(value, size)))

    def _operand(self, other: Any) -> tuple[Any, Any, bool] | None:
        """This secret and the other operand at one size, and whether the other is secret too."""
        if isinstance(other, sint):
            size = common_size(self.size, other.size)
            return expand(self.v, size), expand(other.v, size), True
        if isinstance(other, (int, Public)):
            words = public_words(other, None)
            size = common_size(self.size, words.shape[0])
            return expand(self.v, size), spread(words, size), False
        return None

    def add(self, other: Any) -> Any:
        pair = self._operand(other)
        if pair is None:
            return NotImplemented
        x, y, secret = pair
        return sint.wrap(machine().add(x, y) if secret else machine().add_public(x, y))

    def mul(self, other: Any) -> Any:
        pair = self._operand(other)
        if pair is None:
            return NotImplemented
        x, y, secret = pair
        return sint.wrap(machine().mul(x, y) if secret else machine().scale(x, y))

    def __sub__(self, other: Any) -> Any:
        pair = self._operand(read(other))
        if pair is None:
            return NotImplemented
        x, y, secret = pair
        return sint.wrap(machine().sub(x, y) if secret else machine().add_public(x, np.uint64(0) - y))

    def __rsub__(self, other: Any) -> Any:
        negative = sint.wrap(machine().scale(self.v, np.full(self.size, word(-1))))
        return negative + other

    def _difference(self, other: Any) -> Any:
        other = read(other)
        if not isinstance(other, (int, Public, sint)):
            return None
        return self - other

    def _less_than_zero(self, bit_length: int | None) -> Any:
        return sint.wrap(machine().less_than_zero(self.v, width(bit_length) + 1))

    def less_than(self, other: Any, bit_length: int | None = None) -> Any:
        """Bit b of self - other mod 2^(b+1), b = bit_length: right for differences of b bits and a sign."""
        difference = self._difference(other)
        return NotImplemented if difference is None else difference._less_than_zero(bit_length)

    def greater_than(self, other: Any, bit_length: int | None = None) -> Any:
        difference = self._difference(other)
        return NotImplemented if difference is None else (-difference)._less_than_zero(bit_length)

    def less_equal(self, other: Any, bit_length: int | None = None) -> Any:
        result = self.greater_than(other, bit_length)
        return result if result is NotImplemented else 1 - result

    def greater_equal(self, other: Any, bit_length: int | None = None) -> Any:
        result = self.less_than(other, bit_length)
        return result if result is NotImplemented else 1 - result

    def not_equal(self, other: Any, bit_length: int | None = None) -> Any:
        """Whether the low b bits of d = self - other are not all 0; two comparisons, no multiplication.

        With c = bit b of d, e = d - c 2^b is d mod 2^b modulo 2^(b+1), and bit b of -e is [e != 0].
        """
        d = self._difference(other)
        if d is None:
            return NotImplemented
        b = width(bit_length)
        return (d._less_than_zero(b) * (1 << b) - d)._less_than_zero(b)

    def equal(self, other: Any, bit_length: int | None = None) -> Any:
        result = self.not_equal(other, bit_length)
        return result if result is NotImplemented else 1 - result

    def __lt__(self, other: Any) -> Any:
        return self.less_than(other)

    def __gt__(self, other: Any) -> Any:
        return self.greater_than(other)

    def __le__(self, other: Any) -> Any:
        return self.less_equal(other)

    def __ge__(self, other: Any) -> Any:
        return self.greater_equal(other)

    def __eq__(self, other: Any) -> Any:
        return self.equal(other)

    def __ne__(self, other: Any) -> Any:
        return self.not_equal(other)

    def __lshift__(self, other: Any) -> Any:
        return self * (1 << read(other))

    left_shift = __lshift__

    def right_shift(self, m: Any, bit_length: int | None = None) -> Any:
        """floor(self / 2^m); exact for every 64-bit value with bit_length 64, for values in range otherwise."""
        if not isinstance(m, int):
            raise unsupported("a right shift by other than a compile-time integer")
        if not 0 <= m <= 63:
            raise ParameterError(f"expected a shift from 0 to 63, got {m}")
        return self if m == 0 else sint.wrap(machine().right_shift(self.v, m))

    def __rshift__(self, other: Any) -> Any:
        return self.right_shift(other)

    def mod2m(self, m: int, bit_length: int | None = None) -> Any:
        if is_zero(m):
            return 0
        return self if m >= (bit_length or runtime().bit_length) else self - (self.right_shift(m, 64) << m)

    def __mod__(self, modulus: Any) -> Any:
        if not isinstance(modulus, int) or modulus < 1 or modulus & (modulus - 1):
            raise unsupported("% by other than a compile-time power of two")
        return self.mod2m(modulus.bit_length() - 1)

    def __truediv__(self, other: Any) -> Any:
        raise unsupported("division of secrets")

    __rtruediv__ = __floordiv__ = __truediv__

    def sum(self) -> Any:
        return sint.wrap(total(self.v))

    def reveal(self, check: bool = True) -> cint:
        return cint.wrap(machine().open(self.v))

    def get_reverse_vector(self) -> Any:
        return sint.wrap(self.v[::-1])

    @classmethod
    def concat(cls, parts: Iterable[Any]) -> sint:
        return cls.wrap(gather([cls.conv(part).v for part in parts]))

    @classmethod
    def get_input_from(
        cls, player: Any, binary: bool = False, n_bytes: int | None = None, size: int | None = None
    ) -> sint:
        """text: decimal integers; binary: little-endian int64."""
        if n_bytes not in (None, 8):
            raise unsupported(f"binary input of {n_bytes} bytes")
        return cls.wrap(machine().input(public_int(player), (size or 1,), binary=bool(binary)))

    @classmethod
    def dot_product(cls, x: Any, y: Any) -> Any:
        """Of two vectors, or of two lists of values: sum over i of x[i] * y[i], elementwise."""
        if isinstance(x, sint) and isinstance(y, sint):
            if x.size != y.size:
                raise ShapeError(f"expected vectors of equal size, got {x.size} and {y.size}")
            return cls.wrap(machine().matmul(x.v.reshape(1, x.size), y.v.reshape(y.size, 1)).reshape(1))
        rows, columns = [cls.conv(e).v for e in x], [cls.conv(e).v for e in y]
        sizes = {part.shape[0] for part in rows + columns}
        if len(rows) != len(columns) or len(sizes) != 1:
            raise ShapeError(f"expected two lists of equal length and equal vectors, got {len(rows)}, {len(columns)}")
        return cls.wrap(machine().dot(stack(rows), stack(columns)))

    @classmethod
    def read_from_file(
        cls, start: Any, n_items: int = 1, crash_if_missing: bool = True, size: int = 1
    ) -> tuple[regint, list[sint]]:
        """The position after the last share read, and n_items vectors."""
        shares, stop = machine().read_shares(public_int(start), n_items * size)
        return regint(stop), [cls.wrap(shares[i * size : (i + 1) * size].copy()) for i in range(n_items)]

    @classmethod
    def write_to_file(cls, shares: Any, position: Any = None) -> None:
        """Append, or overwrite from a position on."""
        values = [shares] if isinstance(shares, sint) else list(shares)
        at = None if position is None else public_int(position)
        machine().write_shares(gather([cls.conv(value).v for value in values]), at)


def width(bit_length: int | None) -> int:
    b = bit_length or runtime().bit_length
    if not isinstance(b, int) or not 1 <= b <= 63:
        raise ParameterError(f"expected a bit_length from 1 to 63 in a comparison modulo 2^64, got {b}")
    return b


def public_int(value: Any) -> int:
    """The number behind a public scalar, for the engine's own use: addresses, players, loop bounds."""
    value = read(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Public):
        if value.size != 1:
            raise ShapeError(f"expected one public number, got {value.size}")
        return int(signed(value.v)[0])
    raise ProgramError(f"expected a public integer, got {type(value).__name__}: reveal() a secret first")


def gather(parts: list[Any]) -> Any:
    """Secrets, one after the other."""
    if len(parts) == 1:
        return parts[0]
    joined = machine().share_public(np.zeros(sum(part.shape[0] for part in parts), np.uint64))
    base = 0
    for part in parts:
        joined[base : base + part.shape[0]] = part
        base += part.shape[0]
    return joined


def stack(rows: list[Any]) -> Any:
    """n secrets of size s as (s, n)."""
    stacked = machine().share_public(np.zeros((rows[0].shape[0], len(rows)), np.uint64))
    for i, row in enumerate(rows):
        stacked[:, i] = row
    return stacked


def total(x: Any) -> Any:
    """The sum of a secret vector, by halves: (1,)."""
    n = x.shape[0]
    if n == 0:
        return machine().share_public(np.zeros(1, np.uint64))
    while n > 1:
        half = n // 2
        folded = machine().add(x[:half], x[half : 2 * half])
        if n % 2:
            folded[:1] = machine().add(folded[:1], x[n - 1 : n])
        x, n = folded, half
    return x
