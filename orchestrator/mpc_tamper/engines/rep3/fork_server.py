"""The fork server: imports what a party needs, once, and forks three parties for each run.

Over the control socket come protocols and kernels to load and runs to start, with the file descriptors of each run: its
own socket, the pipes alive and progress, three listeners, three logs. Back go lines that say what the server does, an
empty one when it has done what was asked for; so silence means that it hangs. Over a run's socket go its process ids
and exit codes; when the engine closes it, the run's parties are killed. When the control socket closes, all are, and
the server ends.

All this takes a server that listens. One that is stuck in a library, or stopped, is killed by the system all the same
when the command ends (offspring.py); and the parties are when the server ends.

Nothing random is drawn before a fork: keys, pads and TLS come from the system's generator, and the libraries' own
generators see that the process is another one.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from mpc_tamper.engines.kernels.compilation import without_scipy
from mpc_tamper.engines.kernels.elsewhere import COMPILING
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.party import run_as_process
from mpc_tamper.engines.rep3.protocol import selection

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
        compile_kernels: Callable[[list[str], Callable[[str], None]], None],
        load_kernels: Callable[[list[str]], None],
    ) -> None:
        self._control = control
        self._alive_fd = alive_fd
        self._run_party = run_party
        self._load_protocol = load_protocol
        self._compile_kernels = compile_kernels
        self._load_kernels = load_kernels
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
        names = request["kernels"]
        if names:
            compile_missing = functools.partial(self._compile_kernels, names, self._say_what_is_compiled)
            self._load(f"the kernels {', '.join(names)}", compile_missing)
        for name in names:
            self._load(f"the kernels {name}", functools.partial(self._load_kernels, [name]))
        if fds:
            self._say("starting the parties")
            self._start(request, fds)
        self._say("")

    def _load(self, what: str, load: Callable[[], None]) -> None:
        """A party that needs what cannot be loaded meets the error again."""
        self._say(f"loading {what}")
        with contextlib.suppress(Exception), without_scipy():
            load()

    def _say_what_is_compiled(self, name: str) -> None:
        self._say(f"{COMPILING}{name}")

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


def _end_with_the_server(server: int) -> None:
    """Have the system kill this process when the server, which has a single thread, ends. Linux only; elsewhere a party
    that is stuck outlives a server that was killed until it goes on and finds its pipe closed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:
        os._exit(1)


def _show_name(name: str) -> None:
    """In top and ps; Linux only."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


def main(alive_fd: str, control_fd: str) -> None:
    control = socket.socket(fileno=int(control_fd))
    loading = selection.load, kernels.compile_missing, kernels.load
    ForkServer(control, int(alive_fd), run_as_process, *loading).serve()
