"""A command as a user starts it, under limits, and the processes that come of it.

Each command carries a marker in its environment, which whatever it starts inherits: so its processes are found in /proc
wherever they end up, orphans included. Linux only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MARKER = "MPC_TAMPER_FAULT"
COMMAND, FORK_SERVER, PARTY = "the command", "the fork server", "party "  # roles; a party's ends with its id
_POLL_SECONDS = 0.01
# Limits are set, and a terminal's dispositions of signals restored, by a process that then becomes the command.
_BECOME = """
import json, os, resource, signal, sys
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
for name, value in json.loads(sys.argv[1]).items():
    resource.setrlimit(getattr(resource, name), (value, value))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@dataclass(frozen=True)
class Launch:
    """words: of the command line after mpc-tamper.  module: what Python runs, with `before` ahead of the words.
    limits: RLIMIT_ names and values.  under: a command that starts it.  environment: in addition.
    """

    words: tuple[str, ...]
    module: str = "mpc_tamper.cli.main"
    before: tuple[str, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    under: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        become = [sys.executable, "-IS", "-c", _BECOME, json.dumps(dict(self.limits))]
        return [*self.under, *become, sys.executable, "-m", self.module, *self.before, *self.words]


class Running:
    """A command that has been started in a folder of its own; none of its processes outlives close().

    began: monotonic seconds.  A limit of the size of files does not touch what it prints, which goes to pipes.
    """

    def __init__(self, launch: Launch, folder: Path, marker: str) -> None:
        self._marker = f"{MARKER}={marker}".encode()
        temporary = folder.with_name("temporary")
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, MARKER: marker, "TMPDIR": str(temporary), **launch.environment}
        pipes = (os.pipe(), os.pipe())
        self._outputs = [reader for reader, _ in pipes]
        self._printed = [b"", b""]
        self.began = time.monotonic()
        try:
            self._process = subprocess.Popen(
                launch.command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=pipes[0][1],
                stderr=pipes[1][1],
                start_new_session=True,
            )
        finally:
            for reader, writer in pipes:
                os.set_blocking(reader, False)
                os.close(writer)

    @property
    def exit_code(self) -> int | None:
        """Negative where a signal killed the command."""
        return self._process.poll()

    @property
    def stdout(self) -> str:
        return self._read(0)

    @property
    def stderr(self) -> str:
        return self._read(1)

    def _read(self, which: int) -> str:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._outputs[which], 1 << 16):
                self._printed[which] += data
        return self._printed[which].decode(errors="replace")

    def processes(self) -> dict[int, str]:
        """Role by process id, of those that live."""
        own = self._process.pid
        return {pid: _role(pid, own) for pid in _alive() if pid == own or self._marker in _read(pid, "environ")}

    def pid_of(self, role: str) -> int | None:
        return next((pid for pid, found in self.processes().items() if found == role), None)

    def takes_signals(self) -> bool:
        """Whether the command has come as far as its own code: it catches SIGTERM, which plain Python does not."""
        for line in _read(self._process.pid, "status").splitlines():
            if line.startswith(b"SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
        return False

    def wait_for(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether it holds before that time is over and the command has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            if self.exit_code is not None or time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def wait_for_end(self, deadline: float) -> float | None:
        """When the last of its processes ended, in monotonic seconds; None where some live at the deadline."""
        while self.exit_code is None or self.processes():
            if time.monotonic() > deadline:
                return None
            time.sleep(_POLL_SECONDS)
        return time.monotonic()

    def close(self) -> None:
        for pid in self.processes():
            send(pid, signal.SIGKILL)
        self._process.wait()
        for reader in self._outputs:
            os.close(reader)


def send(pid: int, number: signal.Signals) -> bool:
    """Whether there was still such a process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def _alive() -> Sequence[int]:
    """Zombies do not count: only their parent can take them away."""
    found = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [pid for pid in found if (_read(pid, "stat").rpartition(b")")[2].split() or [b"Z"])[0] != b"Z"]


def _role(pid: int, command: int) -> str:
    name = _read(pid, "comm").decode(errors="replace").strip()
    if name.startswith("mpc-tamper-"):
        return PARTY + name[-1]
    if b"rep3.fork_server" in _read(pid, "cmdline"):
        return FORK_SERVER
    return COMMAND if pid == command else "another process"


def _read(pid: int, name: str) -> bytes:
    """Empty where the process has gone or is another user's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
