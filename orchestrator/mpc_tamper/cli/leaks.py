"""mpc-tamper leak: what a cheating server can make an opened model, or a verdict, tell about the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import ClassesOption, EngineOption, QuietOption, RootOption, chosen_classes
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import PARTIES, EngineName

app = typer.Typer(help="What a cheating server can read of the training data.", no_args_is_help=True)


@app.callback()
def leak() -> None:
    """What a cheating server can read of the training data. For experiments on your own data: models are opened."""


@app.command("row")
def row(
    rows: Annotated[
        list[int] | None,
        typer.Option("--row", min=0, help="Index of a training row to read; repeatable. (default: 8, by the seed)"),
    ] = None,
    data: Annotated[
        str, typer.Option("--data", metavar="NAME|FILE|DIR", help="See mpc-tamper datasets list.")
    ] = "mnist_0_1",
    classes: ClassesOption = None,
    root: RootOption = None,
    engine: EngineOption = EngineName.REP3,
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="The party that adds the errors.")
    ] = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the rows that are chosen.")] = 1,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
) -> None:
    """Read chosen training rows off models that are opened after passive training, by errors at MARGIN alone."""
    from mpc_tamper.datasets import load_task
    from mpc_tamper.engines.registry import get_engine
    from mpc_tamper.report.leak_row import LEAK_ROW_MARKDOWN
    from mpc_tamper.studies.leaks.row import leak_rows

    runs_on = get_engine(engine)
    task = load_task(data, classes=chosen_classes(classes), root=root)
    with shown(quiet=quiet) as progress:
        leak_rows(runs_on, out, task=task, rows=rows, corrupt_party=corrupt_party, seed=seed, progress=progress)
    console.say((out / LEAK_ROW_MARKDOWN).read_text(encoding="utf-8"))
