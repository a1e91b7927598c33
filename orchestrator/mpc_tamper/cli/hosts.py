"""mpc-tamper certificate and party: the same programs on three hosts, with one party on each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import (
    BudgetOption,
    InsecurePassiveOption,
    JsonOption,
    MaxVerdictsOption,
    ProtocolOption,
    QuietOption,
    ThreadsOption,
    TimeoutOption,
    corruption,
)
from mpc_tamper.cli.places import CONNECT_SECONDS, MemoryOption, keys_beside, local_engine, this_host
from mpc_tamper.cli.program import (
    ProgramArgument,
    finish_folder,
    found_program,
    input_files,
    lines_first,
    run_folder,
)
from mpc_tamper.core.errors import UsageError
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.runs.spec import MAX_TIMEOUT_SECONDS, MAX_VERDICTS, RunSpec

PRINTS = 0  # the party that shows the program's output
PartyOption = Annotated[int, typer.Option("--party", min=0, max=PARTIES - 1, help="Which party this host is.")]


def certificate(
    party: PartyOption,
    out: Annotated[Path, typer.Option("--out", readable=False, metavar="DIR", help="The folder for both files.")],
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="How many days the certificate is valid.")] = 365,
) -> None:
    """Make this host's key, which stays, and its certificate, which the other two hosts get."""
    from mpc_tamper.core.files import check_folder, exists
    from mpc_tamper.engines.certificates import certificate_file, fingerprint, key_file, make_certificate

    check_folder(out)
    for path in (key_file(out, party), certificate_file(out, party)):
        if exists(path):
            raise UsageError(f"{path}: expected no such file yet, got one; remove it, or choose another --out")
    key, certificate = make_certificate(party, out, valid_days=days)
    console.say(f"key          {key}  (stays on this host)")
    console.say(f"certificate  {certificate}  (goes to the other two)")
    console.say(f"SHA-256      {fingerprint(certificate)}")


def party(
    program: ProgramArgument,
    party: PartyOption,
    hosts: Annotated[
        Path,
        typer.Option("--hosts", metavar="FILE", help="A file with the HOST:PORT of parties 0, 1 and 2, one per line."),
    ],
    args: Annotated[list[str] | None, typer.Argument(help="The arguments of the program.", metavar="ARGS")] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="The file with this party's key. (default: party<i>.key, by the certificates)"
        ),
    ] = None,
    certificates: Annotated[
        list[Path] | None,
        typer.Option(
            "--certificates",
            metavar="DIR|FILE",
            help="A folder with party0.pem, party1.pem and party2.pem, or three files, the option given three times. "
            "(default: certificates, beside the file of --hosts)",
        ),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="What runs the program: rep3 or mp-spdz.")
    ] = EngineName.REP3,
    protocol: ProtocolOption = ProtocolName.RING,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="PARTY=FILE",
            help="This party's private input: little-endian int64 if FILE ends in .bin, else text.",
        ),
    ] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="A text file of additive errors, if this party is corrupt.")
    ] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", readable=False, help="A new folder for this party's share file. (default: in runs/)"),
    ] = None,
    shares_from: Annotated[
        Path | None,
        typer.Option(
            "--shares-from", readable=False, help="This party's folder of the run whose shares the program reads."
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST", help="On rep3, listen there. (default: the address in --hosts)"),
    ] = None,
    timeout: TimeoutOption = 60.0,
    connect_timeout: Annotated[
        float,
        typer.Option(
            "--connect-timeout",
            min=0.1,
            max=MAX_TIMEOUT_SECONDS,
            help="How many seconds, on rep3, until all have to be there.",
        ),
    ] = CONNECT_SECONDS,
    threads: ThreadsOption = None,
    memory: MemoryOption = None,
    max_verdicts: MaxVerdictsOption = MAX_VERDICTS,
    budget: BudgetOption = None,
    insecure_passive: InsecurePassiveOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run one of a program's three parties on this host. The other hosts run the same command with their --party.

    Party 0 prints the program's output to standard output. Each party prints its own cost to standard error.
    """
    from mpc_tamper.cli import run_table as cost
    from mpc_tamper.clients.serve import client_access
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.workflows.verdicts import count_run

    if not get_engine(engine).capabilities.parties:
        raise UsageError(f"expected --engine rep3 or mp-spdz, got {engine}: it has no parties; see mpc-tamper run")
    program = found_program(program)
    host = this_host(
        party,
        hosts,
        key,
        certificates or [keys_beside(hosts)],
        listen=listen,
        connect_timeout=connect_timeout,
        quiet=quiet,
    )
    with run_folder(run_dir, f"{program.stem}-party{party}") as folder, lines_first(as_json=as_json or party != PRINTS):
        spec = RunSpec(
            program=program,
            args=tuple(args or ()),
            protocol=protocol,
            inputs=input_files(inputs or []),
            run_dir=folder,
            shares_from=shares_from,
            corruption=corruption(plan, None if plan is None else party),
            timeout_seconds=timeout,
            clients=client_access(args or (), budget),
        )
        count_run(spec, [party], max_verdicts, insecure_passive=insecure_passive)
        result = local_engine(engine, memory=memory, threads=threads).run_party(spec, host)
        cost.print_result(result, engine, None, as_json=as_json, quiet=quiet)
        if quiet and run_dir is None and not as_json:
            finish_folder(folder)
