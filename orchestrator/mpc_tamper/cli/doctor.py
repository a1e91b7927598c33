"""mpc-tamper doctor: which protocols the MP-SPDZ of this machine can run, and what is missing for the others."""

from __future__ import annotations

import typer

from mpc_tamper.runs.protocols import EngineName


def doctor() -> None:
    """Check the MP-SPDZ tree that MP_SPDZ_HOME names. The exit code is 2 if no protocol can run."""
    from rich.console import Console
    from rich.table import Table

    from mpc_tamper.engines.registry import get_engine

    found = get_engine(EngineName.MP_SPDZ).diagnose()
    console = Console(highlight=False, soft_wrap=True)
    for fact in found.facts:
        console.print(fact, markup=False)
    table = Table("protocol", "security", "runs", "additive errors", box=None, title="protocols", title_justify="left")
    for report in found.protocols:
        security = "active, with abort" if report.protocol.active else "passive"
        table.add_row(report.protocol, security, "yes" if report.runs else "no", report.errors)
    console.print(table)
    for problem in found.missing:
        console.print(f"- {problem}", markup=False)
    if not found.usable:
        raise typer.Exit(2)
