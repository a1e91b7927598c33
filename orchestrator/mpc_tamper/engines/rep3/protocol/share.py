"""Replicated sharings: x = x_0 + x_1 + x_2 modulo 2^64, or by xor; party i holds (x_i, x_{i-1}).

Private inputs have more structure, and it is public: component owner + 1 is zero, and the owner knows the value. The
zero component stands as a broadcast zero, which has a shape but no memory; passive.py multiplies by inputs cheaply.
Where rows of several owners make one matrix, it knows which words are whose.

One secret with several public numbers added to it is public structure too (Shifts): the sharings differ in component 0
alone, and comparisons compute once what they have in common (primitives/comparison.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mpc_tamper.engines.mapped import Storage, mapping_of, release

_MODULUS = 1 << 64
_ZERO = np.zeros((), np.uint64)
_ZERO.flags.writeable = False


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """A read-only zero array without memory."""
    return np.broadcast_to(_ZERO, shape)


@dataclass(frozen=True)
class Shifts:
    """A vector that is base + c for each c of these numbers modulo 2^64, one after the other.

    base: stands for that sharing, by identity. All of this follows from the program and from what is public, never from
    shares, so it is the same at all parties, which compare what is public before they use it.
    """

    base: object
    offsets: tuple[int, ...]

    def plus(self, c: int) -> Shifts:
        return Shifts(self.base, tuple((offset + c) % _MODULUS for offset in self.offsets))

    def times(self, c: int) -> Shifts:
        """Of another base."""
        return Shifts(object(), tuple(offset * c % _MODULUS for offset in self.offsets))


@dataclass(frozen=True)
class InputWords:
    """Words start .. stop - 1 of a sharing, in row-major order: a private input of this owner, unchanged.

    plain: whether this party has the values themselves, in RepShare.plain.
    """

    start: int
    stop: int
    owner: int
    plain: bool = False

    def within(self, start: int, stop: int) -> InputWords:
        """Those among words start .. stop - 1, counted from start on; perhaps none."""
        first = max(self.start, start)
        return replace(self, start=first - start, stop=max(first, min(self.stop, stop)) - start)

    def moved(self, by: int) -> InputWords:
        return replace(self, start=self.start + by, stop=self.stop + by)


@dataclass
class RepShare:
    """One party's part of a sharing. own: x_i, previous: x_{i-1}; uint64, equal shapes.

    owner: whose private input this is, for unchanged inputs (read-only) and their parts; else None.
    inputs: which words are inputs that were copied here, in order: of several owners, or of one beside something else.
    A component of theirs is zero here too. Writing to this object keeps that true; to another one, as with shifts.
    plain: the value itself, int16, at the owner of an input whose values fit; where inputs says so, of several owners.
    shifts: what is publicly known of how parts of this vector differ. Only what keeps it true hands it on (below);
    whatever else makes a share of others drops it, and so does writing to this object. Writing to its memory through
    another one does not: memories of programs copy before they write to what somebody else holds.
    """

    own: np.ndarray = field(repr=False)  # no error text and no log shows shares
    previous: np.ndarray = field(repr=False)
    owner: int | None = None
    plain: np.ndarray | None = field(default=None, repr=False)
    shifts: Shifts | None = field(default=None, repr=False)
    inputs: tuple[InputWords, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.own.shape

    def __getitem__(self, key: Any) -> RepShare:
        plain = None if self.plain is None else self.plain[key]
        return RepShare(self.own[key], self.previous[key], self.owner, plain, inputs=self._inputs_at(key))

    def __setitem__(self, key: Any, value: RepShare) -> None:
        inputs = self._inputs_with(key, value)
        self.shifts, self.inputs = None, ()
        _write(self.own, key, value.own)
        _write(self.previous, key, value.previous)
        self._keep_plain(key, value, inputs)
        self.inputs = inputs  # last: of words that are half written nothing is known

    def reshape(self, *shape: int) -> RepShare:
        plain = None if self.plain is None else self.plain.reshape(*shape)
        own, previous = self.own.reshape(*shape), self.previous.reshape(*shape)
        return RepShare(own, previous, self.owner, plain, inputs=self.inputs)

    def words_of(self, owner: int, *, plain: bool = False) -> list[slice]:
        """This owner's inputs, in row-major order: their component owner + 1 is zero. plain: those in self.plain."""
        found = [each for each in self.inputs if each.owner == owner % 3 and (each.plain or not plain)]
        return [slice(each.start, each.stop) for each in found]

    def _inputs_at(self, key: Any) -> tuple[InputWords, ...]:
        span = _span(key, self.shape) if self.inputs else None
        if span is None:
            return ()
        found = [each.within(*span) for each in self.inputs]
        return tuple(each for each in found if each.start < each.stop)

    def _inputs_with(self, key: Any, value: RepShare) -> tuple[InputWords, ...]:
        """After these words have been replaced."""
        span = _span(key, self.shape)
        if span is None:
            return ()
        start, stop = span
        new = value.inputs
        if value.owner is not None:
            new = (InputWords(0, stop - start, value.owner, plain=value.plain is not None),)
        if not (new or self.inputs):
            return ()
        if mapping_of(self.own) is not None or mapping_of(self.previous) is not None:  # there is no room for more
            new = tuple(replace(each, plain=False) for each in new)
        before = [each.within(0, start) for each in self.inputs]
        after = [each.within(stop, self.shape[0]).moved(stop) for each in self.inputs]
        return _joined([*before, *(each.moved(start) for each in new), *after])

    def _keep_plain(self, key: Any, value: RepShare, inputs: tuple[InputWords, ...]) -> None:
        """It takes an eighth of what the shares take, beside what a party may fill with those.

        inputs: of all words, from now on.
        """
        if value.plain is None or not any(each.plain for each in inputs):
            return
        if self.plain is None:
            self.plain = Storage().zeros(self.shape, np.int16, stays=True)
        self.plain[key] = value.plain

    def copy(self) -> RepShare:
        """Writable memory of its own, broadcast zeros included; no longer an input."""
        copied = RepShare(np.array(self.own), np.array(self.previous))
        release(self.own)
        release(self.previous)
        return copied

    def __add__(self, other: RepShare) -> RepShare:
        return RepShare(self.own + other.own, self.previous + other.previous)

    def __sub__(self, other: RepShare) -> RepShare:
        return RepShare(self.own - other.own, self.previous - other.previous)

    def __xor__(self, other: RepShare) -> RepShare:
        return RepShare(self.own ^ other.own, self.previous ^ other.previous)

    def scale(self, c: np.ndarray | np.uint64) -> RepShare:
        """Times a public constant."""
        return RepShare(self.own * c, self.previous * c)


def _write(array: np.ndarray, key: Any, values: np.ndarray) -> None:
    """A zero component leaves zeros as they are: memory that nobody has written to takes no room."""
    place = array[key]
    known_zero = values.size > 0 and not any(values.strides) and not values.flat[0]
    as_it_is = known_zero and place.flags.writeable and place.shape == values.shape and not place.any()
    if not as_it_is:
        array[key] = values
    release(place)


def _span(key: Any, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The words of a vector that a slice names, if they are next to each other."""
    if len(shape) != 1 or not isinstance(key, slice):
        return None
    start, stop, step = key.indices(shape[0])
    return (start, stop) if step == 1 and start < stop else None


def _joined(parts: list[InputWords]) -> tuple[InputWords, ...]:
    """Those of one owner that are next to each other are one. parts: in order, some of them empty."""
    joined: list[InputWords] = []
    for part in parts:
        if part.start == part.stop:
            continue
        if joined and joined[-1] == replace(part, start=joined[-1].start, stop=part.start):
            part = replace(part, start=joined.pop().start)
        joined.append(part)
    return tuple(joined)


def plus_public(x: RepShare, c: np.ndarray, party_id: int) -> RepShare:
    """x + c for public c, of x's shape."""
    own = x.own + c if party_id == 0 else x.own.copy()
    previous = x.previous + c if party_id == 1 else x.previous.copy()
    number = _one_number(x, c)
    if number is None:
        return RepShare(own, previous)
    if x.shifts is None:
        x.shifts = Shifts(object(), (0,))
    return RepShare(own, previous, shifts=x.shifts.plus(number))


def times_public(x: RepShare, c: np.ndarray) -> RepShare:
    """x times public c, elementwise with broadcasting."""
    product = x.scale(c)
    number = _one_number(x, c)
    if x.shifts is not None and number is not None:
        product.shifts = x.shifts.times(number)
    return product


def shifts_of(parts: list[RepShare]) -> Shifts | None:
    """Of these vectors, one after the other."""
    known = [part.shifts for part in parts if part.shifts is not None]
    if len(known) < len(parts) or any(each.base is not known[0].base for each in known):
        return None
    return Shifts(known[0].base, tuple(offset for each in known for offset in each.offsets))


def _one_number(x: RepShare, c: np.ndarray) -> int | None:
    """What every element of c is, if it was written once: a vector without memory, or of one element."""
    if c.shape != x.shape or c.ndim != 1 or not (c.size == 1 or (c.size > 1 and c.strides == (0,))):
        return None
    return int(c[0])


def concatenate(shares: list[RepShare]) -> RepShare:
    return RepShare(np.concatenate([s.own for s in shares]), np.concatenate([s.previous for s in shares]))


def public(values: np.ndarray, party_id: int) -> RepShare:
    """The trivial sharing of a public value: component 0 holds it, as in MP-SPDZ."""
    nothing = np.zeros(values.shape, np.uint64)
    own = values.copy() if party_id == 0 else nothing
    previous = values.copy() if party_id == 1 else nothing.copy()
    return RepShare(own, previous)
