"""Start three parties on this machine, wait, collect what they report."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator import errors
from orchestrator.engines.frontend.program import Program, load_program
from orchestrator.engines.rep3 import kernels
from orchestrator.engines.rep3.config import PartyConfig, report_file
from orchestrator.engines.rep3.handshake import Session
from orchestrator.engines.rep3.transport.certificates import make_certificate
from orchestrator.engines.validation import validate
from orchestrator.errors import PartyError, PeerLost, PortInUse, TamperError
from orchestrator.records import PARTIES, Cost, EngineName, PartyReport, ProtocolName, RunResult, RunSpec, StepRecord

_HOST = "127.0.0.1"
_GRACE_SECONDS = 2.0  # for the other parties to notice a failure by themselves and say what they saw
_POLL_SECONDS = 0.02
_LOG_LINES = 5


@dataclass
class _Process:
    party_id: int
    popen: subprocess.Popen[bytes]
    log: Path


class Rep3Engine:
    """The embedded engine: three processes, replicated secret sharing over Z_2^64, TLS on loopback.

    insecure_fixed_seed makes all pads repeatable, for tests only; the parties' reports carry it.
    """

    name = EngineName.REP3
    protocols = frozenset({ProtocolName.RING})

    def __init__(self, *, insecure_fixed_seed: int | None = None) -> None:
        self._insecure_fixed_seed = insecure_fixed_seed

    def run(self, spec: RunSpec, on_step: Callable[[str, int], None] | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        program = load_program(spec.program)
        validate(spec, program)
        kernels.compile_all()
        spec.run_dir.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(_listen(spec.port_base, i)) for i in range(PARTIES)]
            configs = self._configure(spec, program, [listener.getsockname() for listener in listeners])
            alive_read, alive_write = os.pipe()
            stack.callback(os.close, alive_write)
            processes = stack.enter_context(_killed_at_exit())
            progress = _Progress(on_step)
            stack.callback(progress.close)
            for config, listener in zip(configs, listeners, strict=True):
                processes.append(_start(config, spec.run_dir, listener, alive_read, progress.writer))
            os.close(alive_read)
            _wait(processes, spec.run_dir, progress)
        return _collect(spec)

    def _configure(self, spec: RunSpec, program: Program, addresses: list[tuple[str, int]]) -> list[Path]:
        """Certificates, and a config file for each party."""
        folder = spec.run_dir / "parties"
        keys, certificates = zip(*(make_certificate(i, folder) for i in range(PARTIES)), strict=True)
        session = Session(secrets.token_hex(16), program.sha256(spec.args), spec.protocol)
        paths = []
        for i in range(PARTIES):
            inputs = spec.inputs.get(i)
            plan = None
            if spec.plan is not None and spec.corrupt_party == i:
                plan = folder / "additive_errors.txt"
                spec.plan.write(plan)
            config = PartyConfig(
                party_id=i,
                program=str(spec.program),
                args=spec.args,
                session=session,
                run_dir=str(spec.run_dir),
                key=str(keys[i]),
                certificates=(str(certificates[0]), str(certificates[1]), str(certificates[2])),
                addresses=(addresses[0], addresses[1], addresses[2]),
                timeout_seconds=spec.timeout_seconds,
                input_text=str(inputs.text) if inputs and inputs.text else None,
                input_binary=str(inputs.binary) if inputs and inputs.binary else None,
                shares_from=str(spec.shares_from) if spec.shares_from else None,
                plan=str(plan) if plan else None,
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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port = 0 if port_base is None else port_base + party_id
    try:
        listener.bind((_HOST, port))
    except (OSError, OverflowError) as exc:
        listener.close()
        raise PortInUse(
            f"party {party_id} cannot listen on {_HOST}:{port}: {exc}; choose another --port-base, or leave it out"
        ) from exc
    listener.listen(PARTIES)
    return listener


def _start(config: Path, run_dir: Path, listener: socket.socket, alive_fd: int, progress_fd: int) -> _Process:
    party_id = int(config.stem.removeprefix("party"))
    report_file(run_dir, party_id).unlink(missing_ok=True)
    log = run_dir / f"party{party_id}.log"
    fds = {"--listen-fd": listener.fileno(), "--alive-fd": alive_fd}
    if party_id == 0:
        fds["--progress-fd"] = progress_fd
    command = [sys.executable, "-m", "orchestrator.engines.rep3.party", str(config)]
    command += [word for option, fd in fds.items() for word in (option, str(fd))]
    with log.open("wb") as output:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
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
    failed = [p for p in processes if p.popen.poll() != 0]
    if failed:
        raise _first_cause([_failure(p, run_dir) for p in failed if p.popen.poll() is not None])


def _failure(process: _Process, run_dir: Path) -> TamperError:
    """Why a party ended badly: its own words, or its signal, or the end of its log."""
    code = process.popen.returncode
    if code < 0:
        name = signal.Signals(-code).name
        return PeerLost(f"party {process.party_id} was killed by {name}; no result was written", process.party_id)
    report = _read_report(report_file(run_dir, process.party_id))
    if "error" in report:
        kind = getattr(errors, report["error"], PartyError)
        message = f"{report['message']} (seen by party {process.party_id})"
        return kind(message, report["party"]) if issubclass(kind, PartyError) else kind(report["message"])
    tail = "\n".join(process.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
    return PartyError(f"party {process.party_id} ended with exit code {code}:\n{tail}", process.party_id)


def _first_cause(failures: list[TamperError]) -> TamperError:
    """A party that was killed, before what the others said of themselves, before what they said of each other."""

    def rank(failure: TamperError) -> int:
        if "was killed by" in str(failure):
            return 0
        return 2 if isinstance(failure, PeerLost) else 1

    return min(failures, key=rank)


def _read_report(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}


def _collect(spec: RunSpec) -> RunResult:
    reports = [_read_report(report_file(spec.run_dir, i)) for i in range(PARTIES)]
    parties = tuple(
        PartyReport(
            party_id=i,
            cost=Cost(**report["cost"]),
            steps=tuple(StepRecord(s, o, start, Cost(*cost)) for s, o, start, *cost in report["steps"]),
            peak_rss_bytes=report["peak_rss_bytes"],
        )
        for i, report in enumerate(reports)
    )
    binary = spec.run_dir / "Player-Data" / "Binary-Output-P0-0"
    output = np.fromfile(binary, "<i8").tolist() if binary.exists() else []
    return RunResult(spec, tuple(reports[0]["lines"]), tuple(output), parties)
