"""The Python state that a function can reach: variables, containers, attributes, generators of random numbers.

Followed: the program's global variables, closures, defaults, what containers and instances hold, and the module-wide
generators of random and numpy.random. Run-time values are not Python state. Of other people's modules and instances
the public names count, so that what they cache for themselves does not; at most FOREIGN instances are followed.
"""

from __future__ import annotations

import hashlib
import random
import sys
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cached_property, partial
from types import BuiltinMethodType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from mpc_tamper.core import generators
from mpc_tamper.engines.frontend.values.base import RunTime

MODULE = "__mpc__"  # __module__ of classes that a program defines
MISSING = object()  # what an empty variable holds
FOREIGN = 10_000

_PLAIN = frozenset({int, float, complex, str, bool, bytes, type(None), range, slice})
_NUMPY_RANDOM = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)


@dataclass(frozen=True)
class Place:
    """Where state is.

    name, kind: for messages.  value: what is there.  variable: the global variable below which it lies, None for what
    the function itself holds.  look: what it is now: a dict or list, compared by identity of the elements, or anything
    with an equality; None where nothing can change.
    """

    name: str
    value: Any
    variable: str | None = None
    look: Callable[[], Any] | None = None
    kind: str = ""


def reachable(function: Callable[..., Any]) -> Iterator[Place]:
    """Breadth first, each object once, global variables before what they hold."""
    variables = getattr(function, "__globals__", {})
    yield Place("global variable", variables, look=lambda: dict(variables))
    if generators.are_own():
        yield Place("random", random, look=random.getstate, kind=" (its generator of random numbers)")
        yield Place("numpy.random", np.random, look=_numpy_random, kind=" (its generator of random numbers)")
    pending = deque([("the loop's body", function, None)])
    pending.extend((name, value, name) for name, value in list(variables.items()) if not name.startswith("__"))
    seen = {id(variables)}
    foreign = 0
    while pending:
        name, value, variable = pending.popleft()
        if type(value) in _PLAIN or isinstance(value, RunTime) or id(value) in seen:
            continue
        seen.add(id(value))
        foreign += _is_foreign(value)
        if foreign > FOREIGN and _is_foreign(value):
            continue
        for look, kind in _looks(value):
            yield Place(_variable_name(name, value), value, variable, look, kind)
        pending.extend((inner, held, variable) for inner, held in _held(name, value))


def _looks(value: Any) -> list[tuple[Callable[[], Any] | None, str]]:
    """How to look at what can change about a value, and its type, for messages."""
    kind = f" ({type(value).__name__})"
    if isinstance(value, dict):
        looks: list[tuple[Callable[[], Any] | None, str]] = [(lambda: dict(value), "")]
    elif isinstance(value, (list, set, deque)):
        looks = [(lambda: list(value), kind)]
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        looks = [(lambda: [value.shape, value.dtype, *value.flat], kind)]
    elif isinstance(value, (bytearray, array, np.ndarray)):
        looks = [(lambda: _digest(value), kind)]
    elif isinstance(value, random.Random) and not isinstance(value, random.SystemRandom):
        looks = [(value.getstate, kind)]
    elif isinstance(value, _NUMPY_RANDOM):
        looks = [(lambda: _numpy_state(value), kind)]
    elif isinstance(value, CellType):
        return [(lambda: [_content(value)], "")]
    elif isinstance(value, (Iterator, FunctionType)):
        looks = [(None, kind)]
    else:
        looks = []
    if _attributes(value) or hasattr(value, "__dict__"):
        looks.append((lambda: _attributes(value), ""))
    return looks


def _held(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, each with a name."""
    if isinstance(value, dict):
        yield from ((f"{name}[{key!r}]", held) for key, held in list(value.items()))
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from ((name, held) for held in list(value) if type(held) not in _PLAIN)
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield from ((name, held) for held in value.flat)
    elif isinstance(value, CellType):
        yield name, _content(value)
    elif isinstance(value, FunctionType):
        yield from zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        defaults = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        yield from ((f"default of {name}", default) for default in defaults)
        yield value.__module__, sys.modules.get(value.__module__)
    elif isinstance(value, partial):
        yield from ((name, held) for held in (value.func, value.args, value.keywords))
    elif isinstance(value, (MethodType, BuiltinMethodType)):
        yield name, value.__self__
        yield name, getattr(value, "__func__", None)
    elif isinstance(value, (staticmethod, classmethod)):
        yield name, value.__func__
    elif isinstance(value, property):
        yield from ((name, function) for function in (value.fget, value.fset))
    elif isinstance(value, _lru_cache_wrapper):
        yield name, value.__wrapped__
    if type(value).__module__ == MODULE:
        yield type(value).__name__, type(value)
    if not isinstance(value, ModuleType):
        yield from ((f"{name}.{attribute}", held) for attribute, held in _attributes(value).items())


def _attributes(value: Any) -> dict[str, Any]:
    """Attributes set on a function, instance, module or class of the program; slots too."""
    if isinstance(value, type) and value.__module__ != MODULE:
        return {}
    try:
        found = dict(vars(value))
    except TypeError:
        found = {}
    kind = type(value)
    if not isinstance(value, (type, ModuleType, FunctionType)):
        for slot in _slots(kind):
            if (held := getattr(value, slot, MISSING)) is not MISSING:
                found[slot] = held
    if isinstance(value, type) or kind.__module__ == MODULE:
        return {name: held for name, held in found.items() if not name.startswith("__")}
    return {
        name: held
        for name, held in found.items()
        if not name.startswith("_")
        and not isinstance(held, ModuleType)
        and not isinstance(getattr(kind, name, None), cached_property)
    }


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (slot for slot in ((slots,) if isinstance(slots, str) else slots) if not slot.startswith("__"))


def _is_foreign(value: Any) -> bool:
    ours = (dict, list, tuple, set, frozenset, np.ndarray, FunctionType, CellType, ModuleType, type)
    return not isinstance(value, ours) and type(value).__module__ != MODULE


def _variable_name(name: str, value: Any) -> str:
    return f"variable {name}" if isinstance(value, CellType) else name


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def _digest(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return value.shape, value.dtype.str, hashlib.blake2b(content.data).digest()
    return len(value), hashlib.blake2b(value).digest()


def _numpy_random() -> Any:
    return _plain(np.random.get_state(legacy=False))


def _numpy_state(source: Any) -> Any:
    if isinstance(source, np.random.RandomState):
        return _plain(source.get_state(legacy=False))
    return _plain((source.bit_generator if isinstance(source, np.random.Generator) else source).state)


def _plain(state: Any) -> Any:
    """Arrays as bytes, so that states have an equality."""
    if isinstance(state, Mapping):
        return tuple((name, _plain(value)) for name, value in state.items())
    return state.tobytes() if isinstance(state, np.ndarray) else state
