"""print_ln and its kin, crash and errors: what a program says, in MP-SPDZ's format."""

from __future__ import annotations

from typing import Any

from mpc_tamper.core.errors import ProgramCrash, ProgramError
from mpc_tamper.engines.frontend.runtime import machine
from mpc_tamper.engines.frontend.values.base import RunTime, read
from mpc_tamper.engines.frontend.values.public import public_int


def text(value: Any, *, conditional: bool = False) -> str:
    """One argument of print_str; conditional: of print_str_if, which MP-SPDZ prints in another way."""
    value = read(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(text(element, conditional=conditional) for element in value) + "]"
    return value._text(conditional) if isinstance(value, RunTime) else str(value)


def _format(template: Any, args: tuple[Any, ...], *, conditional: bool = False) -> str:
    parts = str(template).split("%s")
    if len(parts) != len(args) + 1:
        raise ProgramError(f"expected {len(parts) - 1} values for {template!r}, got {len(args)}")
    shown = [text(arg, conditional=conditional) for arg in args]
    return parts[0] + "".join(value + part for value, part in zip(shown, parts[1:], strict=True))


def print_str(template: Any, *args: Any, print_secrets: bool = False) -> None:
    if print_secrets:
        raise ProgramError("printing shares is not supported: reveal() the value first")
    machine().emit(_format(template, args))


def print_ln(template: Any = "", *args: Any, print_secrets: bool = False) -> None:
    print_str(str(template) + "\n", *args, print_secrets=print_secrets)


def print_str_if(condition: Any, template: str, *args: Any) -> None:
    # a condition known at compile time decides whether print_str is compiled
    formatted = _format(template, args, conditional=not isinstance(condition, int))
    if public_int(condition):
        machine().emit(formatted)


def print_ln_if(condition: Any, template: str, *args: Any) -> None:
    print_str_if(condition, template + "\n", *args)


def crash(condition: Any = None) -> None:
    """Ends the program in error, if the condition (default: true) holds."""
    if condition is None or public_int(condition):
        raise ProgramCrash("the program called crash()")


def runtime_error(message: str = "", *args: Any) -> None:
    formatted = _format(message, args)
    machine().emit(f"User exception: {formatted}\n")
    raise ProgramCrash(formatted)


def runtime_error_if(condition: Any, message: str = "", *args: Any) -> None:
    formatted = _format(message, args, conditional=not isinstance(condition, int))
    if public_int(condition):
        machine().emit(formatted + "\n")
        raise ProgramCrash(formatted)


def reveal(secret: Any) -> Any:
    return secret.reveal()
