"""Run a program on MP-SPDZ: compile, lay out a folder, start three parties, read what they say."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.engines.base import OnStep
from orchestrator.engines.frontend.program import Program, load_program
from orchestrator.engines.mp_spdz import additive_plan, run_folder, transcript
from orchestrator.engines.mp_spdz.compiler import compile_program
from orchestrator.engines.mp_spdz.failures import first_cause
from orchestrator.engines.mp_spdz.installation import Installation
from orchestrator.engines.mp_spdz.parties import PartyCommand, PartyEnd, run_parties
from orchestrator.engines.mp_spdz.protocols import SETTINGS
from orchestrator.engines.validation import validate
from orchestrator.errors import EngineUnavailable
from orchestrator.records import PARTIES, EngineName, RunResult, RunSpec

_PLAN_READ = "additive-error plan: party"


class MpSpdzEngine:
    """The reference engine: an MP-SPDZ tree that the user has built, found through MP_SPDZ_HOME."""

    name = EngineName.MP_SPDZ
    protocols = frozenset(SETTINGS)

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(os.environ if environment is None else environment)

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult:
        """Raises a TamperError of the first cause; UsageErrors before any party starts."""
        program = load_program(spec.program)
        validate(spec, program)
        plan = None if spec.plan is None else additive_plan.numbered(spec.plan, program.sites)
        installation = Installation.locate(self._environment)
        binary = installation.require(spec.protocol, plan=plan is not None)
        addresses = run_folder.local_addresses(spec.port_base)
        spec.run_dir.mkdir(parents=True, exist_ok=True)
        options = SETTINGS[spec.protocol].compile_options
        name = compile_program(installation, spec.program, spec.args, options, spec.run_dir)
        run_folder.write_inputs(spec.run_dir, spec.inputs)
        run_folder.write_certificates(spec.run_dir)
        run_folder.write_hosts(spec.run_dir, addresses)
        plan_file = None
        if plan is not None:
            plan_file = spec.run_dir / "additive_errors.txt"
            plan.write(plan_file)
        environment = self._environment | additive_plan.environment(plan_file, spec.corrupt_party)
        commands = [PartyCommand(i, _words(binary, i, name), environment) for i in range(PARTIES)]
        run_folder.drop_output(spec.run_dir)
        with run_folder.share_files(spec.run_dir, spec.shares_from):
            try:
                ends = run_parties(commands, spec.run_dir, spec.timeout_seconds, _listener(program, on_step))
                return _collect(spec, program, ends)
            except BaseException:
                run_folder.drop_output(spec.run_dir)
                raise


def _words(binary: Path, party_id: int, name: str) -> list[str]:
    """A party's command line. The memory dump at the end would hold all shares of the run: not wanted."""
    return [str(binary), "-p", str(party_id), "-ip", run_folder.HOSTS, "-o", "no_memory_output", name]


def _listener(program: Program, on_step: OnStep | None) -> Callable[[int, str], None] | None:
    """Hands the starts of party 0's timers on."""
    if on_step is None:
        return None
    started: dict[int, int] = {}

    def listen(party_id: int, text: str) -> None:
        timer = transcript.started_timer(text) if party_id == 0 else None
        if timer is not None:
            on_step(program.sites.get(timer, str(timer)), started.setdefault(timer, 0))
            started[timer] += 1

    return listen


def _check_plan_was_read(spec: RunSpec, ends: list[PartyEnd]) -> None:
    if spec.plan is None or spec.corrupt_party is None:
        return
    errors = ends[spec.corrupt_party].transcript.errors
    if not any(line.text.startswith(_PLAN_READ) for line in errors):
        raise EngineUnavailable(
            f"expected party {spec.corrupt_party} to read the plan of additive errors, got a run without them: rebuild "
            "MP-SPDZ with the patch and check with `mpc-tamper doctor`"
        )


def _collect(spec: RunSpec, program: Program, ends: list[PartyEnd]) -> RunResult:
    run_folder.write_logs(spec.run_dir, ends)
    if any(end.returncode for end in ends):
        raise first_cause(ends)
    _check_plan_was_read(spec, ends)
    reports = tuple(transcript.report(end.party_id, end.transcript, program.sites, end.peak_rss_bytes) for end in ends)
    lines = transcript.program_lines(ends[0].transcript)
    return RunResult(spec, lines, run_folder.binary_output(spec.run_dir), reports)
