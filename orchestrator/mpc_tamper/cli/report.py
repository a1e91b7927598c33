"""mpc-tamper report: one page of all records of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_tamper.cli import console

RESULTS = Path("results")


def report(
    results: Annotated[
        Path, typer.Argument(metavar="[RESULTS]", show_default=False, help="The folder of records. (default: results)")
    ] = RESULTS,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", readable=False, metavar="FILE.html", help="The file to write. (default: report.html in RESULTS)"
        ),
    ] = None,
) -> None:
    """Write one HTML file of all records of a folder, to be read in a browser. It needs no network and nothing else.

    What is missing is said in its place, with the command that makes it. A damaged record is an error, and leaves the
    file as it was.
    """
    from mpc_tamper.report.page.page import PAGE, write_page

    page = results / PAGE if out is None else out
    write_page(results, page)
    console.say(f"written to {page}")
