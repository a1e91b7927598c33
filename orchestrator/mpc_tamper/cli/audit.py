"""mpc-tamper audit: does an active protocol notice a cheat? Random programs times random deviations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.options import QuietOption
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.counted import counted
from mpc_tamper.core.errors import DataError, EngineUnavailable, ParameterError
from mpc_tamper.core.progress import Progress, shown
from mpc_tamper.runs.protocols import EngineName

if TYPE_CHECKING:
    from mpc_tamper.engines.base import Engine
    from mpc_tamper.engines.tampering import AuditedProtocol
    from mpc_tamper.studies.audit.campaign import Tally

_RUNS = 2000
FOUND = 1  # exit code where a wrong value was opened or accepted, or an honest run aborted


@configured()
def audit(
    engine: Annotated[EngineName, typer.Option("--engine", help="Whose protocols: rep3 or mp-spdz.")] = EngineName.REP3,
    protocol: Annotated[
        list[str] | None,
        typer.Option("--protocol", metavar="NAME", help="One of them; repeatable. (default: all that can be audited)"),
    ] = None,
    runs: Annotated[
        int | None, typer.Option("--runs", min=1, help="Tampered runs of each protocol. (default: 2000)")
    ] = None,
    time: Annotated[
        float | None, typer.Option("--time", min=0.01, metavar="MINUTES", help="How long to go on with each protocol.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the programs and deviations.")] = 1,
    go_on: Annotated[
        bool,
        typer.Option("--go-on", help="Count what is found in tampered runs, instead of ending with the first."),
    ] = False,
    rerun: Annotated[
        str | None,
        typer.Option(
            "--rerun", metavar="FILE|ID", help="Play a finding again: its id in audit.jsonl, or a file of it."
        ),
    ] = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Put active protocols to the test: one party deviates at random, and the honest ones have to notice.

    Writes audit.jsonl, audit.md and audit.png. The exit code is 1 if a wrong value was opened or an honest run
    aborted; the program and the plan are made as small as they go, printed and kept.
    """
    from mpc_tamper.core.files import exists
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.report.audit import AUDIT_LINES, AUDIT_MARKDOWN, AUDIT_PNG, read_audits, write_report

    if rerun is not None:
        _rerun(rerun, out)
        return
    chosen = get_engine(engine)
    if exists(out / AUDIT_LINES):
        read_audits(out / AUDIT_LINES)  # a damaged one would end the command after its work
    with shown(quiet=quiet) as progress:
        tallies = [
            _one(chosen, each, out, runs or (None if time else _RUNS), time, seed, go_on, configuration, progress)
            for each in _protocols(chosen, protocol)
        ]
    write_report(out)
    console.say(f"written to {out}: {AUDIT_LINES}, {AUDIT_MARKDOWN}, {AUDIT_PNG}")
    if engine is EngineName.REP3:
        console.note(_other())
    if any(tally.findings for tally in tallies):
        raise typer.Exit(FOUND)


def _one(
    engine: Engine,
    protocol: AuditedProtocol,
    out: Path,
    runs: int | None,
    minutes: float | None,
    seed: int,
    go_on: bool,
    configuration: Mapping[str, Any],
    progress: Progress,
) -> Tally:
    from mpc_tamper.core.json_lines import appending
    from mpc_tamper.records.audits import AUDIT
    from mpc_tamper.report.audit import AUDIT_LINES
    from mpc_tamper.studies.audit.campaign import audit as play
    from mpc_tamper.studies.environment import environment

    seconds = None if minutes is None else 60 * minutes
    tally = play(engine, protocol, seed=seed, runs=runs, seconds=seconds, goes_on=go_on, progress=progress)
    record = {**tally.record(), "configuration": configuration, "environment": environment()}
    path = out / AUDIT_LINES
    with appending(path) as lines:
        lines.append(AUDIT.stamped(record, path))
    _tell(tally)
    return tally


def _protocols(engine: Engine, names: list[str] | None) -> list[AuditedProtocol]:
    """Raises EngineUnavailable where none can be audited, or one that was named cannot."""
    known = {each.name: each for each in engine.audited_protocols()}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ParameterError(f"expected protocols of {', '.join(known)}, got {', '.join(unknown)}")
    ready = [known[name] for name in dict.fromkeys(names or known)]
    for each in ready:
        if each.problem is not None:
            if names:
                raise EngineUnavailable(f"{each.name} cannot be audited: {each.problem}")
            console.note(f"{each.name} is left out: {each.problem}")
    ready = [each for each in ready if each.problem is None]
    if not ready:
        raise EngineUnavailable(f"expected a protocol of {engine.name} that can be audited, got none; see above")
    return ready


def _tell(tally: Tally) -> None:
    from mpc_tamper.studies.audit.verdicts import Verdict

    verdicts = [verdict for verdict in Verdict if verdict not in (Verdict.HONEST, Verdict.FALSE_ABORT)]
    counts = ", ".join(f"{tally.of(verdict)} {verdict}" for verdict in verdicts)
    console.say(
        f"{tally.protocol} ({tally.implementation}), seed {tally.seed}: {counted(tally.tampered, 'tampered run')} of "
        f"{counted(tally.programs, 'program')}: {counts}; {counted(tally.honest, 'honest run')}; {tally.seconds:.0f} s"
    )
    if tally.lacking:
        console.say(f"{tally.protocol} could not be tampered with at its {', '.join(tally.lacking)}: nothing is known")
    if tally.refused:
        console.say(f"the engine refused {counted(tally.refused, 'program')}")
    for finding in tally.findings:
        _show(finding.record())


def _show(finding: dict[str, Any]) -> None:
    who = "" if finding["plan"] is None else f", party {finding['corrupt_party']} is corrupt"
    console.say(f"{finding['verdict']}: {finding['id']}{who}")
    for owner, text in finding["inputs"].items():
        console.say(f"  input of party {owner}: {text.strip()}")
    for line in [*finding["program"], *(finding["plan"] or [])]:
        console.say(f"    {line}")
    console.say(
        f"  expected {' '.join(finding['expected'])}, got {' '.join(finding['opened'])} {finding['said']}".rstrip()
    )
    console.say(f"  again: mpc-tamper audit --rerun {finding['id']}")


def _rerun(what: str, out: Path) -> None:
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.report.audit import AUDIT_LINES
    from mpc_tamper.studies.audit.findings import replay
    from mpc_tamper.studies.audit.verdicts import FINDINGS

    path = Path(what)
    record = _finding_in_file(path) if path.is_file() else _finding_of(what, out / AUDIT_LINES)
    engine = get_engine(EngineName(record["engine"]))
    (protocol,) = _protocols(engine, [record["protocol"]])
    outcome = replay(engine, protocol, record)
    _show({**record, "verdict": outcome.verdict, "opened": list(outcome.opened), "said": outcome.said})
    if outcome.verdict in FINDINGS:
        raise typer.Exit(FOUND)


def _finding_in_file(path: Path) -> dict[str, Any]:
    from mpc_tamper.records.audits import FINDING

    return FINDING.read(path)


def _finding_of(name: str, path: Path) -> dict[str, Any]:
    from mpc_tamper.report.audit import read_audits

    kept = [f for r in read_audits(path) for f in r["findings"]]
    found = [finding for finding in kept if finding["id"] == name]
    if not found:
        known = ", ".join(finding["id"] for finding in kept) or "none"
        raise DataError(f"{path}: expected the finding {name}, got these: {known}")
    latest: dict[str, Any] = found[-1]
    return latest


def _other() -> str:
    """What the command could do besides."""
    from mpc_tamper.engines.registry import get_engine

    try:
        ready = [each.name for each in get_engine(EngineName.MP_SPDZ).audited_protocols() if each.problem is None]
    except EngineUnavailable:
        return "with MP_SPDZ_HOME, --engine mp-spdz audits MP-SPDZ's active protocols too (docs/audit.md)"
    return f"--engine mp-spdz can audit {', '.join(ready) or 'nothing here; mpc-tamper doctor says why'}"
