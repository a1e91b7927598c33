"""Run a program on MP-SPDZ: compile, lay out a folder, start three parties on this machine, read what they say."""

from __future__ import annotations

import os
from collections.abc import Mapping

from orchestrator.engines.base import OnStep
from orchestrator.engines.mp_spdz import clients, run_folder
from orchestrator.engines.mp_spdz.protocols import SETTINGS
from orchestrator.engines.mp_spdz.run import execute, prepare
from orchestrator.records import PARTIES, EngineName, RunResult, RunSpec


class MpSpdzEngine:
    """The reference engine: an MP-SPDZ tree that the user has built, found through MP_SPDZ_HOME."""

    name = EngineName.MP_SPDZ
    protocols = frozenset(SETTINGS)

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(os.environ if environment is None else environment)

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        prepared = prepare(spec, self._environment)
        addresses = run_folder.local_addresses(spec.port_base)
        if spec.clients.identities is None:
            run_folder.write_certificates(spec.run_dir)
        else:
            clients.install(spec.clients, run_folder.player_data(spec.run_dir))
        run_folder.write_hosts(spec.run_dir, addresses)
        return execute(prepared, range(PARTIES), on_step)
