"""The parties of rep3 in threads of this process: the same machine and protocol without processes, TLS and their
start, for tests of many small runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import numpy as np

from mpc_tamper.engines import share_files
from mpc_tamper.engines.base import Engine, GateFlips, OnRemark, OnStep
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.engines.rep3.gate_flips import ComparisonFlips
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.result import Cost, PartyReport, RunResult
from mpc_tamper.runs.spec import RunSpec


class InMemoryRep3(Engine):
    """insecure_keys: kappa_0, kappa_1, kappa_2; None draws fresh ones."""

    name = EngineName.REP3
    capabilities = Rep3Engine.capabilities

    def __init__(self, *, insecure_keys: Sequence[bytes] | None = None) -> None:
        self._insecure_keys = insecure_keys

    def gate_flips(self) -> GateFlips:
        return ComparisonFlips()

    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: OnRemark | None = None) -> RunResult:
        program = load_program(spec.program)
        files = [share_files.share_file(spec.run_dir, party) for party in range(PARTIES)]
        taken = 0
        if spec.shares_from is not None:
            shutil.copytree(spec.shares_from / "Persistence", spec.run_dir / "Persistence")
            taken = share_files.count(files[0])
        printed: list[str] = []

        def run(party: Party) -> PartyReport:
            emit = printed.append if party.party_id == 0 else (lambda text: None)
            inputs = OwnerInput(party.party_id, spec.inputs.get(party.party_id))
            run_program(program, spec.args, Rep3Machine(party, inputs, spec.run_dir, emit, on_step))
            return PartyReport(party.party_id, Cost(), tuple(party.steps.records), 0)

        reports = run_in_threads(
            run,
            sites=dict(program.sites),
            corruption=spec.corruption,
            insecure_keys=self._insecure_keys,
            active=spec.protocol == ProtocolName.MAL_REP_RING,
        )
        for path in files if spec.shares_from is not None else []:
            share_files.keep_after(path, taken)
        outputs = [_binary_output(spec, party) for party in range(PARTIES)]
        assert outputs[0] == outputs[1] == outputs[2]
        return RunResult(spec, tuple("".join(printed).splitlines()), outputs[0], reports)


def _binary_output(spec: RunSpec, party: int) -> tuple[int, ...]:
    path = spec.run_dir / "Player-Data" / f"Binary-Output-P{party}-0"
    return tuple(np.fromfile(path, "<i8").tolist()) if path.exists() else ()
