"""An engine runs one .mpc program for three parties, and states what it can do: nothing above it asks for its name."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ParameterError
from mpc_tamper.core.memory import LEAST_BYTES
from mpc_tamper.engines.hosts import Addresses, Host, Route
from mpc_tamper.engines.relay import through
from mpc_tamper.engines.tampering import AuditedProtocol, Tampering
from mpc_tamper.runs.network import Network
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult, StepRecord
from mpc_tamper.runs.spec import RunSpec

OnRemark = Callable[[str], None]  # told in a line what a client did wrong, without a private value
OnStep = Callable[[str, int], None]  # told the site and the occurrence of a step that begins, not of each


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do.

    protocols: those it runs.
    parties: three processes exchange messages, so seconds, bytes and rounds mean something.
    gates: additive errors can enter inside its primitives, at sites such as HINGE/csa.
    hands_off: its active ring protocols cannot read a passive run's shares; handoff.mpc has to take them over.
    stores_transpose: a training step is faster on it where the program keeps the rows' transpose too.
    queries: for each protocol under which it serves clients, how many queries a session may answer.
    serves_with: of these, the one to take where nobody chose.
    most_together: see ClientAccess.together.
    budgets: its servers count each client's queries and refuse those beyond ClientAccess.budget.
    anonymous_clients: clients may come without a certificate.
    idles: its servers exchange nothing while they wait for a client, so that waiting looks like a hang.
    client_rows: clients may contribute training rows.
    threads: a party computes on as many threads as RunSpec.threads says.
    memory: its parties keep to a budget of memory, with what does not fit in files.
    """

    protocols: frozenset[ProtocolName]
    parties: bool = True
    gates: bool = False
    hands_off: bool = False
    stores_transpose: bool = False
    queries: Mapping[ProtocolName, int] = field(default_factory=dict)
    serves_with: ProtocolName | None = None
    budgets: bool = False
    most_together: int = 1
    anonymous_clients: bool = False
    idles: bool = False
    client_rows: bool = False
    threads: bool = False
    memory: bool = False


@dataclass(frozen=True)
class Credentials:
    """servers: the certificates of servers 0, 1 and 2.  key, certificate: the client's own; None to be anonymous."""

    servers: tuple[Path, Path, Path]
    key: Path | None = None
    certificate: Path | None = None


class ClientConnection(Protocol):
    """A client's side of a conversation with three servers."""

    def send_private_inputs(self, values: np.ndarray) -> None:
        """values: (n,) int64; n is what the servers' program asks for."""

    def receive_outputs(self, count: int) -> np.ndarray:
        """(count,) int64."""
        ...

    def send_public_inputs(self, values: np.ndarray) -> None:
        """values: (n,) int64, which every server may know. Of engines with client_rows only."""

    def receive_public_outputs(self, count: int) -> np.ndarray:
        """(count,) int64, which every server said. Of engines with client_rows only."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class LocalWork:
    """What one party computed by itself.

    seconds: from the program's begin to the end of the last proof.  proof_seconds: in which nothing but proofs was
    computed, not those that a second thread makes beside the program; 0 without any.  steps: those of the program.
    """

    seconds: float
    proof_seconds: float
    steps: tuple[StepRecord, ...]


class PartyAlone(Protocol):
    """One party of a run that has been made once, and that can be made again without the others."""

    def run(self, threads: int) -> LocalWork: ...


class GateFlips(Protocol):
    """Flips of single AND gates inside an engine's comparison, for those who study what they do."""

    def planes(self, width: int) -> Mapping[str, int]:
        """The gates of a comparison of `width` bits, sign included, by name, and how many planes each has."""
        ...

    def changed(self, gate: str, planes: int, values: np.ndarray, width: int, corrupt_party: int) -> np.ndarray:
        """Whether the comparison of each value gives another sign if the corrupt party flips its gate.

        values: (m,) int64, m a multiple of planes: the flips of the first m / planes values are in plane 0, and so on.
        """
        ...


@dataclass(frozen=True)
class ProtocolReport:
    """One protocol of an installation. runs, errors: yes, no, or what happens; active: its security."""

    protocol: ProtocolName
    runs: bool
    errors: str


@dataclass(frozen=True)
class Diagnosis:
    """What an engine found of its installation. facts: lines.  missing: what is in the way, each with its mend."""

    facts: tuple[str, ...]
    protocols: tuple[ProtocolReport, ...]
    missing: tuple[str, ...]
    usable: bool


class Engine(ABC):
    """Blocking; raises a TamperError of the first cause. Leaves no process behind, however it ends.

    What an engine lacks raises EngineUnavailable.

    network: that its parties reach each other through, where one was put between them with over().
    host: where run() runs one party alone, while the other two run on hosts of their own (hosted.py); None where it
    runs all three.
    threads: of each party in runs whose RunSpec says nothing else; see there for None.
    memory: how many bytes of memory a party may fill, with rows that are larger in files; what the machine has where
    None.
    simulated_hours: how long a run is to seem to have gone on when it begins, see after().
    """

    name: EngineName
    capabilities: Capabilities
    network: Network | None = None
    host: Host | None = None
    threads: int | None = None
    memory: int | None = None
    simulated_hours: float = 0.0

    @abstractmethod
    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        """Run all three parties on this machine or, where there is a host, this host's."""

    @property
    def own_parties(self) -> tuple[int, ...]:
        """Those that run() runs here, whose share files and counts are this machine's."""
        return tuple(range(PARTIES)) if self.host is None else (self.host.party_id,)

    def run_party(
        self, spec: RunSpec, host: Host, on_step: OnStep | None = None, on_remark: OnRemark | None = None
    ) -> RunResult:
        """Run one party on this host, to its end; the other two run on theirs. The result holds its report alone."""
        raise self._lacks("parties on hosts of their own", "rep3 or mp-spdz")

    def connect(self, addresses: Addresses, credentials: Credentials, *, timeout_seconds: float) -> ClientConnection:
        """As a client, to three servers of this engine. timeout_seconds: to connect, and for each message."""
        raise self._lacks("clients", "rep3 or mp-spdz")

    def seeded(self, insecure_fixed_seed: int) -> Engine:
        """An engine whose pads repeat; one without pads itself."""
        return self

    def routed(self, route: Route) -> Engine:
        """An engine whose parties reach each other through a network in between."""
        raise self._lacks("a network between its parties", "rep3 or mp-spdz")

    def over(self, network: Network) -> Engine:
        """The same engine, whose parties on this machine reach each other as over this network."""
        engine = self.routed(functools.partial(through, network))
        engine.network = network
        return engine

    def alone(self, spec: RunSpec, party_id: int) -> PartyAlone:
        """Run it, all three parties in this process, to run one of them again by itself."""
        raise self._lacks("parties that run by themselves", "rep3")

    def _with(self, **attributes: object) -> Self:
        """A copy with these attributes; this one stays as it is."""
        engine = copy.copy(self)
        vars(engine).update(attributes)
        return engine

    def on_threads(self, threads: int | None) -> Engine:
        """The same engine, whose parties compute on so many threads each; see RunSpec.threads for None."""
        if threads is None:
            return self
        if not self.capabilities.threads:
            raise self._lacks("parties on several threads", "rep3")
        return self._with(threads=threads)

    def with_threads(self, spec: RunSpec, otherwise: int) -> RunSpec:
        """The specification with a number of threads: its own, the engine's, or else this one."""
        return replace(spec, threads=_first(spec.threads, self.threads, otherwise))

    def within(self, memory: int) -> Engine:
        """The same engine, with this budget of memory, in bytes, for each party."""
        if not self.capabilities.memory:
            raise self._lacks("a budget of memory", "rep3 or clear")
        if memory < LEAST_BYTES:
            raise ParameterError(f"expected at least {LEAST_BYTES:,} bytes of memory for a party, got {memory:,}")
        return self._with(memory=memory)

    def after(self, hours: float) -> Engine:
        """The same engine, whose runs begin with all counters as after so many hours, to see what a long run meets."""
        raise self._lacks("runs that begin late", "rep3")

    def gate_flips(self) -> GateFlips:
        raise self._lacks("gates inside its comparison", "rep3")

    def audited_protocols(self) -> tuple[AuditedProtocol, ...]:
        """The active protocols whose soundness can be put to the test, also those that lack something here."""
        raise self._lacks("active protocols to audit", "rep3 or mp-spdz")

    def tampering(
        self, protocol: AuditedProtocol, program: Path, inputs: Mapping[int, Path], folder: Path
    ) -> AbstractContextManager[Tampering]:
        """A program under one of these protocols, to be run many times. inputs: text; folder: for what it writes."""
        raise self._lacks("active protocols to audit", "rep3 or mp-spdz")

    def diagnose(self) -> Diagnosis:
        """What is installed, what each protocol can do, and what is missing for the others."""
        protocols = tuple(ProtocolReport(p, runs=True, errors="yes") for p in ProtocolName if p in self.protocols)
        return Diagnosis((f"{self.name}: part of this software",), protocols, (), usable=True)

    @property
    def protocols(self) -> frozenset[ProtocolName]:
        return self.capabilities.protocols

    def active_protocol(self) -> ProtocolName | None:
        """The active protocol to take where nobody chose one; None where the engine has none."""
        active = [p for p in ProtocolName if p.active and p in self.protocols]
        preferred = ProtocolName.MAL_REP_RING
        return preferred if preferred in active else active[0] if active else None

    def _lacks(self, what: str, other: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"expected an engine with {what}, got {self.name}, which has none; use --engine {other}"
        )


def _first(*given: int | None) -> int | None:
    return next((number for number in given if number is not None), None)
