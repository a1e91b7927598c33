"""mpc-tamper faults: what happens to runs when processes, the network or the system fail."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.options import QuietOption, ThreadsOption
from mpc_tamper.cli.places import local_engine
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.progress import shown
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.runs.protocols import EngineName

_STATE = "MPC_TAMPER_STATE"  # what the campaign verifies is not counted with what the user does
VIOLATED = 1  # exit code where something did not hold


@configured("jobs")
def faults(
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, help="How long to go on.")] = 10.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the faults, programs and moments.")] = 1,
    only: Annotated[
        list[int] | None,
        typer.Option(
            "--only", metavar="K", min=0, help="Strike with fault K of the seed alone; repeatable. Writes no files."
        ),
    ] = None,
    threads: ThreadsOption = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=16, help="How many commands run at a time.")] = 6,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Strike random runs on rep3 with random faults and check how they end. Writes faults.jsonl and faults.md.

    The exit code is 1 if a process, a file or a wrong value was left, or an error had no clear line.
    """
    import json

    from mpc_tamper.report.faults import FAULTS_LINES, FAULTS_MARKDOWN
    from mpc_tamper.studies.faults import campaign

    engine = local_engine(EngineName.REP3, threads=threads)
    with TemporaryFolder() as state, shown(quiet=quiet or bool(only)) as progress:
        os.environ[_STATE] = state
        if only:
            records = [campaign.one(engine, seed, number) for number in only]
        else:
            console.note(f"seed {seed}")
            records = campaign.campaign(
                engine,
                out,
                minutes=minutes,
                seed=seed,
                jobs=jobs,
                configuration=configuration,
                progress=progress,
            )
    if only:
        console.say(json.dumps(records, indent=2))
    else:
        console.say((out / FAULTS_MARKDOWN).read_text(encoding="utf-8"))
        console.say(f"written to {out}: {FAULTS_LINES}, {FAULTS_MARKDOWN}")
    if any(record["violations"] for record in records):
        raise typer.Exit(VIOLATED)
