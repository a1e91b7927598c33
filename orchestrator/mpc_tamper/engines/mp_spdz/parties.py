"""Party processes: start them, follow what they print, and leave none behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mpc_tamper.core.errors import PeerTimeout
from mpc_tamper.engines.mp_spdz.transcript import Line, Transcript, without_inputs

_GRACE_SECONDS = 3.0  # for the other parties to notice a failure by themselves and say what they saw
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class PartyCommand:
    party_id: int
    words: Sequence[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class PartyEnd:
    """returncode: as in subprocess, negative for a signal.  stopped_by_us: after another party had failed."""

    party_id: int
    returncode: int
    stopped_by_us: bool
    transcript: Transcript
    peak_rss_bytes: int


@dataclass
class _Party:
    party_id: int
    popen: subprocess.Popen[str]
    readers: list[threading.Thread] = field(default_factory=list)
    output: list[Line] = field(default_factory=list)
    errors: list[Line] = field(default_factory=list)
    peak_rss_bytes: int = 0
    stopped_by_us: bool = False
    reported: int = 0

    def news(self) -> list[Line]:
        """The lines of standard output since the last call."""
        lines = self.output[self.reported :]
        self.reported += len(lines)
        return lines

    def reap(self) -> bool:
        """Whether the process has ended; takes its exit code and peak memory the first time."""
        if self.popen.returncode is None:
            pid, status, usage = os.wait4(self.popen.pid, os.WNOHANG)
            if pid:
                self.popen.returncode = os.waitstatus_to_exitcode(status)
                self.peak_rss_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return self.popen.returncode is not None

    def kill(self) -> None:
        if not self.reap():
            self.stopped_by_us = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        while not self.reap():
            time.sleep(_POLL_SECONDS)
        for reader in self.readers:
            reader.join()

    def end(self) -> PartyEnd:
        transcript = Transcript(tuple(self.output), tuple(self.errors))
        return PartyEnd(self.party_id, self.popen.returncode, self.stopped_by_us, transcript, self.peak_rss_bytes)


def run_parties(
    commands: Sequence[PartyCommand],
    folder: Path,
    idle_seconds: float,
    on_output: Callable[[int, str], None] | None = None,
) -> list[PartyEnd]:
    """Run the commands in `folder` until all have ended, or one has failed and the others have had a moment to react.

    idle_seconds: PeerTimeout where no party computes or prints for so long.  on_output: called with party and line.
    """
    ends, timeout = run_while_alive(commands, folder, idle_seconds, on_output)
    if timeout is not None:
        raise timeout
    return ends


def run_while_alive(
    commands: Sequence[PartyCommand],
    folder: Path,
    idle_seconds: float,
    on_output: Callable[[int, str], None] | None = None,
) -> tuple[list[PartyEnd], PeerTimeout | None]:
    """As run_parties, but where nobody shows a sign of life, the ends come with the error: some may have been over."""
    timeout = None
    with _killed_at_exit() as parties:
        for command in commands:
            parties.append(_start(command, folder))
        try:
            _wait(parties, idle_seconds, on_output or _ignore)
        except PeerTimeout as exc:
            timeout = exc
    return [party.end() for party in parties], timeout


def _start(command: PartyCommand, folder: Path) -> _Party:
    popen = subprocess.Popen(
        list(command.words),
        cwd=folder,
        env=dict(command.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # an interrupt reaches the engine alone, which then ends the parties
        umask=0o077,  # what a party writes is for its owner alone
        preexec_fn=_die_with_parent,
    )
    party = _Party(command.party_id, popen)
    for stream, lines in ((popen.stdout, party.output), (popen.stderr, party.errors)):
        reader = threading.Thread(target=_read, args=(stream, lines), daemon=True)
        reader.start()
        party.readers.append(reader)
    return party


def _read(stream: IO[str], lines: list[Line]) -> None:
    for text in stream:
        lines.append(Line(time.monotonic(), without_inputs(text.rstrip("\n"))))
    stream.close()


@contextlib.contextmanager
def _killed_at_exit() -> Iterator[list[_Party]]:
    """A list of parties none of which outlives the block."""
    parties: list[_Party] = []
    try:
        yield parties
    finally:
        for party in parties:
            party.kill()


def _ignore(party_id: int, text: str) -> None:
    pass


def _wait(parties: Sequence[_Party], idle_seconds: float, on_output: Callable[[int, str], None]) -> None:
    last_sign, sign_at = _signs_of_life(parties), time.monotonic()
    while not all([party.reap() for party in parties]):
        if any(party.popen.returncode for party in parties):
            _wait_a_moment(parties)
            return
        for party in parties:
            for line in party.news():
                on_output(party.party_id, line.text)
        sign = _signs_of_life(parties)
        if sign != last_sign:
            last_sign, sign_at = sign, time.monotonic()
        elif time.monotonic() - sign_at > idle_seconds:
            raise _timeout([party for party in parties if not party.reap()], idle_seconds)
        time.sleep(_POLL_SECONDS)


def _timeout(waiting: Sequence[_Party], idle_seconds: float) -> PeerTimeout:
    suspended = [party.party_id for party in waiting if _state(party.popen.pid) == "T"]
    culprit = suspended[0] if suspended else None
    return PeerTimeout(
        f"expected a sign of life within {idle_seconds:g} s, got none from party "
        + " and ".join(str(party.party_id) for party in waiting)
        + ("" if culprit is None else f"; party {culprit} is suspended")
        + "; check the machine, or give more time with --timeout",
        culprit,
    )


def _wait_a_moment(parties: Sequence[_Party]) -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and not all([party.reap() for party in parties]):
        time.sleep(_POLL_SECONDS)


def _signs_of_life(parties: Sequence[_Party]) -> tuple[int, ...]:
    """Processor time and lines so far."""
    return tuple(n for p in parties for n in (_cpu_ticks(p.popen.pid), len(p.output) + len(p.errors)))


def _cpu_ticks(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the program's name; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _die_with_parent() -> None:
    """In the child: let the system end it if we end without a chance to do so ourselves."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
