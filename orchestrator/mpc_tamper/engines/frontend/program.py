"""Load a .mpc program and run it on a machine.

The program's text is trusted: it is Python, and runs with the rights of whoever starts it.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from mpc_tamper.core.errors import CompileTimeState, ProgramError, TamperError, UnsupportedName
from mpc_tamper.core.files import read_text_file
from mpc_tamper.engines.frontend import control
from mpc_tamper.engines.frontend.containers.array import Array
from mpc_tamper.engines.frontend.containers.matrix import Matrix, MultiArray
from mpc_tamper.engines.frontend.containers.memory import MemValue
from mpc_tamper.engines.frontend.io import clients, output
from mpc_tamper.engines.frontend.machine import Machine
from mpc_tamper.engines.frontend.python_state import WAY_OUT
from mpc_tamper.engines.frontend.reachable import MODULE
from mpc_tamper.engines.frontend.runtime import Runtime, enter, leave, runtime
from mpc_tamper.engines.frontend.values.base import INSTEAD, RunTime
from mpc_tamper.engines.frontend.values.fixed import cfix, sfix
from mpc_tamper.engines.frontend.values.public import cint, regint
from mpc_tamper.engines.frontend.values.secret import sint
from mpc_tamper.runs.protocols import PARTIES

log = logging.getLogger(__name__)
_QUOTED = re.compile(r"'([^']+)'")
_OWN_TYPES = re.compile(r"\b(sint|cint|regint|sfix|cfix|Array|Matrix|MultiArray|MemValue|Number)\b")


@dataclass(frozen=True)
class Program:
    """path: as given.  source: the text that runs."""

    path: Path
    source: str

    @cached_property
    def sites(self) -> Mapping[int, str]:
        """Timer numbers by name: NAME = 5 at module level, used as start_timer(NAME)."""
        tree = _parse(self)
        used = {
            call.args[0].id
            for call in ast.walk(tree)
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "start_timer"
            and call.args
            and isinstance(call.args[0], ast.Name)
        }
        named = [pair for statement in tree.body for pair in _int_assignments(statement) if pair[1] in used]
        sites: dict[int, str] = {}
        for number, name in named:
            if sites.setdefault(number, name) != name:
                raise ProgramError(
                    f"{self.path}: expected one name per timer, got {sites[number]} and {name} for {number}"
                )
        return sites

    def sha256(self, args: Sequence[str] = ()) -> str:
        """Of the source and the arguments; equal at all parties of a run."""
        digest = hashlib.sha256()
        for part in (self.source, *args):
            encoded = part.encode(errors="surrogateescape")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        return digest.hexdigest()


def load_program(path: Path) -> Program:
    """Raises DataError for a file that cannot be read, ProgramError for one that is no Python."""
    program = Program(path, read_text_file(path, "a readable .mpc program"))
    _parse(program)
    return program


def run_program(program: Program, args: Sequence[str], machine: Machine[Any]) -> None:
    """Run it to its end. Raises ProgramError and its kin with file and line, and whatever the machine raises."""
    code = compile(program.source, str(program.path), "exec", dont_inherit=True)
    state = Runtime(machine, (program.path.stem, *args))
    token = enter(state)
    try:
        exec(code, _namespace(program))
        if state.open_branches:
            raise ProgramError(f"{program.path}: expected @else_ after every @if_e, got the end of the program")
    except ProgramError as exc:
        raise _located(program, type(exc), str(exc), exc) from exc
    except TamperError:
        raise
    except NameError as exc:
        raise _unbound(program, exc) from exc
    except (Exception, SystemExit) as exc:
        if _in_machine(exc.__traceback__):
            raise
        if isinstance(exc, (TypeError, AttributeError)) and _OWN_TYPES.search(str(exc)):
            lacking = (
                f"{exc}: this is outside the part of MP-SPDZ that this engine runs; convert an operand, or {INSTEAD}"
            )
            raise _located(program, UnsupportedName, lacking, exc) from exc
        raise _located(program, ProgramError, f"{type(exc).__name__}: {exc}", exc) from exc
    finally:
        leave(token)


def _unbound(program: Program, exc: NameError) -> ProgramError:
    """A name that nobody knows, or a variable that is local to a body and has no value there."""
    named = _QUOTED.search(str(exc))
    name = exc.name or (named[1] if named else "a variable")
    if isinstance(exc, UnboundLocalError) or name in _assigned(program):
        return _located(
            program,
            CompileTimeState,
            f"expected a value in {name!r}, got none here: a variable that a function assigns is its own, unseen "
            "outside and without the value of an outer one. To carry a value out of the body of a loop or branch, "
            f"{WAY_OUT}",
            exc,
        )
    return _located(program, UnsupportedName, f"{name} is not known here; {INSTEAD}", exc)


def _assigned(program: Program) -> set[str]:
    """Names that the program itself assigns somewhere."""
    return {
        node.id for node in ast.walk(_parse(program)) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


class ProgramFacts(RunTime):
    """`program` in a .mpc file, and get_program()."""

    @property
    def args(self) -> list[str]:
        return list(runtime().args)

    @property
    def name(self) -> str:
        return runtime().args[0]

    @property
    def bit_length(self) -> int:
        return runtime().bit_length

    def set_bit_length(self, bit_length: int) -> None:
        if not 1 <= bit_length <= 63:
            raise ProgramError(f"expected a bit length from 1 to 63, got {bit_length}")
        runtime().bit_length = bit_length


def get_number_of_players() -> regint:
    return regint(PARTIES)


def compile_time_print(*values: Any, **_: Any) -> None:
    """Python's print belongs to compilation, not to the program's output."""
    log.info(" ".join(str(value) for value in values))


def _import(name: str, *args: Any, **kwargs: Any) -> Any:
    if name.split(".")[0] == "Compiler":
        raise UnsupportedName(f"import of {name} is outside the part of MP-SPDZ that this engine runs; {INSTEAD}")
    return builtins.__import__(name, *args, **kwargs)


def _namespace(program: Program) -> dict[str, Any]:
    names: dict[str, Any] = {
        "__name__": MODULE,
        "__file__": str(program.path),
        "__builtins__": {**vars(builtins), "__import__": _import, "print": compile_time_print},
        "program": ProgramFacts(),
        "get_program": ProgramFacts,
        "get_number_of_players": get_number_of_players,
        "break_point": lambda name="": None,
    }
    names |= {kind.__name__: kind for kind in (sint, cint, regint, sfix, cfix, Array, Matrix, MultiArray, MemValue)}
    for module, words in (
        (
            control,
            "for_range for_range_opt for_range_parallel for_range_multithread for_range_opt_multithread multithread "
            "while_do do_while break_loop if_ if_e else_ start_timer stop_timer",
        ),
        (clients, "listen_for_clients accept_client_connection client_present closeclientconnection"),
        (output, "print_ln print_str print_ln_if print_str_if crash runtime_error runtime_error_if reveal"),
    ):
        names |= {word: getattr(module, word) for word in words.split()}
    return names


def _located(program: Program, kind: type[ProgramError], message: str, cause: BaseException) -> ProgramError:
    """The error with the line of the program that was running."""
    line = _line(cause.__traceback__, str(program.path))
    return kind(f"{program.path}, line {line}: {message}" if line else f"{program.path}: {message}")


def _line(trace: TracebackType | None, filename: str) -> int:
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _in_machine(trace: TracebackType | None) -> bool:
    """Whether an engine's code below the front end raised: its fault, to be shown as it is."""
    frontend = __name__.rpartition(".")[0]
    engines = frontend.rpartition(".")[0]
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(f"{engines}.") and not module.startswith(f"{frontend}."):
            return True
        trace = trace.tb_next
    return False


def _parse(program: Program) -> ast.Module:
    try:
        return ast.parse(program.source, str(program.path))
    except (SyntaxError, ValueError) as exc:
        line = getattr(exc, "lineno", None) or 0
        raise ProgramError(f"{program.path}, line {line}: expected Python, got {exc}") from exc


def _int_assignments(statement: ast.stmt) -> list[tuple[int, str]]:
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return []
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = list(zip(target.elts, value.elts, strict=False))
    else:
        pairs = [(target, value)]
    return [
        (number.value, name.id)
        for name, number in pairs
        if isinstance(name, ast.Name) and isinstance(number, ast.Constant) and type(number.value) is int
    ]
