"""Run a program on MP-SPDZ: compile, lay out a folder, start three parties on this machine, read what they say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from mpc_tamper.engines.base import Capabilities, ClientConnection, Credentials, Diagnosis, Engine, OnRemark, OnStep
from mpc_tamper.engines.hosts import Address, Addresses, Host, Route
from mpc_tamper.engines.mp_spdz import clients, run_folder
from mpc_tamper.engines.mp_spdz.audited import audited_protocols
from mpc_tamper.engines.mp_spdz.diagnosis import diagnose
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS
from mpc_tamper.engines.mp_spdz.run import execute, prepare
from mpc_tamper.engines.mp_spdz.single_party import run_on_this_host
from mpc_tamper.engines.mp_spdz.tampering import tampering
from mpc_tamper.engines.run_log import logged
from mpc_tamper.engines.tampering import AuditedProtocol, Tampering
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

_FOREVER = 1_000_000  # queries of a session


class MpSpdzEngine(Engine):
    """The reference engine: an MP-SPDZ tree that the user has built, found through MP_SPDZ_HOME.

    route: a network between the parties; given where they listen, it says where they reach each other while it lasts.
    """

    name = EngineName.MP_SPDZ
    capabilities = Capabilities(
        protocols=frozenset(SETTINGS),
        hands_off=True,
        stores_transpose=True,
        # In a field, a comparison is exact for values in range alone, and a client may send any.
        queries={protocol: _FOREVER for protocol in SETTINGS if protocol.ring},
        serves_with=ProtocolName.SY_REP_RING,
        idles=True,
    )

    def __init__(self, environment: Mapping[str, str] | None = None, *, route: Route = contextlib.nullcontext) -> None:
        self._environment = dict(os.environ if environment is None else environment)
        self._route = route

    @logged
    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        with contextlib.ExitStack() as alone:
            prepared = prepare(spec, self._environment, alone)
            first, second, third = (Address(*place) for place in run_folder.local_addresses(spec.port_base))
            own = first, second, third
            if spec.clients.identities is None:
                run_folder.write_certificates(spec.run_dir)
            else:
                clients.install(spec.clients, run_folder.player_data(spec.run_dir))
            with self._route(own) as reached:
                for i in range(PARTIES):
                    run_folder.write_hosts(spec.run_dir, i, [own[j] if j == i else reached[j] for j in range(PARTIES)])
                return execute(prepared, range(PARTIES), on_step)

    @logged
    def run_party(
        self, spec: RunSpec, host: Host, on_step: OnStep | None = None, on_remark: OnRemark | None = None
    ) -> RunResult:
        return run_on_this_host(spec, host, self._environment, on_step)

    def connect(self, addresses: Addresses, credentials: Credentials, *, timeout_seconds: float) -> ClientConnection:
        return clients.Client(addresses, credentials, timeout_seconds)

    def routed(self, route: Route) -> MpSpdzEngine:
        return MpSpdzEngine(self._environment, route=route)

    def audited_protocols(self) -> tuple[AuditedProtocol, ...]:
        return audited_protocols(Installation.locate(self._environment))

    def tampering(
        self, protocol: AuditedProtocol, program: Path, inputs: Mapping[int, Path], folder: Path
    ) -> AbstractContextManager[Tampering]:
        return tampering(Installation.locate(self._environment), self._environment, protocol, program, inputs, folder)

    def diagnose(self) -> Diagnosis:
        return diagnose(self._environment)
