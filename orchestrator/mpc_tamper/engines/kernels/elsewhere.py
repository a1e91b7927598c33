"""Kernels that are not on disk yet are compiled in processes of their own, and found on disk from then on.

A compiler takes hundreds of megabytes of memory, which a process that compiles never gives back: a party, and all
parties that are forked from one server, would have them to the end. Not by a fork: who needs kernels may have threads,
and sockets that nobody else may keep open.

There are two such processes where there is room for them. They go through the modules from both ends, and what one of
them compiles the other loads (compilation.py).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.memory import available_bytes
from mpc_tamper.core.notices import notice
from mpc_tamper.engines.kernels.compilation import compiles_into, kept_whole, short_name, without_scipy
from mpc_tamper.engines.kernels.threads import all_cores
from mpc_tamper.engines.offspring import Offspring

Say = Callable[[str], None]
COMPILING = "compiling the kernels "
_BYTES = 1 << 30  # for each of two compilers
_ALL = b"\n"  # what one of them says when all modules are compiled, whatever the other one does


def what_is_compiled(name: str) -> str:
    """In a line: a first run takes a minute or two longer."""
    return f"{COMPILING}{name}, once for all runs"


def notify(name: str) -> None:
    """The usual Say."""
    notice(what_is_compiled(name))


def compile_missing(modules: Sequence[str], say: Say = notify) -> None:
    """Have other processes import those of these modules that are to be compiled and kept. They end with this one.

    say: told the name of each module that one of them comes to, without its package.

    Nothing is compiled where no process can be had, or where they end with an error: then the import of the modules
    compiles them here, and meets the error. Raises EngineUnavailable if they were killed, as this one would be.
    """
    missing = [module for module in modules if module not in sys.modules and compiles_into(module) is not None]
    if not missing:
        return
    orders = [missing, missing[::-1]] if len(missing) > 1 and _two_have_room() else [missing]
    come_to: list[str] = []
    with _compilers(orders) as (compilers, lines):
        if _all_are_compiled(lines, come_to, say):
            return
        codes = [each.process.wait() for each in compilers]
    if min(codes, default=0) < 0:
        names = ", ".join(come_to[-1:] or map(short_name, missing))
        raise EngineUnavailable(
            f"expected to compile the kernels {names}, got the end of the process that compiles them by "
            f"{signal.Signals(-min(codes)).name}; free some memory, and run it again"
        )


@contextlib.contextmanager
def _compilers(orders: Sequence[Sequence[str]]) -> Iterator[tuple[list[Offspring], Iterable[bytes]]]:
    """Those that can be started, which end with this, and the lines that they say."""
    compilers: list[Offspring] = []
    try:
        names, told = os.pipe()
    except OSError:
        yield compilers, ()
        return
    try:
        with os.fdopen(names, "rb") as lines:
            with os.fdopen(told, "wb") as output, contextlib.suppress(OSError):
                for order in orders:
                    compilers.append(_compiler(order, output))
            yield compilers, lines
    finally:
        for each in compilers:
            each.kill()


def _all_are_compiled(lines: Iterable[bytes], come_to: list[str], say: Say) -> bool:
    """Whether one of them says so before all have ended. Adds the names that they say; each is told once."""
    for line in lines:
        if line == _ALL:
            return True
        name = line.decode().strip()
        if name not in come_to:
            say(name)
        come_to.append(name)
    return False


def _compiler(modules: Sequence[str], output: IO[bytes]) -> Offspring:
    return Offspring(
        __name__,
        *modules,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.DEVNULL,
        process_group=0,  # an interrupt reaches this process alone, which then ends the other
    )


def _two_have_room() -> bool:
    room = available_bytes(2)
    return all_cores() > 1 and (room is None or room >= _BYTES)


def main(_: str, *modules: str) -> None:
    """What that process does; it says on its standard output which module it has come to."""
    missing = list(modules)
    while missing:
        module = missing.pop(0)
        os.write(1, f"{short_name(module)}\n".encode())
        with without_scipy(), kept_whole(module):
            importlib.import_module(module)
        missing = [each for each in missing if compiles_into(each) is not None]  # the other one is at work too
    os.write(1, _ALL)
