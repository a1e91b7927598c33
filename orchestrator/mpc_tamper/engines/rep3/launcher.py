"""This Python process's fork server (fork_server.py): started once, it forks three parties for each run.

Whatever ends this process ends the server, and whatever ends a run ends that run's parties: both hang on sockets and
pipes whose other ends only this process holds. The server says what it does. If it owes an answer and is silent for too
long, such as in a library that hangs, it is ended and the run fails.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import logging
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from mpc_tamper.core.errors import PartyError
from mpc_tamper.core.files import private
from mpc_tamper.core.notices import notice
from mpc_tamper.engines.kernels.elsewhere import COMPILING, what_is_compiled
from mpc_tamper.engines.offspring import Offspring
from mpc_tamper.engines.rep3.silence import TICK_SECONDS, Silence, seconds_of_a_session_without_processor

_LOG = logging.getLogger(__name__)
_SERVER = "mpc_tamper.engines.rep3.fork_server"
_SECONDS_TO_END = 2.0  # for the server to kill and reap what it has started
# For the server between two signs of life, the longest of which is to have a module of kernels compiled, half a minute.
# Longer than that may wait for another process that compiles the same (kernels/compilation.py), or on a slow machine.
SILENT_SECONDS = 180.0
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets in a program is the same at all parties
    # A proof makes and drops vectors of some MB all the time. Huge pages, and giving memory back to the system to have
    # it zeroed again, took more than a third of its time. Shares of rows have huge pages (engines/huge_pages.py).
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824",
}
# A process that forks must have a single thread, so the server's BLAS may not start any. No party multiplies floats.
_SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Launcher:
    """kernels: modules of compiled kernels that parties have used, to be loaded before the next ones are forked."""

    def __init__(self) -> None:
        self.kernels: set[str] = set()
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the server may write to it)
        self._control, theirs = socket.socketpair()
        self._control.settimeout(TICK_SECONDS)
        try:
            with theirs:
                self._offspring = Offspring(
                    _SERVER,
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    environment={**_SINGLE_THREADED, **ENVIRONMENT},
                    stdin=subprocess.DEVNULL,
                    stdout=self._errors,
                    stderr=self._errors,
                    cwd="/",  # or it would keep the working folder from being removed
                    start_new_session=True,  # an interrupt reaches this process alone, which then ends the parties
                )
        except BaseException:
            self._control.close()
            raise
        _LOG.debug("a server of party processes started: process %d", self.pid)
        self._unanswered = 0
        self._said, self._doing = b"", "starting"
        self._silence = Silence(functools.partial(seconds_of_a_session_without_processor, self.pid))

    @property
    def pid(self) -> int:
        return self._offspring.process.pid

    def lives(self) -> bool:
        return self._offspring.process.poll() is None

    def load(self, protocol: str, kernels: Collection[str]) -> None:
        """Begin to load what the next run is going to need, before it is known whether it can start."""
        self._send({"protocols": [protocol], "kernels": sorted(kernels)}, [])

    def start(
        self,
        configs: Sequence[Path],
        listeners: Sequence[socket.socket],
        logs: Sequence[Path],
        alive_fd: int,
        progress_fd: int,
    ) -> Parties:
        """Fork parties 0, 1 and 2. alive_fd: the end to read of a pipe that closes when they are to die."""
        ours, theirs = socket.socketpair()
        parties = Parties(self, ours)
        request = {
            "kernels": sorted(self.kernels),
            "configs": [str(config.resolve()) for config in configs],
            "folder": os.getcwd(),
            "environment": {**os.environ, **ENVIRONMENT},
        }
        try:
            with theirs, contextlib.ExitStack() as stack:
                outputs = [stack.enter_context(open(log, "wb", opener=private)).fileno() for log in logs]
                fds = [listener.fileno() for listener in listeners]
                self._send(request, [theirs.fileno(), alive_fd, progress_fd, *fds, *outputs])
        except BaseException:
            parties.close()
            raise
        return parties

    def check(self) -> None:
        """Every TICK_SECONDS while there is no news of a run. Raises PartyError if the server has ended or hangs."""
        with self._lock:
            self._listen()
            if self._unanswered:
                self._check_silence()
        if not self._unanswered:
            self._send({"kernels": []}, [])  # whether it is still there

    def kill(self) -> None:
        """At once, and the parties that it has started with it (fork_server.py)."""
        self._control.close()
        self._offspring.kill()

    def failure(self) -> PartyError:
        """Why it has ended, in its own last words."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._offspring.process.wait(_SECONDS_TO_END)
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
        return PartyError(
            "expected the process that starts the parties to live, got its end with exit code "
            f"{self._offspring.process.returncode}: {last}; no result was written, run it again"
        )

    def forget(self) -> None:
        """In a fork of this process: the server is the parent's."""
        self._control.close()
        self._offspring.let_go()
        self._errors.close()

    def _send(self, message: Mapping[str, Any], fds: Sequence[int]) -> None:
        body = json.dumps(message).encode()
        try:
            with self._lock:
                self._listen()
                if not self._unanswered:
                    self._silence.broken()
                self._unanswered += 1
                header = len(body).to_bytes(8, "little")
                self._when_it_reads(lambda: socket.send_fds(self._control, [header], fds))
                unsent = memoryview(body)
                while unsent:
                    unsent = unsent[self._when_it_reads(functools.partial(self._control.send, unsent)) :]
        except OSError as exc:
            raise self.failure() from exc
        except BaseException:  # an interrupt may have left half a message behind
            self.kill()
            raise

    def _when_it_reads(self, send: Callable[[], int]) -> int:
        """How many bytes were sent. A server that is busy reads nothing, and there may be no room for them yet."""
        while True:
            try:
                return send()
            except TimeoutError:
                self._listen()
                self._check_silence()

    def _listen(self) -> None:
        """Take in what the server has said of itself: what it does, and an empty line after each request."""
        while wait_for_news(self._control.fileno(), seconds=0):
            said = self._control.recv(1 << 12)
            if not said:
                raise self.failure()
            *lines, self._said = (self._said + said).split(b"\n")
            for line in lines:
                self._unanswered -= not line
                self._doing = line.decode() or "waiting for work"
                if self._doing.startswith(COMPILING):
                    notice(what_is_compiled(self._doing.removeprefix(COMPILING)))
            self._silence.broken()

    def _check_silence(self) -> None:
        if self._silence.lasts() > SILENT_SECONDS:
            self.kill()
            raise PartyError(
                f"expected the process that starts the parties to go on, got no sign of it for {SILENT_SECONDS:g} s; "
                f"the last one was: {self._doing}; it was ended and no result was written: run it again"
            )


class Parties:
    """The three processes of a run; none outlives the block.

    pids: by party id, known once they are forked.  exit_codes: of those that have ended, -n for one that signal n
    killed.
    """

    def __init__(self, launcher: Launcher, control: socket.socket) -> None:
        self.pids: dict[int, int] = {}
        self.exit_codes: dict[int, int] = {}
        self._launcher = launcher
        self._control = control
        self._received = b""

    def fileno(self) -> int:
        """Readable when there is news for update()."""
        return self._control.fileno()

    @property
    def running(self) -> list[int]:
        return [party for party in range(3) if party not in self.exit_codes]

    def update(self, seconds: float) -> None:
        """Take in what the server reports within that time. Raises PartyError if it is gone."""
        if wait_for_news(self, seconds=seconds) and not self._receive():
            raise self._launcher.failure()

    def check(self) -> None:
        """Every TICK_SECONDS without news. Raises PartyError if the server has ended or hangs."""
        self._launcher.check()

    def close(self) -> None:
        """Kill those that run, and wait until they are gone."""
        try:
            if self.running:
                self._end_all()
        finally:
            self._control.close()

    def __enter__(self) -> Parties:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _end_all(self) -> None:
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        self._control.settimeout(_SECONDS_TO_END)
        try:
            while self._receive():
                pass
        except TimeoutError:
            self._launcher.kill()  # it is busy, such as compiling kernels
        for party in self.running if not self._launcher.lives() else []:
            if party in self.pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pids[party], signal.SIGKILL)

    def _receive(self) -> bool:
        """One piece of news or more; False when the server has closed its end."""
        try:
            data = self._control.recv(1 << 16)
        except ConnectionError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            news = json.loads(line)
            if "error" in news:
                raise PartyError(f"the parties could not be started: {news['error']}; free some, and run it again")
            if "pid" in news:
                self.pids[news["party"]] = news["pid"]
            else:
                self.exit_codes[news["party"]] = news["exit_code"]
        return bool(data)


class _Current:
    """The one server of this process: how long it lives is the process's affair, not that of any run or engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._launcher: Launcher | None = None

    def get(self) -> Launcher:
        with self._lock:
            if self._launcher is None or not self._launcher.lives():
                self._launcher = Launcher()
            return self._launcher

    def end(self) -> None:
        if self._launcher is not None:
            self._launcher.kill()
            self._launcher = None

    def forget(self) -> None:
        if self._launcher is not None:
            self._launcher.forget()
        self._launcher = None
        self._lock = threading.Lock()  # another thread of the parent may hold the old one


_current = _Current()
atexit.register(_current.end)
os.register_at_fork(after_in_child=_current.forget)


def get_launcher() -> Launcher:
    """This process's, started if there is none; it imports what parties need while the caller goes on."""
    return _current.get()


def wait_for_news(*sources: Parties | int, seconds: float | None = None) -> bool:
    """Whether one of these can be read within that time; for ever if there is none."""
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
