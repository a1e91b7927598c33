"""The fork server: imports what a party needs, once, and forks three parties for each run.

python -P fork_server.py CONTROL_FD ALIVE_FD PACKAGE_FOLDER

Over the control socket come protocols and kernels to load and runs to start, with the file descriptors of each run: its
own socket, the pipes alive and progress, three listeners, three logs. Back go lines that say what the server does, an
empty one when it has done what was asked for; so silence means that it hangs. Over a run's socket go its process ids
and exit codes; when the engine closes it, the run's parties are killed. When the control socket closes, all are, and
the server ends.

All this takes a server that listens. One that is stuck in a library, or stopped, is killed by the system all the same
when the pipe ALIVE_FD closes, which it does when the command ends; and the parties are when the server ends.

Nothing random is drawn before a fork: keys, pads and TLS come from the system's generator, and the libraries' own
generators see that the process is another one.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import gc
import importlib.util
import json
import os
import select
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

_PARTIES = 3
_FDS = 3 + 2 * _PARTIES
_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass
class _Run:
    control: socket.socket
    parties: dict[int, int] = field(default_factory=dict)  # party ids of what lives, by process id

    def kill(self) -> None:
        for pid in self.parties:
            os.kill(pid, signal.SIGKILL)

    def tell(self, **news: Any) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(json.dumps(news).encode() + b"\n")


class ForkServer:
    """alive_fd: the parties close it.

    run_party: what a party's process does, given its config file and its descriptors; returns the exit code.
    """

    def __init__(
        self,
        control: socket.socket,
        alive_fd: int,
        run_party: Callable[[Path, int, int, int], int],
        load_protocol: Callable[[str], None],
        load_kernels: Callable[[list[str]], None],
        compiles: Callable[[str], bool],
    ) -> None:
        self._control = control
        self._alive_fd = alive_fd
        self._run_party = run_party
        self._load_protocol = load_protocol
        self._load_kernels = load_kernels
        self._compiles = compiles
        self._runs: list[_Run] = []
        self._selector = selectors.DefaultSelector()
        self._child_ended, self._wake_fd = os.pipe()
        for fd in (self._child_ended, self._wake_fd):
            os.set_blocking(fd, False)

    def serve(self) -> None:
        """Until the control socket closes."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_fd, warn_on_full_buffer=False)
        self._selector.register(self._control, selectors.EVENT_READ, self._take_request)
        self._selector.register(self._child_ended, selectors.EVENT_READ, self._reap)
        self._say("ready")
        try:
            while True:
                for key, _ in self._selector.select():
                    key.data()
        except EOFError:
            for run in self._runs:
                run.kill()

    def _take_request(self) -> None:
        header, fds, _, _ = socket.recv_fds(self._control, 8, _FDS)
        if not header:
            raise EOFError
        request = json.loads(self._read(int.from_bytes(header, "little")))
        for name in request.get("protocols", []):
            self._load(f"the protocol {name}", functools.partial(self._load_protocol, name))
        for name in request["kernels"]:
            self._load(f"the kernels {name}", functools.partial(self._load_module, name))
        if fds:
            self._say("starting the parties")
            self._start(request, fds)
        self._say("")

    def _load(self, what: str, load: Callable[[], None]) -> None:
        """A party that needs what cannot be loaded meets the error again."""
        self._say(f"loading {what}")
        with contextlib.suppress(Exception), _without_scipy():
            load()

    def _load_module(self, name: str) -> None:
        """What has to be compiled is compiled in another process first, and found on disk: what a compiler takes of
        memory, hundreds of megabytes, would be part of each party."""
        if self._compiles(name):
            self._elsewhere(functools.partial(self._load_kernels, [name]))
        self._load_kernels([name])

    def _elsewhere(self, work: Callable[[], None]) -> None:
        """In a process that ends when this is done, whatever came of it; not at all where the system has none."""
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            return
        if pid == 0:
            try:
                _end_with_the_server(server)
                work()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    def _say(self, line: str) -> None:
        """What it is about to do; an empty line when it has done what was asked for."""
        with contextlib.suppress(OSError):  # the command has gone
            self._control.sendall(line.encode() + b"\n")

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._control.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _start(self, request: dict[str, Any], fds: list[int]) -> None:
        control, *shared = fds
        run = _Run(socket.socket(fileno=control))
        server = os.getpid()
        gc.freeze()  # a party that collects garbage does not copy the pages of what was imported here
        try:
            for party in range(_PARTIES):
                pid = os.fork()
                if pid == 0:
                    self._become(party, run, request, shared, server)
                run.parties[pid] = party
                run.tell(party=party, pid=pid)
        except OSError as exc:
            run.tell(error=f"{exc.strerror}")
            run.kill()
        finally:
            for fd in shared:
                os.close(fd)
        self._runs.append(run)
        self._selector.register(run.control, selectors.EVENT_READ, run.kill)
        self._reap()

    def _become(self, party: int, run: _Run, request: dict[str, Any], shared: list[int], server: int) -> NoReturn:
        """The party's process: nothing of the server is left in it but what was imported."""
        code = 1
        try:
            _end_with_the_server(server)
            os.setsid()  # an interrupt reaches the engine alone
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            alive, progress, *rest = shared
            listener, log = rest[party], rest[_PARTIES + party]
            os.dup2(log, 1)
            os.dup2(log, 2)
            self._close_all(run, set(shared) - {alive, progress, listener})
            _show_name(f"mpc-tamper-{party}")
            os.chdir(request["folder"])
            os.environ.clear()
            os.environ.update(request["environment"])
            code = self._run_party(Path(request["configs"][party]), listener, alive, progress)
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _close_all(self, run: _Run, others: set[int]) -> None:
        self._selector.close()
        for sock in (self._control, run.control, *(other.control for other in self._runs)):
            sock.close()
        for fd in (self._alive_fd, self._child_ended, self._wake_fd, *others):
            os.close(fd)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._child_ended, 1 << 12)
        for run in list(self._runs):
            for pid, party in list(run.parties.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    del run.parties[pid]
                    run.tell(party=party, exit_code=os.waitstatus_to_exitcode(status))
            if not run.parties:
                self._runs.remove(run)
                self._selector.unregister(run.control)
                run.control.close()


def _end_with_the_command(alive_fd: int) -> None:
    """Have the system kill this process when the other end of the pipe closes. SIGKILL does not wait for Python.

    A signal at the death of the parent would not do: it comes when the thread ends that started this process.
    """
    fcntl.fcntl(alive_fd, fcntl.F_SETOWN, os.getpid())
    if sys.platform == "linux":  # elsewhere the signal is SIGIO, which ends a process too, but for one that is stopped
        fcntl.fcntl(alive_fd, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(alive_fd, fcntl.F_SETFL, fcntl.fcntl(alive_fd, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([alive_fd], [], [], 0)[0]:  # nobody ever writes to it: it closed before this
        os._exit(1)


def _end_with_the_server(server: int) -> None:
    """Have the system kill this process when the server, which has a single thread, ends. Linux only; elsewhere a party
    that is stuck outlives a server that was killed until it goes on and finds its pipe closed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)


@contextlib.contextmanager
def _without_scipy() -> Iterator[None]:
    """For the import of Numba, which looks for SciPy's BLAS, and of which no kernel multiplies floats.

    It costs time and memory, and where memory is limited its allocation of buffers tries again for ever.
    """
    hidden = "scipy" not in sys.modules
    if hidden:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["scipy"]


def _show_name(name: str) -> None:
    """In top and ps; Linux only."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def _import_from(package: Path) -> None:
    """Make mpc_tamper the package that the engine runs, whatever of that name stands on the search path."""
    spec = importlib.util.spec_from_file_location(
        "mpc_tamper", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{package}: expected the package mpc_tamper")
    module = importlib.util.module_from_spec(spec)
    sys.modules["mpc_tamper"] = module
    spec.loader.exec_module(module)


def main(control_fd: str, alive_fd: str, package: str) -> None:
    _end_with_the_command(int(alive_fd))
    _import_from(Path(package))
    from mpc_tamper.engines.rep3 import kernels, party
    from mpc_tamper.engines.rep3.protocol import selection

    control = socket.socket(fileno=int(control_fd))
    ForkServer(control, int(alive_fd), party.run_as_process, selection.load, kernels.load, kernels.compiles).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
