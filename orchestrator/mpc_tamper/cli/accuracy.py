"""mpc-tamper accuracy: the default settings on data sets of many kinds, beside LinearSVC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.configuration import configured
from mpc_tamper.cli.options import QuietOption, ThreadsOption
from mpc_tamper.cli.results import OutOption
from mpc_tamper.core.progress import shown
from mpc_tamper.runs.protocols import EngineName


@configured()
def accuracy(
    fashion: Annotated[
        Path | None,
        typer.Option(
            "--fashion", metavar="FOLDER", help="Fashion-MNIST's files. (default: its data sets are left out)"
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="Measure this data set alone; repeatable.")
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option("--engine", help="What trains. (default: rep3 up to 2,000 rows, else clear)")
    ] = None,
    threads: ThreadsOption = None,
    out: OutOption = Path("results"),
    quiet: QuietOption = False,
    *,
    configuration: Mapping[str, Any],
) -> None:
    """Train at default settings on many data sets, and compare with scikit-learn's LinearSVC: accuracy.json, .md."""
    from mpc_tamper.report.accuracy import ACCURACY_MARKDOWN
    from mpc_tamper.studies.accuracy import study_accuracy

    with shown(quiet=quiet) as progress:
        study_accuracy(
            out,
            fashion=fashion,
            only=only or (),
            engine=engine,
            threads=threads,
            configuration=configuration,
            progress=progress,
        )
    console.say((out / ACCURACY_MARKDOWN).read_text(encoding="utf-8"))
