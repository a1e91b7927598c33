"""Python state changed inside a run-time loop or branch.

MP-SPDZ runs the body of a loop once, when it compiles: a Python variable or list changed in it changes once, and not
in every round. Eager execution would change it every time. So it is refused: what the body can reach is compared
before and after its first run (reachable.py says what that is). Iterators hide how far they are, so a body may not
reach one at all. Of a body that never runs only the assignments are known, and refused.
"""

from __future__ import annotations

import dis
import operator
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from mpc_tamper.core.errors import CompileTimeState
from mpc_tamper.engines.frontend.reachable import MISSING, MODULE, Place, reachable
from mpc_tamper.engines.frontend.runtime import runtime

WAY_OUT = "use an Array, a MemValue or update() for what changes while the program runs"


def check_assignments(body: Callable[..., Any]) -> None:
    """Raises CompileTimeState for a body that assigns a global or enclosing variable, whether it runs or not."""
    checked = runtime().checked_bodies
    if not isinstance(body, FunctionType) or body.__code__ in checked:
        return
    checked.add(body.__code__)
    stores = [(step.opname, step.argval) for step in dis.get_instructions(body)]
    outer = {name for kind, name in stores if kind == "STORE_GLOBAL"}
    outer |= {name for kind, name in stores if kind == "STORE_DEREF" and name in body.__code__.co_freevars}
    if outer:
        raise CompileTimeState(
            f"expected no assignment to {', '.join(map(repr, sorted(outer)))} in a run-time loop or branch, which "
            f"MP-SPDZ makes once when it compiles: {WAY_OUT}"
        )


class PythonState:
    """What a body reaches, as it was. Raises CompileTimeState where that includes an iterator."""

    def __init__(self, body: Callable[..., Any]) -> None:
        places = list(reachable(body))
        _refuse_iterators(body, places)
        self._watched = [(place, place.look()) for place in places if place.look is not None]

    def check(self) -> None:
        """Raises CompileTimeState, naming the first place that is not what it was."""
        for place, before in self._watched:
            changed = _difference(place.look(), before)  # type: ignore[misc]
            if changed is not None:
                raise CompileTimeState(
                    "expected no Python state to change in a run-time loop or branch, got a change of "
                    f"{place.name}{changed}{place.kind}: {WAY_OUT}"
                )


def _difference(now: Any, before: Any) -> str | None:
    """What changed, as a suffix, or None. Identity decides among elements: run-time values have no truth."""
    if isinstance(now, dict):
        names = (key for key in now.keys() | before.keys() if now.get(key, MISSING) is not before.get(key, MISSING))
        return next((f" {key!r}" for key in names), None)
    if isinstance(now, list):
        same = len(now) == len(before) and all(map(operator.is_, now, before))
    else:
        same = now == before
    return None if same else ""


def _refuse_iterators(body: Callable[..., Any], places: Iterable[Place]) -> None:
    """Of those below global variables, the ones whose variable the body names, itself or in functions it calls."""
    found = [place for place in places if isinstance(place.value, Iterator)]
    if not found:
        return
    functions = [place.value for place in places if isinstance(place.value, FunctionType) and place.variable is None]
    named = _global_names([function.__code__ for function in functions], getattr(body, "__globals__", {}))
    for place in found:
        if place.variable is None or place.variable in named:
            raise CompileTimeState(
                "expected no Python iterator in a run-time loop or branch, where MP-SPDZ would advance it once, got "
                f"{place.name} ({type(place.value).__name__}): make a list of it before, and {WAY_OUT}"
            )


def _global_names(codes: list[CodeType], variables: dict[str, Any]) -> set[str]:
    """The global variables that code reads, and those that functions and classes among them read."""
    names: set[str] = set()
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL" and step.argval not in names:
                names.add(step.argval)
                codes += _codes(variables.get(step.argval), variables)
    return names


def _codes(value: Any, variables: dict[str, Any]) -> list[CodeType]:
    kind = value if isinstance(value, type) else type(value)
    methods = vars(kind).values() if kind.__module__ == MODULE else ()
    return [f.__code__ for f in (value, *methods) if isinstance(f, FunctionType) and f.__globals__ is variables]
