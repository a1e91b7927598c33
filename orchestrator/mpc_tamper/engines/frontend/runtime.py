"""What one execution of a program carries along: its machine, precisions and open branches.

A context variable holds it, because the program's names (sint, print_ln, ...) take no such argument, and because
three parties may run in three threads of one process.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.frontend.machine import ClientMachine, Machine

BIT_LENGTH = 63  # MP-SPDZ's default for comparisons in Z_2^64


@dataclass(frozen=True)
class Precision:
    """f fraction bits of k bits in all; MP-SPDZ's initial values."""

    f: int = 16
    k: int = 31


@dataclass
class Runtime:
    """tape: the thread that the program would be in, of `tapes`.  open_branches: conditions of @if_e without @else_.
    checked_bodies, watched_bodies: code of loops and branches whose assignments were checked, whose first run was
    watched.  depth: how many of them are running, one inside the other.
    """

    machine: Machine[Any]
    args: tuple[str, ...] = ()
    bit_length: int = BIT_LENGTH
    fixed: dict[str, Precision] = field(default_factory=lambda: {"sfix": Precision(), "cfix": Precision()})
    round_nearest: bool = False
    tape: int = 0
    tapes: int = 1
    open_branches: list[bool] = field(default_factory=list)
    checked_bodies: set[CodeType] = field(default_factory=set)
    watched_bodies: set[CodeType | None] = field(default_factory=set)
    depth: int = 0


_current: ContextVar[Runtime] = ContextVar("runtime")


def runtime() -> Runtime:
    return _current.get()


def machine() -> Machine[Any]:
    return _current.get().machine


def client_machine() -> ClientMachine[Any]:
    found = machine()
    if not isinstance(found, ClientMachine):
        raise EngineUnavailable(
            "expected an engine with clients outside the servers, got one without: use --engine rep3 or mp-spdz"
        )
    return found


def enter(state: Runtime) -> Any:
    """Make `state` the current one; give what is returned to leave()."""
    return _current.set(state)


def leave(token: Any) -> None:
    _current.reset(token)
