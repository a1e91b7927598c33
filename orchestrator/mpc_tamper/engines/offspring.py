"""Processes that run a module of this package and end with the process that started them, whatever ends that one.

python -P offspring.py ALIVE_FD PACKAGE_FOLDER MODULE ARGUMENTS...

One that is stuck in a library, or stopped, is killed by the system all the same when the pipe ALIVE_FD closes, which it
does when the process at its other end has gone. What is run is MODULE.main(ALIVE_FD, ARGUMENTS...) of the package that
started it, whatever else of its name stands on the search path; nothing is imported from the working folder.
"""

from __future__ import annotations

import fcntl
import importlib
import importlib.util
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[1]
_SEARCH_PATH = "PYTHONPATH"
_FOLDERS = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR")  # where compiled kernels may be kept


class Offspring:
    """environment: what is added to this process's.  options: of subprocess.Popen."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        pass_fds: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        alive, lifeline = os.pipe()
        self._lifeline: int | None = lifeline  # closes with this process
        try:
            with os.fdopen(alive, "rb"):
                self.process: subprocess.Popen[bytes] = subprocess.Popen(
                    [sys.executable, "-P", __file__, str(alive), str(_PACKAGE), module, *arguments],
                    env={**_environment(), **(environment or {})},
                    pass_fds=(alive, *pass_fds),
                    **options,
                )
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """It ends, unless this process is a fork of the one that started it."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def kill(self) -> None:
        """At once; it has gone when this returns."""
        self.let_go()
        self.process.kill()
        self.process.wait()


def _environment() -> dict[str, str]:
    """This process's, for one whose working folder may be another: folders are those that this process means.

    PYTHONPATH is without empty entries: the working folder, whose modules are not to be run.
    """
    environment = dict(os.environ)
    entries = [os.path.abspath(entry) for entry in environment.pop(_SEARCH_PATH, "").split(os.pathsep) if entry]
    folders = {name: os.path.abspath(environment[name]) for name in _FOLDERS if environment.get(name)}
    return environment | folders | ({_SEARCH_PATH: os.pathsep.join(entries)} if entries else {})


def _end_with_the_other_end_of(alive_fd: int) -> None:
    """Have the system kill this process when the other end of the pipe closes. SIGKILL does not wait for Python.

    A signal at the death of the parent would not do: it comes when the thread ends that started this process.
    """
    fcntl.fcntl(alive_fd, fcntl.F_SETOWN, os.getpid())
    if sys.platform == "linux":  # elsewhere the signal is SIGIO, which ends a process too, but for one that is stopped
        fcntl.fcntl(alive_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(alive_fd, fcntl.F_SETFL, fcntl.fcntl(alive_fd, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([alive_fd], [], [], 0)[0]:  # nobody ever writes to it: it closed before this
        os._exit(1)


def _import_from(package: Path) -> None:
    """Make mpc_tamper the package that the parent runs, whatever of that name stands on the search path."""
    spec = importlib.util.spec_from_file_location(
        "mpc_tamper", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package}: expected the package mpc_tamper")
    module = importlib.util.module_from_spec(spec)
    sys.modules["mpc_tamper"] = module
    spec.loader.exec_module(module)


def main(alive_fd: str, package: str, module: str, *arguments: str) -> None:
    _end_with_the_other_end_of(int(alive_fd))
    _import_from(Path(package))
    importlib.import_module(module).main(alive_fd, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
