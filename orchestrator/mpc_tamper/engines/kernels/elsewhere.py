"""Kernels that are not on disk yet are compiled in a process of their own, and found on disk from then on.

A compiler takes hundreds of megabytes of memory, which a process that compiles never gives back: a party, and all
parties that are forked from one server, would have them to the end. Not by a fork: who needs kernels may have threads,
and sockets that nobody else may keep open.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.notices import notice
from mpc_tamper.engines.kernels.compilation import compiled_once, compiles_into
from mpc_tamper.engines.offspring import Offspring

Say = Callable[[str], None]
COMPILING = "compiling the kernels "


def what_is_compiled(name: str) -> str:
    """In a line: a first run takes a minute or two longer."""
    return f"{COMPILING}{name}, once for all runs"


def notify(name: str) -> None:
    """The usual Say."""
    notice(what_is_compiled(name))


def compile_missing(modules: Sequence[str], say: Say = notify) -> None:
    """Have another process import those of these modules that are to be compiled and kept. It ends with this one.

    say: told the name of each module that it comes to, without its package.

    Nothing is compiled where no process can be had, or where it ends with an error: then the import of the modules
    compiles them here, and meets the error. Raises EngineUnavailable if the process was killed, as this would be.
    """
    missing = [module for module in modules if module not in sys.modules and compiles_into(module) is not None]
    if not missing:
        return
    try:
        compiler = Offspring(
            __name__,
            *missing,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # an interrupt reaches this process alone, which then ends the other
        )
    except OSError:
        return
    name = ", ".join(module.rpartition(".")[2] for module in missing)
    try:
        assert compiler.process.stdout is not None
        with compiler.process.stdout as names:
            for line in names:
                name = line.decode().strip()
                say(name)
        code = compiler.process.wait()
    finally:
        compiler.kill()
    if code < 0:
        raise EngineUnavailable(
            f"expected to compile the kernels {name}, got the end of the process that compiles them by "
            f"{signal.Signals(-code).name}; free some memory, and run it again"
        )


def main(_: str, *modules: str) -> None:
    """What that process does; it says on its standard output which module it has come to."""
    sys.modules["scipy"] = None  # type: ignore[assignment]  # Numba would import it (rep3/fork_server.py)
    for module in modules:
        os.write(1, f"{module.rpartition('.')[2]}\n".encode())
        with compiled_once(module):
            importlib.import_module(module)
