"""Start three parties on this machine, wait, collect what they report."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core import errors
from mpc_tamper.core.errors import PartyError, PeerLost, TamperError
from mpc_tamper.engines.base import Capabilities, ClientConnection, Credentials, Engine, GateFlips
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.hosts import Address, Addresses, Host, Route
from mpc_tamper.engines.rep3.config import PartyConfig, parties_folder, report_file
from mpc_tamper.engines.rep3.run import PROTOCOLS, collect, prepare, read_report
from mpc_tamper.engines.rep3.transport.tls import listen
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

_HOST = "127.0.0.1"
_GRACE_SECONDS = 2.0  # for the other parties to notice a failure by themselves and say what they saw
_POLL_SECONDS = 0.02
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the order of sets in a program is the same at all parties
    # A proof makes and drops vectors of some MB all the time. Huge pages, and giving memory back to the system to have
    # it zeroed again, took more than a third of its time.
    "NUMPY_MADVISE_HUGEPAGE": "0",
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824",
}


@dataclass
class _Process:
    party_id: int
    popen: subprocess.Popen[bytes]
    log: Path


class Rep3Engine(Engine):
    """The embedded engine: three processes, replicated secret sharing over Z_2^64, TLS on loopback.

    insecure_fixed_seed makes all pads repeatable, for tests only; the parties' reports carry it.
    route: given where the parties listen, says where they reach each other while it lasts: a network between them.
    """

    name = EngineName.REP3
    capabilities = Capabilities(
        protocols=PROTOCOLS,
        gates=True,
        # Each session starts with fresh keys. In the active protocol every answer adds some 2^-47 to the session's
        # soundness error, which may not exceed 2^-40.
        queries={ProtocolName.RING: 10_000, ProtocolName.MAL_REP_RING: 100},
        anonymous_clients=True,
        client_rows=True,
    )

    def __init__(self, *, insecure_fixed_seed: int | None = None, route: Route = contextlib.nullcontext) -> None:
        self._insecure_fixed_seed = insecure_fixed_seed
        self._route = route

    def run(self, spec: RunSpec, on_step: Callable[[str, int], None] | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        prepare(spec)
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(_listen(spec.port_base, i)) for i in range(PARTIES)]
            first, second, third = (Address(*listener.getsockname()) for listener in listeners)
            configs = self._configure(spec, stack.enter_context(self._route((first, second, third))))
            alive_read, alive_write = os.pipe()
            stack.callback(os.close, alive_write)
            processes = stack.enter_context(_killed_at_exit())
            progress = _Progress(on_step)
            stack.callback(progress.close)
            for config, listener in zip(configs, listeners, strict=True):
                processes.append(_start(config, spec.run_dir, listener, alive_read, progress.writer))
            os.close(alive_read)
            _wait(processes, spec.run_dir, progress)
        return collect(spec, range(PARTIES))

    def run_party(self, spec: RunSpec, host: Host) -> RunResult:
        from mpc_tamper.engines.rep3.single_party import run_on_this_host

        return run_on_this_host(spec, host)

    def connect(self, addresses: Addresses, credentials: Credentials, *, timeout_seconds: float) -> ClientConnection:
        from mpc_tamper.engines.rep3.clients.client import connect

        return connect(addresses, credentials, timeout_seconds=timeout_seconds)

    def seeded(self, insecure_fixed_seed: int) -> Rep3Engine:
        return Rep3Engine(insecure_fixed_seed=insecure_fixed_seed, route=self._route)

    def routed(self, route: Route) -> Rep3Engine:
        return Rep3Engine(insecure_fixed_seed=self._insecure_fixed_seed, route=route)

    def gate_flips(self) -> GateFlips:
        from mpc_tamper.engines.rep3.gate_flips import ComparisonFlips

        return ComparisonFlips()

    def _configure(self, spec: RunSpec, addresses: Addresses) -> list[Path]:
        """Certificates, and a config file for each party."""
        folder = parties_folder(spec.run_dir)
        keys, (first, second, third) = zip(*(make_certificate(i, folder) for i in range(PARTIES)), strict=True)
        paths = []
        for i in range(PARTIES):
            config = PartyConfig.of(
                spec,
                i,
                addresses,
                keys[i],
                (first, second, third),
                connect_timeout_seconds=spec.timeout_seconds,
                insecure_fixed_seed=self._insecure_fixed_seed,
            )
            paths.append(folder / f"party{i}.json")
            config.write(paths[-1])
        return paths


class _Progress:
    """A pipe on which party 0 says how far it is."""

    def __init__(self, on_step: Callable[[str, int], None] | None) -> None:
        self._on_step = on_step
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self.writer, False)

    def pump(self, seconds: float) -> None:
        """Wait up to `seconds` for news and pass on the latest."""
        if select.select([self._reader], [], [], seconds)[0]:
            lines = os.read(self._reader, 1 << 16).decode().splitlines()
            if self._on_step is not None and lines:
                site, occurrence = lines[-1].split()
                self._on_step(site, int(occurrence))

    def close(self) -> None:
        os.close(self._reader)
        os.close(self.writer)


def _listen(port_base: int | None, party_id: int) -> socket.socket:
    port = 0 if port_base is None else port_base + party_id
    return listen(party_id, Address(_HOST, port), "choose another --port-base, or leave it out")


def _start(config: Path, run_dir: Path, listener: socket.socket, alive_fd: int, progress_fd: int) -> _Process:
    party_id = int(config.stem.removeprefix("party"))
    report_file(run_dir, party_id).unlink(missing_ok=True)
    log = run_dir / f"party{party_id}.log"
    fds = {"--listen-fd": listener.fileno(), "--alive-fd": alive_fd}
    if party_id == 0:
        fds["--progress-fd"] = progress_fd
    command = [sys.executable, "-m", "mpc_tamper.engines.rep3.party", str(config)]
    command += [word for option, fd in fds.items() for word in (option, str(fd))]
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **_ENVIRONMENT},
            pass_fds=tuple(fds.values()),
            start_new_session=True,  # an interrupt reaches the engine alone, which then ends the parties
        )
    return _Process(party_id, popen, log)


@contextlib.contextmanager
def _killed_at_exit() -> Iterator[list[_Process]]:
    """A list of processes none of which outlives the block."""
    processes: list[_Process] = []
    try:
        yield processes
    finally:
        for process in processes:
            if process.popen.poll() is None:
                process.popen.kill()
        for process in processes:
            process.popen.wait()


def _wait(processes: list[_Process], run_dir: Path, progress: _Progress) -> None:
    """Until all have ended well. Raises the first cause as soon as one has not, after a moment of grace."""
    while any(p.popen.poll() is None for p in processes):
        if any(p.popen.poll() for p in processes):
            break
        progress.pump(_POLL_SECONDS)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(p.popen.poll() is None for p in processes):
        time.sleep(_POLL_SECONDS)
    failed = [p for p in processes if p.popen.poll()]
    if failed:
        hanging = [p.party_id for p in processes if p.popen.poll() is None]
        raise _first_cause([_failure(p, run_dir) for p in failed], hanging)


def _failure(process: _Process, run_dir: Path) -> TamperError:
    """Why a party ended badly: its own words, or its signal, or the last line of its log."""
    code = process.popen.returncode
    if code < 0:
        name = signal.Signals(-code).name
        return PeerLost(f"party {process.party_id} was killed by {name}; no result was written", process.party_id)
    report = read_report(run_dir, process.party_id)
    if "error" in report:
        kind = getattr(errors, report["error"], PartyError)
        message = f"{report['message']} (seen by party {process.party_id})"
        return kind(message, report["party"]) if issubclass(kind, PartyError) else kind(report["message"])
    said = process.log.read_text(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    return PartyError(f"party {process.party_id} ended with exit code {code}: {last}", process.party_id)


def _first_cause(failures: list[TamperError], hanging: Collection[int]) -> TamperError:
    """A party that was killed, before what was said of one that still hangs, before what the others said of themselves,
    before what they said of each other. hanging: parties that have not ended."""

    def rank(failure: TamperError) -> int:
        if "was killed by" in str(failure):
            return 0
        if isinstance(failure, PartyError) and failure.party in hanging:
            return 1
        return 3 if isinstance(failure, PeerLost) else 2

    return min(failures, key=rank)
