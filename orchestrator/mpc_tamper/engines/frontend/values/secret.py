"""sint: a secret vector of Z_2^64."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ProgramError, ShapeError
from mpc_tamper.engines.frontend.runtime import client_machine, machine, runtime
from mpc_tamper.engines.frontend.values.base import (
    Fixed,
    Integer,
    common_size,
    decided,
    divided,
    is_zero,
    read,
    shift,
    spread,
    unsupported,
    word,
)
from mpc_tamper.engines.frontend.values.public import Public, cint, public_int, public_words, regint


def expand(x: Any, size: int) -> Any:
    """A secret of one element, repeated."""
    return x if x.shape[0] == size else machine().scale(x, spread(np.ones(1, np.uint64), size))


class sint(Integer):  # noqa: N801, MP-SPDZ's name
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

    def _operand(self, other: Any, *, negated: bool = False) -> tuple[Any, Any, bool] | None:
        """This secret and the other operand at one size, and whether the other is secret too.

        negated: a public operand is wanted with the other sign.
        """
        if isinstance(other, sint):
            size = common_size(self.size, other.size)
            return expand(self.v, size), expand(other.v, size), True
        if isinstance(other, (int, Public)):
            words = public_words(other, None)
            words = np.uint64(0) - words if negated else words
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
        pair = self._operand(read(other), negated=True)
        if pair is None:
            return NotImplemented
        x, y, secret = pair
        return sint.wrap(machine().sub(x, y) if secret else machine().add_public(x, y))

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __neg__(self) -> Any:
        return sint.wrap(machine().scale(self.v, spread(np.full(1, word(-1)), self.size)))

    def _difference(self, other: Any) -> Any:
        other = read(other)
        if not isinstance(other, (int, Public, sint)):
            return None
        return self if isinstance(other, int) and other == 0 else self - other

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
        return decided(self.equal(other), self, "==", other)

    def __ne__(self, other: Any) -> Any:
        return decided(self.not_equal(other), self, "!=", other)

    def __lshift__(self, other: Any) -> Any:
        other = read(other)
        if isinstance(other, int):
            other = shift(other)
        elif isinstance(other, sint):
            raise unsupported("a left shift by a secret number of bits")
        elif not isinstance(other, Public):
            return NotImplemented
        return self * (1 << other)

    left_shift = __lshift__

    def right_shift(self, m: Any, bit_length: int | None = None) -> Any:
        """floor(self / 2^m); exact for every 64-bit value with bit_length 64, for values in range otherwise."""
        if not isinstance(m, int):
            raise unsupported("a right shift by other than a compile-time integer")
        if not 0 <= m <= 63:
            raise ProgramError(f"expected a shift from 0 to 63, got {m}")
        return self if m == 0 else sint.wrap(machine().right_shift(self.v, m))

    def __rshift__(self, other: Any) -> Any:
        return self.right_shift(other)

    def mod2m(self, m: int, bit_length: int | None = None) -> Any:
        if is_zero(m):
            return self._zero()
        shift(m)
        return self if m >= (bit_length or runtime().bit_length) else self - (self.right_shift(m, 64) << m)

    def __mod__(self, modulus: Any) -> Any:
        if not isinstance(modulus, int) or modulus < 1 or modulus & (modulus - 1):
            raise unsupported("% by other than a compile-time power of two")
        return self.mod2m(modulus.bit_length() - 1)

    def __truediv__(self, other: Any) -> Any:
        raise divided(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        raise divided(other, self)

    def __floordiv__(self, other: Any) -> Any:
        raise unsupported("division of secrets")

    __rfloordiv__ = __floordiv__

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
    def get_random(cls, size: int | None = None) -> sint:
        """A random element of Z_2^64 that nobody knows."""
        return cls.wrap(machine().random((size or 1,)))

    @classmethod
    def get_input_from(
        cls, player: Any, binary: bool = False, n_bytes: int | None = None, size: int | None = None
    ) -> sint:
        """text: decimal integers; binary: little-endian int64."""
        if n_bytes not in (None, 8):
            raise unsupported(f"binary input of {n_bytes} bytes")
        return cls.wrap(machine().input(public_int(player), (size or 1,), binary=bool(binary)))

    @classmethod
    def receive_from_client(cls, n: int, client_id: Any, size: int = 1) -> list[sint]:
        """n vectors. The client sends their first elements, then the second ones, and so on, as to MP-SPDZ."""
        values = client_machine().receive_from_client(public_int(client_id), n * size).reshape(size, n)
        return [cls.wrap(values[:, i].copy()) for i in range(n)]

    @classmethod
    def reveal_to_clients(cls, clients: Iterable[Any], values: Iterable[Any]) -> None:
        """To each of these clients, and to nobody else."""
        vectors = [cls.conv(value).v for value in values]
        sizes = {vector.shape[0] for vector in vectors}
        if len(sizes) != 1:
            raise ShapeError(f"expected vectors of equal size for the clients, got sizes {sorted(sizes)}")
        shown = stack(vectors).reshape(sizes.pop() * len(vectors))
        client_machine().reveal_to_clients([public_int(client) for client in clients], shown)

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
        """The position after the last share read, -1 at the end of the file, and n_items vectors."""
        shares, stop = machine().read_shares(public_int(start), n_items * size)
        if n_items == 1:
            return regint(stop), [cls.wrap(shares)]
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
        raise ProgramError(f"expected a bit_length from 1 to 63 in a comparison modulo 2^64, got {b}")
    return b


def gather(parts: list[Any]) -> Any:
    """Secrets, one after the other."""
    if len(parts) == 1:
        return parts[0]
    return machine().concatenate(parts)


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
