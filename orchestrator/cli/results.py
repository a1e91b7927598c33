"""mpc-tamper reproduce and bench: the results that the README shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import EngineOption, QuietOption
from orchestrator.records import PARTIES, EngineName

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")]


def reproduce(
    engine: EngineOption = EngineName.REP3,
    out: OutOption = Path("results"),
    corrupt_party: Annotated[
        int, typer.Option("--corrupt-party", min=0, max=PARTIES - 1, help="Who plants the backdoor.")
    ] = 1,
    quiet: QuietOption = False,
) -> None:
    """The MNIST half of the paper's Table 1 and its Figure 1: table1.json, .csv, .md and figure1.png."""
    from orchestrator.engines.registry import get_engine
    from orchestrator.experiments import table1
    from orchestrator.report.table1 import FILES, TABLE_MARKDOWN

    table1.reproduce(
        get_engine(engine),
        out,
        corrupt_party=corrupt_party,
        progress=(lambda message: None) if quiet else (lambda message: typer.echo(message, err=True)),
    )
    typer.echo((out / TABLE_MARKDOWN).read_text(encoding="utf-8"))
    typer.echo(f"written to {out}: {', '.join(FILES)}")
