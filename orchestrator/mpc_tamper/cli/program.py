"""mpc-tamper run: any .mpc program on an engine."""

from __future__ import annotations

import difflib
import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import (
    BudgetOption,
    CorruptPartyOption,
    EngineOption,
    InsecurePassiveOption,
    JsonOption,
    MaxVerdictsOption,
    PortBaseOption,
    ProtocolOption,
    QuietOption,
    ThreadsOption,
    TimeoutOption,
    corruption,
)
from mpc_tamper.cli.places import (
    MemoryOption,
    NetworkOption,
    SimulatedHoursOption,
    late,
    local_engine,
)
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError, PlanError, TamperError, UsageError
from mpc_tamper.core.files import is_file, reported, what_is
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_VERDICTS, InputFiles, RunSpec

_LONGEST_NAME = 200  # bytes of a new folder's name, before the time
_SIMILAR = 0.8  # names of programs, of 1
_SHARES = "Persistence"  # the folder of share files in a run's

ProgramArgument = Annotated[
    Path,
    typer.Argument(
        metavar="PROGRAM.mpc",
        help="A program in MP-SPDZ's language: a file, or the name of a bundled one, such as svm_train.mpc.",
    ),
]


def run(
    program: ProgramArgument,
    args: Annotated[list[str] | None, typer.Argument(help="The arguments of the program.", metavar="ARGS")] = None,
    engine: EngineOption = EngineName.REP3,
    protocol: ProtocolOption = ProtocolName.RING,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="PARTY=FILE",
            help="A party's private input: little-endian int64 if FILE ends in .bin, else text.",
        ),
    ] = None,
    plan: Annotated[Path | None, typer.Option("--plan", help="A text file of additive errors.")] = None,
    corrupt_party: CorruptPartyOption = None,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", readable=False, help="A new folder for share files and logs. (default: in runs/)"),
    ] = None,
    shares_from: Annotated[
        Path | None,
        typer.Option("--shares-from", readable=False, help="The run folder whose share files the program reads."),
    ] = None,
    timeout: TimeoutOption = 60.0,
    port_base: PortBaseOption = None,
    network: NetworkOption = None,
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    simulated_hours: SimulatedHoursOption = 0.0,
    max_verdicts: MaxVerdictsOption = MAX_VERDICTS,
    budget: BudgetOption = None,
    insecure_passive: InsecurePassiveOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run a program with three parties. Its output goes to standard output and its cost to standard error."""
    from mpc_tamper.cli import run_table as cost
    from mpc_tamper.clients.serve import client_access
    from mpc_tamper.workflows.verdicts import count_run

    program = found_program(program)
    runs_on = late(local_engine(engine, network=network, memory=memory, threads=threads), simulated_hours)
    with run_folder(run_dir, program.stem) as folder, lines_first(as_json=as_json):
        spec = RunSpec(
            program=program,
            args=tuple(args or ()),
            protocol=protocol,
            inputs=input_files(inputs or []),
            run_dir=folder,
            shares_from=shares_from,
            corruption=corruption(plan, corrupt_party),
            timeout_seconds=timeout,
            port_base=port_base,
            clients=client_access(args or (), budget),
        )
        count_run(spec, range(PARTIES), max_verdicts, insecure_passive=insecure_passive)
        result = runs_on.run(spec)
        cost.print_result(result, engine, runs_on.network, as_json=as_json, quiet=quiet)
        if quiet and run_dir is None and not as_json:
            finish_folder(folder)


def found_program(path: Path) -> Path:
    """The file at this path or, where there is none, the bundled program of this name. Raises UsageError."""
    if is_file(path):
        return path
    bundled = {program.name: program for program in bundle.programs("*.mpc")}
    if str(path) in bundled:
        return bundled[str(path)]
    similar = difflib.get_close_matches(str(path), bundled, n=1, cutoff=_SIMILAR)
    mend = f"there is a bundled one called {similar[0]}" if similar else "check the path"
    raise UsageError(f"{path}: expected a program, got {what_is(path)}; {mend}")


def finish_folder(folder: Path) -> None:
    """After a quiet run in a folder that nobody named: say where shares are, or leave none without any."""
    if (folder / _SHARES).exists():
        console.note(f"the shares are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def input_files(options: list[str]) -> Mapping[int, InputFiles]:
    """'0=rows.bin' and the like, at most one text and one binary file for a party."""
    files: dict[int, dict[str, Path]] = {}
    for option in options:
        owner, _, name = option.partition("=")
        path = Path(name)
        if owner not in map(str, range(PARTIES)) or not name:
            raise ParameterError(f"expected --input PARTY=FILE with a party from 0 to {PARTIES - 1}, got {option!r}")
        if not is_file(path):
            raise DataError(f"{path}: expected the input file of party {owner}, got {what_is(path)}; check the path")
        kind = "binary" if path.suffix == ".bin" else "text"
        if kind in files.setdefault(int(owner), {}):
            raise ParameterError(f"expected one {kind} input file for party {owner}, got two; join them in one")
        files[int(owner)][kind] = path
    return {owner: InputFiles(**kinds) for owner, kinds in files.items()}


@contextmanager
def run_folder(chosen: Path | None, name: str) -> Iterator[Path]:
    """The folder that the user chose, or a new one below runs/, which goes if it stays empty."""
    if chosen is not None:
        yield chosen
        return
    folder = new_run_dir(name)
    try:
        yield folder
    finally:
        for place in (folder, folder.parent):
            with suppress(OSError):
                place.rmdir()


def new_run_dir(name: str) -> Path:
    """Make a folder below runs/. Of several runs that begin at once each gets one of its own."""
    from datetime import datetime

    name = os.fsencode(name)[:_LONGEST_NAME].decode(errors="ignore")
    first = Path("runs", f"{name}-{datetime.now():%Y%m%d-%H%M%S}")
    with reported(first, "a folder that can be made (or name one with --run-dir)"):
        for number in itertools.count():
            path = first.with_name(f"{first.name}-{number}") if number else first
            with suppress(FileExistsError):
                path.parent.mkdir(exist_ok=True)
                path.mkdir()
                return path
    raise AssertionError


@contextmanager
def lines_first(*, as_json: bool) -> Iterator[None]:
    """What the program had printed before an error reaches standard output before the error is reported.

    Not where a plan was wrong: then it is the result of another experiment.
    """
    try:
        yield
    except TamperError as exc:
        if not as_json and not isinstance(exc, PlanError):
            for line in exc.lines:
                console.exactly(line)
        raise
