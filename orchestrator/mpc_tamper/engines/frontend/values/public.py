"""cint and regint: public vectors of Z_2^64.

The difference is the virtual machine's: cint shifts unsigned words and has Python's remainder,
regint calculates as C++ does on int64. Comparisons are signed and give regint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ProgramError, ShapeError
from mpc_tamper.engines.frontend.runtime import client_machine, machine, runtime
from mpc_tamper.engines.frontend.values.base import (
    WORD,
    Fixed,
    Integer,
    common_size,
    decided,
    divided,
    listed,
    read,
    shift,
    signed,
    spread,
    unsupported,
    word,
)


def public_words(value: Any, size: int | None) -> np.ndarray:
    """Python numbers and public values as words."""
    if isinstance(value, Public):
        words = value.v
    elif isinstance(value, int):
        words = np.full(1, word(value))
    elif isinstance(value, (list, tuple)) and set(map(type, value)) == {int} and max(map(abs, value)) < WORD >> 1:
        words = np.array(value, np.int64).view(np.uint64)  # constants may be many
    elif isinstance(value, (list, tuple)):
        parts = [public_words(element, None) for element in value]
        words = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    else:
        raise ProgramError(
            f"expected an integer or a public value, got {type(value).__name__}: reveal() a secret first"
        )
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
        return decided(self._compare(other, np.equal), self, "==", other)

    def __ne__(self, other: Any) -> Any:
        return decided(self._compare(other, np.not_equal), self, "!=", other)

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

    def __truediv__(self, other: Any) -> Any:
        raise divided(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        raise divided(other, self)

    def __lshift__(self, other: Any) -> Any:
        return self._binary(other, left_shift)

    def __rlshift__(self, other: Any) -> Any:
        return self._binary(other, left_shift, swap=True)

    def sum(self) -> Any:
        return self.wrap(self.v.sum(dtype=np.uint64, keepdims=True))

    def reveal(self) -> Any:
        return self

    def _text(self, conditional: bool) -> str:
        return listed([str(x) for x in signed(self.v).tolist()])

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


def left_shift(x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """x * 2^bits; 0 from 64 bits on."""
    return np.left_shift(x, _bits(bits))


def right_shift(x: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Of unsigned words; 0 from 64 bits on."""
    return np.right_shift(x, _bits(bits))


def _bits(bits: np.ndarray) -> np.ndarray:
    numbers = signed(bits)
    if (numbers < 0).any():
        raise ProgramError(f"expected a shift by 0 bits or more, got {numbers.min()}: shift the other way")
    return bits


class cint(Public):  # noqa: N801, MP-SPDZ's name
    """A public integer in the domain of the shares. >> is logical, % has the divisor's sign, as on MP-SPDZ's rings."""

    def __rshift__(self, other: Any) -> Any:
        return self._binary(other, right_shift)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary(other, right_shift, swap=True)

    def right_shift(self, other: Any, bit_length: int | None = None) -> Any:
        return self >> other

    def __mod__(self, other: Any) -> Any:
        return self._binary(other, remainder)

    def __rmod__(self, other: Any) -> Any:
        return self._binary(other, remainder, swap=True)

    def mod2m(self, m: int, bit_length: int | None = None) -> Any:
        return self % 2 ** shift(m)

    def __invert__(self) -> Any:
        return cint.wrap(np.uint64((1 << runtime().bit_length) - 1) - self.v)


def remainder(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of signed values, with the sign of the divisor."""
    if not y.all():
        raise ProgramError("division by zero")
    return np.remainder(signed(x), signed(y)).view(np.uint64)


class regint(Public):  # noqa: N801, MP-SPDZ's name
    """A public 64-bit integer. // and >> round toward zero, % has the dividend's sign."""

    @classmethod
    def _convert(cls, value: Any, size: int | None) -> np.ndarray:
        if isinstance(value, (list, tuple)):
            raise unsupported("regint of a list (MP-SPDZ v0.4.2 loses its elements: use regint.Array)")
        return super()._convert(value, size)

    def _text(self, conditional: bool) -> str:
        """Unconditionally, MP-SPDZ prints a vector's first element only."""
        return super()._text(conditional) if conditional else str(int(signed(self.v)[0]))

    @classmethod
    def inc(cls, size: int, base: Any = 0, step: int = 1, repeat: int = 1, wrap: int | None = None) -> regint:
        """base + step * (i // repeat mod wrap) for i < size."""
        counts = np.arange(size, dtype=np.int64) // repeat % (size if wrap is None else wrap)
        return cls.wrap((counts * step).view(np.uint64) + public_words(base, None))

    @classmethod
    def read_from_socket(cls, client_id: Any, n: int = 1, size: int = 1) -> Any:
        """What a client says to everybody: a value, or a list of n; vectors come element by element, as secrets do."""
        values = client_machine().receive_public_from_client(public_int(client_id), n * size).reshape(size, n)
        parts = [cls.wrap(values[:, i].copy()) for i in range(n)]
        return parts[0] if n == 1 else parts

    @classmethod
    def write_to_socket(cls, client_id: Any, values: Iterable[Any]) -> None:
        """Public values to a client; each server sends them."""
        words = [public_words(value, None) for value in values]
        sizes = {part.shape[0] for part in words}
        if len(sizes) != 1:
            raise ShapeError(f"expected vectors of equal size for a client, got sizes {sorted(sizes)}")
        client_machine().send_public_to_client(public_int(client_id), np.stack(words, axis=1).reshape(-1))

    def __rshift__(self, other: Any) -> Any:
        if isinstance(other, int):
            return self // 2 ** shift(other)
        return self._binary(other, right_shift)

    def __rrshift__(self, other: Any) -> Any:
        return self._binary(other, right_shift, swap=True)

    def __mod__(self, other: Any) -> Any:
        return self - (self // other) * other

    def __rmod__(self, other: Any) -> Any:
        return regint(other) % self


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
