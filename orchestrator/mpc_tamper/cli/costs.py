"""mpc-tamper costs: what passive training, active verification and active training cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.options import JobsOption, QuietOption, SchedulerOption, ThreadsOption
from mpc_tamper.cli.places import local_engine
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import EngineName


@configured("jobs")
def costs(
    engine: Annotated[
        list[EngineName] | None,
        typer.Option(
            "--engine", help="An engine to measure; repeatable. (default: rep3, and mp-spdz if MP_SPDZ_HOME is set)"
        ),
    ] = None,
    iterations: Annotated[
        str | None,
        typer.Option(
            "--iterations", metavar="T,...", help="How many iterations a training makes. (default: by engine)"
        ),
    ] = None,
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="M,...", help="How many rows are trained on. (default: by engine)")
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option("--examples", min=2, help="How many examples a verification takes. (default: by engine)"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take few rows and iterations, and leave out the relay.")
    ] = False,
    threads: ThreadsOption = None,
    jobs: JobsOption = 1,
    scheduler: SchedulerOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Measure seconds, bytes and rounds of each way to a model, by protocol. Writes costs.json, .md and .png.

    With --jobs or --scheduler runs take place beside each other, so that bytes and rounds alone are counted:
    costs-counts.json and .md.
    """
    from mpc_tamper.report.costs import COSTS_MARKDOWN, FILES
    from mpc_tamper.report.counts import COUNTS_MARKDOWN
    from mpc_tamper.report.counts import FILES as COUNTS
    from mpc_tamper.studies.costs import costs as experiment
    from mpc_tamper.studies.costs.counts import counts
    from mpc_tamper.studies.costs.measure import QUICK, SMALL
    from mpc_tamper.studies.sweeps import schedulers

    grid = QUICK if quick else None
    if rows is not None or iterations is not None or examples is not None:
        base = grid or SMALL
        grid = replace(
            base,
            rows=base.rows if rows is None else _numbers(rows, "--rows"),
            iterations=base.iterations if iterations is None else _numbers(iterations, "--iterations"),
            examples=base.examples if examples is None else examples,
        )
    names = engine or [EngineName.REP3, *([EngineName.MP_SPDZ] if os.environ.get("MP_SPDZ_HOME") else [])]
    engines = [local_engine(name, threads=threads) for name in dict.fromkeys(names)]
    runs_jobs = schedulers.scheduler(jobs, scheduler)
    asked = {"costs": configuration["costs"] | {"engine": [str(name) for name in dict.fromkeys(names)]}}
    if runs_jobs.apart:
        with shown(quiet=quiet) as progress:
            counts(engines, out, grid=grid, scheduler=runs_jobs, configuration=asked, progress=progress)
        console.say((out / COUNTS_MARKDOWN).read_text(encoding="utf-8"))
        console.say(f"written to {out}: {', '.join(COUNTS)}")
        return
    with shown(quiet=quiet) as progress:
        experiment.costs(
            engines,
            out,
            grid=grid,
            check=not quick,
            configuration=asked,
            progress=progress,
        )
    console.say((out / COSTS_MARKDOWN).read_text(encoding="utf-8"))
    console.say(f"written to {out}: {', '.join(FILES)}")


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as exc:
        raise ParameterError(f"expected {option} as integers between commas, such as 10,100, got {text!r}") from exc
