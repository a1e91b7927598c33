"""Python state changed inside a run-time loop or branch.

MP-SPDZ runs the body of a loop once, when it compiles: a Python variable or list changed in it changes once, and not
in every round. Eager execution would change it every time. So it is refused: what the body can reach is compared
before and after its first run. Of a body that never runs only the assignments are known, and refused.
"""

from __future__ import annotations

import dis
import operator
from collections.abc import Callable
from types import FunctionType
from typing import Any

from orchestrator.engines.frontend.runtime import runtime
from orchestrator.errors import CompileTimeState

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
    """The variables and containers that a function reaches: a flat copy of each, by name."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self._copies: list[tuple[str, Any, Any]] = []
        self._seen: set[int] = set()
        self._home = getattr(body, "__globals__", None)
        if self._home is not None:
            self._keep("global variable", self._home)
        self._visit("the loop's body", body)

    def check(self) -> None:
        """Raises CompileTimeState, naming the first variable or container that is not what it was."""
        for name, container, before in self._copies:
            changed = _changed(container, before)
            if changed is not None:
                raise CompileTimeState(
                    f"expected no Python state to change in a run-time loop or branch, got a change of {name}{changed}"
                    f": {WAY_OUT}"
                )

    def _keep(self, name: str, container: Any) -> None:
        if id(container) in self._seen:
            return
        self._seen.add(id(container))
        self._copies.append((name, container, _copy(container)))
        if isinstance(container, dict):
            for key, value in list(container.items()):
                if not (isinstance(key, str) and key.startswith("__")):
                    self._visit(f"{key}" if container is self._home else f"{name}[{key!r}]", value)
        else:
            for value in container:
                if type(value) not in _PLAIN:
                    self._visit(name, value)

    def _visit(self, name: str, value: Any) -> None:
        if isinstance(value, (list, dict, set, bytearray)):
            self._keep(name, value)
        elif isinstance(value, tuple):
            for element in value:
                self._visit(name, element)
        elif isinstance(value, FunctionType):
            self._function(name, value)
        elif type(value).__module__ == "__mpc__" and hasattr(value, "__dict__"):
            self._keep(name, vars(value))

    def _function(self, name: str, function: FunctionType) -> None:
        if id(function) in self._seen or function.__globals__ is not self._home:
            return
        self._seen.add(id(function))
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if id(cell) not in self._seen:
                self._seen.add(id(cell))
                content = _cell(cell)
                self._copies.append((f"variable {variable}", cell, content))
                self._visit(variable, content)
        for default in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self._visit(f"default of {name}", default)


_EMPTY = object()
_PLAIN = frozenset({int, float, str, bool, bytes, type(None)})


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _EMPTY


def _copy(container: Any) -> Any:
    return dict(container) if isinstance(container, dict) else list(container)


def _changed(container: Any, before: Any) -> str | None:
    """What changed, as a suffix of the container's name, or None. Identity decides: run-time values have no truth."""
    if isinstance(container, dict):
        for key in container.keys() | before.keys():
            if container.get(key, _EMPTY) is not before.get(key, _EMPTY):
                return f" {key!r}"
        return None
    if isinstance(container, (list, set, bytearray)):
        now = list(container)
        same = len(now) == len(before) and all(map(operator.is_, now, before))
        return None if same else f" ({type(container).__name__})"
    return None if _cell(container) is before else ""
