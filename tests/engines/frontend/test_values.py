"""Arithmetic and comparisons of the basic types against plain Python integers, at the edges of Z_2^64 and inside."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_tamper.core.errors import PlanError
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.runtime import Runtime, enter, leave
from mpc_tamper.engines.frontend.values.fixed import cfix, sfix
from mpc_tamper.engines.frontend.values.public import cint, regint
from mpc_tamper.engines.frontend.values.secret import sint
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support import naive

MIN, MAX = -(2**63), 2**63 - 1
numbers = st.one_of(st.sampled_from([0, 1, -1, MIN, MAX, MIN + 1, 2**62, -(2**62)]), st.integers(MIN, MAX))
vectors = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5)
bit_lengths = st.integers(1, 63)


@contextmanager
def running() -> Iterator[None]:
    token = enter(Runtime(ClearMachine({}, {})))
    try:
        yield
    finally:
        leave(token)


def opened(value: Any) -> list[int]:
    """A value's elements, from 0 to 2^64 - 1."""
    return [int(word) for word in value.reveal().v.tolist()]


def columns(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


@given(pairs=vectors)
@pytest.mark.parametrize("operation", [operator.add, operator.sub, operator.mul], ids=lambda o: o.__name__)
def test_ring_operations_of_all_types(operation: Callable[[Any, Any], Any], pairs: list[tuple[int, int]]) -> None:
    x, y = columns(pairs)
    expected = [operation(a, b) % naive.MODULUS for a, b in pairs]
    with running():
        for left, right in [(sint, sint), (sint, cint), (cint, sint), (cint, cint)]:
            assert opened(operation(left(x), right(y))) == expected
        if y[0] not in (0, 1):
            assert opened(operation(sint(x), y[0])) == [operation(a, y[0]) % naive.MODULUS for a in x]
        if x[0] not in (0, 1):
            assert opened(operation(x[0], sint(y))) == [operation(x[0], b) % naive.MODULUS for b in y]
            assert opened(operation(regint(x[0]), sint(y))) == [operation(x[0], b) % naive.MODULUS for b in y]


@given(pairs=vectors, bit_length=bit_lengths)
def test_secret_comparisons(pairs: list[tuple[int, int]], bit_length: int) -> None:
    x, y = columns(pairs)
    with running():
        s = sint(x)
        for other in (sint(y), cint(y)):
            less = [naive.less_than(a, b, bit_length) for a, b in pairs]
            greater = [naive.less_than(b, a, bit_length) for a, b in pairs]
            same = [naive.equal(a, b, bit_length) for a, b in pairs]
            assert opened(s.less_than(other, bit_length)) == less
            assert opened(s.greater_equal(other, bit_length)) == [1 - bit for bit in less]
            assert opened(s.greater_than(other, bit_length)) == greater
            assert opened(s.less_equal(other, bit_length)) == [1 - bit for bit in greater]
            assert opened(s.equal(other, bit_length)) == same
            assert opened(s.not_equal(other, bit_length)) == [1 - bit for bit in same]


@given(pairs=vectors)
@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_public_comparisons_are_signed(name: str, pairs: list[tuple[int, int]]) -> None:
    compare = getattr(operator, name)
    with running():
        for (x, y), kind in itertools.product(pairs, (cint, regint)):
            result = compare(kind(x), kind(y))
            assert isinstance(result, regint)
            assert opened(result) == [int(compare(x, y))]
            assert opened(compare(x, kind(y))) == [int(compare(x, y))]


@given(x=st.lists(numbers, min_size=1, max_size=5), t=st.integers(0, 63))
def test_right_shift_is_floor(x: list[int], t: int) -> None:
    with running():
        assert opened(sint(x).right_shift(t, 64)) == [naive.right_shift(a, t) for a in x]


@given(x=st.lists(numbers, min_size=1, max_size=5), m=st.integers(1, 62))
def test_mod2m(x: list[int], m: int) -> None:
    with running():
        assert opened(sint(x) % 2**m) == [a % 2**m for a in x]


@given(x=numbers, y=numbers.filter(bool))
def test_public_division(x: int, y: int) -> None:
    toward_zero = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
    with running():
        for kind in (cint, regint):
            assert opened(kind(x) // kind(y)) == [toward_zero % naive.MODULUS]
        assert opened(regint(x) % regint(y)) == [(x - toward_zero * y) % naive.MODULUS]
        assert opened(cint(x) % cint(y)) == [x % y % naive.MODULUS]


@given(x=st.lists(numbers, min_size=1, max_size=40))
def test_sum_by_halves(x: list[int]) -> None:
    with running():
        assert opened(sint(x).sum()) == [sum(x) % naive.MODULUS]


@given(a=numbers, b=numbers, bit=st.integers(0, 1))
def test_if_else(a: int, b: int, bit: int) -> None:
    with running():
        for kind in (sint, cint, regint):
            assert opened(kind(bit).if_else(sint(a), sint(b))) == [(a if bit else b) % naive.MODULUS]


small = st.integers(-(2**24), 2**24)


@given(pairs=st.lists(st.tuples(small, small), min_size=1, max_size=4))
def test_fixed_point_products_round_once(pairs: list[tuple[int, int]]) -> None:
    x, y = columns(pairs)

    def rounded(v: int) -> int:
        return ((v + 2**15) >> 16) % naive.MODULUS

    with running():
        sfix.round_nearest = True
        sfix.set_precision(16, 47)
        left, right = sfix._new(sint(x)), sfix._new(sint(y))
        assert opened((left * right).v) == [rounded(a * b) for a, b in pairs]
        assert opened(left.dot(right).v) == [rounded(sum(a * b for a, b in pairs))]
        assert opened(sfix.dot_product(left, right).v) == [rounded(sum(a * b for a, b in pairs))]


@given(a=small, b=small)
def test_public_fixed_point_products_round_toward_zero(a: int, b: int) -> None:
    with running():
        product = cfix._new(cint(a)) * cfix._new(cint(b))
        magnitude = abs(a * b) >> 16
        assert opened(product.v) == [(magnitude if (a < 0) == (b < 0) else -magnitude) % naive.MODULUS]


def test_neutral_elements_are_what_mp_spdz_makes_of_them() -> None:
    with running():
        s = sint(7)
        assert s + 0 is s
        assert s * 1 is s
        assert s * 0 == 0
        assert isinstance(s * 0, int)


def test_update_replaces_the_value_for_all_names_of_it() -> None:
    with running():
        x = sint([1, 2])
        y, part = x, x + sint(0)
        x.update(x * 2)
        assert opened(y) == [2, 4]
        assert opened(part) == [1, 2]


def test_precision_belongs_to_the_run() -> None:
    with running():
        sfix.set_precision(8, 30)
        sfix.round_nearest = True
        assert (sfix.f, sfix.k, cfix.f) == (8, 30, 16)
    with running():
        assert (sfix.f, sfix.k, sfix.round_nearest) == (16, 31, False)


def test_gate_sites_belong_to_other_engines() -> None:
    with pytest.raises(PlanError, match="HINGE/csa"):
        ClearMachine({}, {}, AdditiveErrorPlan.from_errors([AdditiveError("HINGE/csa", 0, 0, 1)]))
