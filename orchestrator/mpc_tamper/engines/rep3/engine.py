"""Start three parties on this machine, wait, collect what they report."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType

from mpc_tamper.core import errors
from mpc_tamper.core.errors import PartyError, PeerLost, PeerTimeout, TamperError
from mpc_tamper.core.files import held, system_failure
from mpc_tamper.engines.base import (
    Capabilities,
    ClientConnection,
    Credentials,
    Engine,
    GateFlips,
    OnRemark,
    OnStep,
    PartyAlone,
)
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.frontend.program import load_program
from mpc_tamper.engines.hosts import Address, Addresses, Host, Route
from mpc_tamper.engines.kernels.threads import all_cores
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.config import EXIT_SYSTEM, REMARK, PartyConfig, parties_folder, report_file
from mpc_tamper.engines.rep3.launcher import Parties, get_launcher, wait_for_news
from mpc_tamper.engines.rep3.run import PROTOCOLS, collect, prepare, read_report
from mpc_tamper.engines.rep3.silence import TICK_SECONDS, Silence, seconds_without_processor
from mpc_tamper.engines.rep3.transport.tls import listen
from mpc_tamper.engines.run_log import logged
from mpc_tamper.engines.tampering import AuditedProtocol, Domain, Tampering
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

_HOST = "127.0.0.1"
_GRACE_SECONDS = 2.0  # for the other parties to notice a failure by themselves and say what they saw


class Rep3Engine(Engine):
    """The embedded engine: three processes, replicated secret sharing over Z_2^64, TLS on loopback.

    insecure_fixed_seed makes all pads repeatable, for tests only; the parties' reports carry it.
    route: given where the parties listen, says where they reach each other while it lasts: a network between them.
    """

    name = EngineName.REP3
    capabilities = Capabilities(
        protocols=PROTOCOLS,
        gates=True,
        # Each session starts with fresh keys. What grows with its length is the report, by four steps an answer; the
        # soundness error does not, as it is that of the worst batch (docs/security.md).
        queries={ProtocolName.RING: 10_000, ProtocolName.MAL_REP_RING: 10_000},
        serves_with=ProtocolName.MAL_REP_RING,
        budgets=True,
        most_together=64,
        anonymous_clients=True,
        client_rows=True,
        threads=True,
        memory=True,
    )

    def __init__(self, *, insecure_fixed_seed: int | None = None, route: Route = contextlib.nullcontext) -> None:
        self._insecure_fixed_seed = insecure_fixed_seed
        self._route = route

    @logged
    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        launcher = get_launcher()
        spec = self.with_threads(spec, otherwise=1)
        program = load_program(spec.program)
        launcher.load(spec.protocol, kernels.foreseen(program.source, spec.protocol))
        budget = prepare(spec, program, PARTIES, self.memory)
        with contextlib.ExitStack() as stack:
            stack.enter_context(held(spec.run_dir))
            listeners = [stack.enter_context(_listen(spec.port_base, i)) for i in range(PARTIES)]
            first, second, third = (Address(*listener.getsockname()) for listener in listeners)
            configs = self._configure(spec, budget, stack.enter_context(self._route((first, second, third))))
            alive_read, alive_write = os.pipe()
            stack.callback(os.close, alive_write)
            with contextlib.ExitStack() as passed:
                passed.callback(os.close, alive_read)
                progress = stack.enter_context(_Progress(on_step, on_remark))
                logs = [_log(spec.run_dir, i) for i in range(PARTIES)]
                for i in range(PARTIES):
                    report_file(spec.run_dir, i).unlink(missing_ok=True)
                parties = stack.enter_context(launcher.start(configs, listeners, logs, alive_read, progress.writer))
            _wait(parties, spec, progress)
        for i in range(PARTIES):
            launcher.kernels.update(read_report(spec.run_dir, i)["kernels"])
        return collect(spec, range(PARTIES))

    @logged
    def run_party(
        self, spec: RunSpec, host: Host, on_step: OnStep | None = None, on_remark: OnRemark | None = None
    ) -> RunResult:
        from mpc_tamper.engines.rep3.single_party import run_on_this_host

        spec = self.with_threads(spec, otherwise=all_cores())
        return run_on_this_host(spec, host, self.memory, on_step, on_remark)

    def connect(self, addresses: Addresses, credentials: Credentials, *, timeout_seconds: float) -> ClientConnection:
        from mpc_tamper.engines.rep3.clients.client import connect

        return connect(addresses, credentials, timeout_seconds=timeout_seconds)

    def seeded(self, insecure_fixed_seed: int) -> Rep3Engine:
        return self._with(_insecure_fixed_seed=insecure_fixed_seed)

    def routed(self, route: Route) -> Rep3Engine:
        return self._with(_route=route)

    def alone(self, spec: RunSpec, party_id: int) -> PartyAlone:
        from mpc_tamper.engines.rep3.alone import Rep3Alone

        return Rep3Alone(spec, party_id)

    def audited_protocols(self) -> tuple[AuditedProtocol, ...]:
        return (AuditedProtocol(str(ProtocolName.MAL_REP_RING), "rep3", Domain.RING),)

    @contextlib.contextmanager
    def tampering(
        self, protocol: AuditedProtocol, program: Path, inputs: Mapping[int, Path], folder: Path
    ) -> Iterator[Tampering]:
        from mpc_tamper.engines.rep3.tampering import Rep3Tampering  # loads the proofs' kernels

        yield Rep3Tampering(self, program, inputs, folder)

    def after(self, hours: float) -> Rep3Engine:
        return self._with(simulated_hours=hours)

    def gate_flips(self) -> GateFlips:
        from mpc_tamper.engines.rep3.gate_flips import ComparisonFlips

        return ComparisonFlips()

    def _configure(self, spec: RunSpec, budget: int | None, addresses: Addresses) -> list[Path]:
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
                budget=budget,
                simulated_hours=self.simulated_hours,
            )
            paths.append(folder / f"party{i}.json")
            config.write(paths[-1])
        return paths


class _Progress:
    """A pipe on which party 0 says how far it is, and what clients did wrong."""

    def __init__(self, on_step: OnStep | None, on_remark: OnRemark | None) -> None:
        self._on_step = on_step
        self._on_remark = on_remark
        self._unfinished = b""  # the beginning of a line whose end is still in the pipe
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self.writer, False)

    def pump(self) -> None:
        """Pass on all remarks and the latest step, if there is news."""
        with contextlib.suppress(BlockingIOError):
            *lines, self._unfinished = (self._unfinished + os.read(self.reader, 1 << 16)).split(b"\n")
            said = [line.decode() for line in lines]
            for remark in [line for line in said if line.startswith(REMARK)]:
                if self._on_remark is not None:
                    self._on_remark(remark.removeprefix(REMARK))
            steps = [line for line in said if not line.startswith(REMARK)]
            if self._on_step is not None and steps:
                site, _, occurrence = steps[-1].rpartition(" ")
                self._on_step(site, int(occurrence))

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.reader)
        os.close(self.writer)


def _listen(port_base: int | None, party_id: int) -> socket.socket:
    port = 0 if port_base is None else port_base + party_id
    return listen(party_id, Address(_HOST, port), "choose another --port-base, or leave it out")


def _log(run_dir: Path, party_id: int) -> Path:
    return run_dir / f"party{party_id}.log"


class _Stragglers:
    """Parties that live although another has ended well, as it did when all had come to the end of the program.

    What they still do is to write a report, and nobody waits for their messages any more: only this notices one that is
    stuck there.
    """

    def __init__(self, parties: Parties, timeout_seconds: float) -> None:
        self._parties = parties
        self._timeout_seconds = timeout_seconds
        self._silences: dict[int, Silence] = {}

    def check(self) -> None:
        """Every TICK_SECONDS at least. Raises PeerTimeout for one that has had its time."""
        for party in self._parties.running if self._parties.exit_codes else []:
            if party not in self._silences:
                waited = functools.partial(seconds_without_processor, self._parties.pids[party])
                self._silences[party] = Silence(waited)
            if self._silences[party].lasts() > self._timeout_seconds:
                raise PeerTimeout(
                    f"party {party} did not end within {self._timeout_seconds:g} s after another party had come to "
                    "the end of the program; no result was written; check that nothing has stopped it, or allow more "
                    "time (--timeout)",
                    party,
                )


def _wait(parties: Parties, spec: RunSpec, progress: _Progress) -> None:
    """Until all have ended well. Raises the first cause as soon as one has not, after a moment of grace."""
    stragglers = _Stragglers(parties, spec.timeout_seconds)
    run_dir = spec.run_dir
    while parties.running and not any(parties.exit_codes.values()):
        stragglers.check()
        if wait_for_news(parties, progress.reader, seconds=TICK_SECONDS):
            progress.pump()
            parties.update(seconds=0)
        else:
            parties.check()
    deadline = time.monotonic() + _GRACE_SECONDS
    while parties.running and (left := deadline - time.monotonic()) > 0:
        parties.update(left)
    failed = {party: code for party, code in parties.exit_codes.items() if code}
    if failed:
        cause = _first_cause([_failure(party, code, run_dir) for party, code in failed.items()], parties.running)
        # All print the same, but one may have been ended by another's end a line earlier.
        cause.lines = max((tuple(read_report(run_dir, i).get("lines", ())) for i in range(PARTIES)), key=len)
        raise cause


def _failure(party: int, code: int, run_dir: Path) -> TamperError:
    """Why a party ended badly: its own words, or its signal, or the last line of its log."""
    if code < 0:
        name = signal.Signals(-code).name
        why = " (a file that it maps could not be read: check the disk)" if -code == signal.SIGBUS else ""
        return PeerLost(f"party {party} was killed by {name}{why}; no result was written", party)
    report = read_report(run_dir, party)
    if "error" in report:
        kind = getattr(errors, report["error"], PartyError)
        message = f"{report['message']} (seen by party {party})"
        return kind(message, report["party"]) if issubclass(kind, PartyError) else kind(report["message"])
    if code > EXIT_SYSTEM:
        refused = OSError(code - EXIT_SYSTEM, os.strerror(code - EXIT_SYSTEM))
        return PartyError(f"party {party} could not write in {run_dir}: {system_failure(refused)}", party)
    try:
        said = _log(run_dir, party).read_text(errors="replace").split("\n")
    except OSError as exc:
        said = [f"its log cannot be read: {exc.strerror}"]
    last = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
    return PartyError(f"party {party} ended with exit code {code}: {last}", party)


def _first_cause(failures: list[TamperError], hanging: Collection[int]) -> TamperError:
    """A party that was killed, before what was said of one that still hangs, before what the others said of themselves,
    before what they said of each other. hanging: parties that have not ended.

    Where the others are only known to have waited for each other, they waited for the one that has not ended.
    """

    def rank(failure: TamperError) -> int:
        if "was killed by" in str(failure):
            return 0
        if isinstance(failure, PartyError) and failure.party in hanging:
            return 1
        return 3 if isinstance(failure, PeerLost) else 2

    first = min(failures, key=rank)
    if hanging and rank(first) > 1 and isinstance(first, PeerLost | PeerTimeout):
        party = min(hanging)
        return PeerTimeout(f"party {party} did not go on when the other parties waited for it; {first}", party)
    return first
