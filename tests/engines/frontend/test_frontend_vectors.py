"""Operators keep the size of a vector, whatever constant stands on the other side, for every type and operator."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from mpc_tamper.core.errors import TamperError
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.containers.array import Array
from mpc_tamper.engines.frontend.containers.memory import MemValue
from mpc_tamper.engines.frontend.runtime import Runtime, enter, leave
from mpc_tamper.engines.frontend.values.fixed import cfix, sfix
from mpc_tamper.engines.frontend.values.public import cint, regint
from mpc_tamper.engines.frontend.values.secret import sint

ELEMENTS = [3, 0, 1]
HOLDERS: dict[str, Callable[[Any], Any]] = {"a vector": lambda v: v, "MemValue": MemValue, "Array": Array.create_from}
CONSTANTS = (-1, 0, 1, 2, 0.0, 1.0, 0.75, 2.0**-40)
BINARY = (
    *(operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod, operator.pow),
    *(operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne),
)
METHODS = (
    *("bit_and", "bit_or", "bit_xor", "less_than", "greater_than", "equal", "min", "max", "mod2m", "right_shift"),
    *("zero_if_not",),
)


@pytest.fixture(autouse=True)
def _running() -> Any:
    token = enter(Runtime(ClearMachine({}, {})))
    sfix.set_precision(12, 40)
    cfix.set_precision(12, 40)
    sfix.round_nearest = True
    yield
    leave(token)


def vector(kind: Any) -> Any:
    return kind(cint(ELEMENTS)) if kind is regint else kind(ELEMENTS)


def sizes(kind: Any, make: Callable[[Any], Any], apply: Callable[[Any], Any]) -> int | None:
    """The size of what an operation makes of three elements; None where the language lacks it."""
    try:
        result = apply(make(vector(kind)))
    except (
        TypeError,
        AttributeError,
        ValueError,
        TamperError,
    ):  # not in the language, or a division by zero
        return None
    if result is NotImplemented:  # of a method
        return None
    return len(result) if hasattr(result, "__len__") else 1


def operations() -> dict[str, Callable[[Any], Any]]:
    found: dict[str, Callable[[Any], Any]] = {}
    for constant in CONSTANTS:
        for operation in BINARY:
            name = operation.__name__
            found[f"{name}(v, {constant})"] = lambda v, o=operation, c=constant: o(v, c)
            found[f"{name}({constant}, v)"] = lambda v, o=operation, c=constant: o(c, v)
            for kind in (cint, regint, sint, cfix, sfix):
                found[f"{name}(v, {kind.__name__}({constant}))"] = lambda v, o=operation, k=kind, c=constant: o(v, k(c))
                found[f"{name}({kind.__name__}({constant}), v)"] = lambda v, o=operation, k=kind, c=constant: o(k(c), v)
        for method in METHODS:
            found[f"v.{method}({constant})"] = lambda v, m=method, c=constant: getattr(v, m)(c)
        for other in CONSTANTS:
            found[f"v.if_else({constant}, {other})"] = lambda v, a=constant, b=other: v.if_else(a, b)
            found[f"v.cond_swap({constant}, {other})"] = lambda v, a=constant, b=other: v.cond_swap(a, b)[0]
    found |= {"-v": operator.neg, "abs(v)": abs, "~v": operator.invert, "v.square()": lambda v: v.square()}
    return found | {"v.bit_not()": lambda v: v.bit_not(), "v.reveal()": lambda v: v.reveal()}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("kind", [cint, regint, sint, cfix, sfix], ids=lambda kind: kind.__name__)
def test_a_vector_stays_one(kind: Any, holder: str) -> None:
    got = {name: sizes(kind, HOLDERS[holder], apply) for name, apply in operations().items()}
    assert {name: size for name, size in got.items() if size not in (None, len(ELEMENTS))} == {}
    assert sum(size is not None for size in got.values()) > 60, "the operators were looked at"


@pytest.mark.parametrize("kind", [cint, regint, sint])
@pytest.mark.parametrize("compare", [operator.eq, operator.ne])
def test_an_integer_is_not_compared_with_a_float(kind: Any, compare: Callable[[Any, Any], Any]) -> None:
    """Python would say False, or True, of which an if would not notice that it knows nothing."""
    for left, right in ((kind(3), 0.5), (0.5, kind(3))):
        with pytest.raises(TypeError, match="not supported between instances"):
            compare(left, right)


def test_a_vector_of_fixed_point_numbers_keeps_its_precision_too() -> None:
    x = sfix([1.5, -2.0], 30, 9)
    for result in (x * 0, x * 2.0**-30, x**0):
        assert (result.size, result.f, result.k) == (2, 9, 30)
    assert (x**0).reveal().v.v.tolist() == [1 << 9] * 2
