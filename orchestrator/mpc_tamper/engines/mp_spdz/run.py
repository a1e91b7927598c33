"""What a run on this machine and a run on three hosts share: prepare a folder, start parties in it, read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import EngineUnavailable, PartyError
from mpc_tamper.core.files import held, make_folder
from mpc_tamper.engines.base import OnStep
from mpc_tamper.engines.frontend.program import Program, load_program
from mpc_tamper.engines.mp_spdz import additive_plan, run_folder, transcript
from mpc_tamper.engines.mp_spdz.compiler import compile_program
from mpc_tamper.engines.mp_spdz.failures import first_cause
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.parties import PartyCommand, PartyEnd, run_parties
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS
from mpc_tamper.engines.validation import validate
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec

_PLAN_READ = "additive-error plan: party"


@dataclass(frozen=True)
class Prepared:
    """A run folder with a compiled program, inputs and plan. name: the program's, for the parties."""

    spec: RunSpec
    program: Program
    binary: Path
    name: str
    environment: Mapping[str, str]


def prepare(spec: RunSpec, environment: Mapping[str, str], alone: ExitStack | None = None) -> Prepared:
    """Raises UsageErrors and ProgramErrors; nothing is started but the compiler.

    alone: where given, no other run may use the folder until it closes. On three hosts there is a folder for each.
    """
    program = load_program(spec.program)
    validate(spec, program)
    if spec.threads is not None:
        raise EngineUnavailable(
            f"expected no number of threads on mp-spdz, whose programs name their own, got {spec.threads}; leave it out"
        )
    corrupt_party, plan = None, None
    if spec.corruption is not None:
        corrupt_party = spec.corruption.party
        plan = additive_plan.numbered(spec.corruption.plan, program.sites)
    installation = Installation.locate(environment)
    binary = installation.require(spec.protocol, plan=plan is not None)
    make_folder(spec.run_dir)
    if alone is not None:
        alone.enter_context(held(spec.run_dir))
    options = SETTINGS[spec.protocol].compile_options
    name = compile_program(installation, spec.program, spec.args, options, spec.run_dir)
    run_folder.write_inputs(spec.run_dir, spec.inputs)
    plan_file = None
    if plan is not None:
        plan_file = spec.run_dir / "additive_errors.txt"
        plan.write(plan_file)
    return Prepared(spec, program, binary, name, additive_plan.environment(environment, plan_file, corrupt_party))


def execute(prepared: Prepared, parties: Sequence[int], on_step: OnStep | None = None) -> RunResult:
    """Run these parties in the folder, which has keys, certificates and hosts files by now; raise the first cause."""
    spec = prepared.spec
    commands = [PartyCommand(i, _words(prepared, i), prepared.environment) for i in parties]
    run_folder.drop_output(spec.run_dir)
    with run_folder.share_files(spec.run_dir, spec.shares_from, parties):
        try:
            listener = _listener(prepared.program, on_step)
            return _collect(prepared, run_parties(commands, spec.run_dir, spec.timeout_seconds, listener))
        except BaseException:
            run_folder.drop_output(spec.run_dir)
            raise


def _words(prepared: Prepared, party_id: int) -> list[str]:
    """A party's command line, without the memory dump at the end, which would hold all shares of the run."""
    options = ["-p", str(party_id), "-ip", run_folder.hosts_file(party_id), "-o", "no_memory_output"]
    return [str(prepared.binary), *options, prepared.name]


def _listener(program: Program, on_step: OnStep | None) -> Callable[[int, str], None] | None:
    """Passes on the starts of party 0's timers."""
    if on_step is None:
        return None
    started: dict[int, int] = {}

    def listen(party_id: int, text: str) -> None:
        timer = transcript.started_timer(text) if party_id == 0 else None
        if timer is not None:
            on_step(program.sites.get(timer, str(timer)), started.setdefault(timer, 0))
            started[timer] += 1

    return listen


def _collect(prepared: Prepared, ends: list[PartyEnd]) -> RunResult:
    spec = prepared.spec
    run_folder.write_logs(spec.run_dir, ends)
    if any(end.returncode for end in ends):
        cause = first_cause(ends)
        if not (isinstance(cause, PartyError) and spec.protocol.active):
            cause.lines = transcript.program_lines(ends[0].transcript)
        raise cause
    for end in ends:
        if spec.corruption is not None and end.party_id == spec.corruption.party:
            _check_plan_was_read(end)
    reports = tuple(
        transcript.report(end.party_id, end.transcript, prepared.program.sites, end.peak_rss_bytes) for end in ends
    )
    lines = transcript.program_lines(ends[0].transcript)
    return RunResult(spec, lines, run_folder.binary_output(spec.run_dir, ends[0].party_id), reports)


def _check_plan_was_read(end: PartyEnd) -> None:
    if not any(line.text.startswith(_PLAN_READ) for line in end.transcript.errors):
        raise EngineUnavailable(
            f"expected party {end.party_id} to read the plan of additive errors, got a run without them: rebuild "
            "MP-SPDZ with the patch and check with `mpc-tamper doctor`"
        )
