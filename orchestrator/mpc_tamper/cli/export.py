"""mpc-tamper export: records into the trackers of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import QuietOption
from mpc_tamper.core.counted import counted
from mpc_tamper.core.progress import shown

app = typer.Typer(help="Send records to an experiment tracker.", no_args_is_help=True)


@app.callback()
def export() -> None:
    """Send the records of a results folder to an experiment tracker."""


@app.command("mlflow")
def mlflow(
    tracking_uri: Annotated[
        str,
        typer.Option(
            "--tracking-uri",
            metavar="URI",
            envvar="MLFLOW_TRACKING_URI",
            help="The tracking server, such as http://localhost:5000.",
        ),
    ],
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="The folder of the records.")] = Path("results"),
    experiment: Annotated[
        str,
        typer.Option(
            "--experiment", metavar="NAME", help="The experiment that the runs go to; it is made if there is none."
        ),
    ] = "mpc-tamper",
    quiet: QuietOption = False,
) -> None:
    """Make runs of matrix cells, Table 1, leaks, costs and accuracies in MLflow; what is there is not sent again.

    Needs the extra mlflow.
    """
    from mpc_tamper.report.export.mlflow_store import export as send
    from mpc_tamper.report.export.tracked import tracked

    with shown(quiet=quiet) as progress:
        done = send(tracked(results), tracking_uri, experiment, progress)
    console.say(f"{experiment}: {counted(done.sent, 'run')} sent, {counted(done.there, 'was there', 'were there')}")
