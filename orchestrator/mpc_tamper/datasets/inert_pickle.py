"""Read a pickle as data, executing nothing.

CIFAR-10 is distributed as Python pickles, and unpickling runs whatever the file says. Here the opcodes are parsed by
pickletools.genops, which executes nothing, and evaluated over inert values: a global is its name, a call is a record
of function and arguments. Only the opcodes that the distribution and Python's own pickler (protocols 2 to 5) write
for dicts, lists, numbers, strings and arrays are known; any other is an error.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

from mpc_tamper.core.errors import DataError

_MARK = object()

_NUMBERS = frozenset({"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"})
_TEXTS = frozenset({"SHORT_BINSTRING", "BINSTRING", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"})
_BYTES = frozenset({"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"})
_LITERALS = _NUMBERS | _TEXTS | _BYTES
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Global:
    """A name that unpickling would have imported."""

    module: str
    name: str


@dataclass
class Call:
    """A call that unpickling would have made, and the state it would have set."""

    function: Any
    arguments: Any
    state: Any = None


def read_inert(content: bytes, source: str) -> Any:
    """The value that the pickle describes, with Global and Call where it would have imported and called.

    Raises DataError for anything but the opcodes of plain data and arrays.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.step(opcode.name, argument)
        return machine.result()
    except Exception as exc:  # a damaged file can bring pickletools to raise whatever its parts raise
        raise DataError(
            f"{source}: expected a pickle of plain data and arrays, got one that does not read so "
            f"({exc or type(exc).__name__}); download it again"
        ) from exc


class _Machine:
    """The unpickler's stack and memo, over inert values."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._stopped = False

    def result(self) -> Any:
        if not self._stopped or len(self._stack) != 1:
            raise ValueError("it has no single value")
        return self._stack[0]

    def step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(self._top(_TUPLES[name]))]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name == "STOP":
            self._stopped = True
        elif name not in ("PROTO", "FRAME"):
            self._container_or_call(name, argument)

    def _container_or_call(self, name: str, argument: Any) -> None:
        stack = self._stack
        match name:
            case "MARK":
                stack.append(_MARK)
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_TUPLE":
                stack.append(())
            case "LIST":
                stack.append(self._pop_marked())
            case "TUPLE":
                stack.append(tuple(self._pop_marked()))
            case "DICT":
                stack.append(_pairs(self._pop_marked()))
            case "APPEND":
                item = stack.pop()
                _of(list, stack[-1]).append(item)
            case "APPENDS":
                items = self._pop_marked()
                _of(list, stack[-1]).extend(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _of(dict, stack[-1])[key] = value
            case "SETITEMS":
                items = self._pop_marked()
                _of(dict, stack[-1]).update(_pairs(items))
            case "GLOBAL":
                module, attribute = argument.split(" ", 1)
                stack.append(Global(module, attribute))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(Global(module, attribute))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_called(function, arguments))
            case "BUILD":
                state = stack.pop()
                _of(Call, stack[-1]).state = state
            case _:
                raise ValueError(f"opcode {name}")

    def _top(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("its stack runs empty")
        return self._stack[-count:]

    def _pop_marked(self) -> list[Any]:
        """The values above the last mark, removed with it."""
        for position in range(len(self._stack) - 1, -1, -1):
            if self._stack[position] is _MARK:
                items = self._stack[position + 1 :]
                del self._stack[position:]
                return items
        raise IndexError("its stack has no mark")


def _called(function: Any, arguments: Any) -> Any:
    """A record of the call, except for the one that Python 3 writes for bytes at protocol 2: its value."""
    match function, arguments:
        case Global("_codecs", "encode"), (str(text), "latin1"):
            return text.encode("latin-1")
        case _:
            return Call(function, arguments)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected, got {type(value).__name__}")
    return value
