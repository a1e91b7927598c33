"""mpc-tamper doctor: which protocols the MP-SPDZ of this machine can run, and what is missing for the others."""

from __future__ import annotations

import os

import typer


def doctor() -> None:
    """Check the MP-SPDZ tree that MP_SPDZ_HOME names. The exit code is 2 if no protocol can run."""
    from rich.console import Console
    from rich.table import Table

    from mpc_tamper.engines.mp_spdz.installation import Installation
    from mpc_tamper.engines.mp_spdz.patch_state import Patch
    from mpc_tamper.engines.mp_spdz.protocols import SETTINGS, PlanEffect

    console = Console(highlight=False, soft_wrap=True)
    found = Installation.locate(os.environ)
    compiler = found.compiler_problem()
    console.print(f"MP-SPDZ {found.version_text} in {found.home}", markup=False)
    console.print(f"compiler: {compiler or f'runs with {found.python}'}", markup=False)
    for patch in Patch:
        report = found.patch_report(patch)
        differing = f" in {', '.join(report.differing)}" if report.differing else ""
        console.print(f"patch {patch}: {report.state}{differing}", markup=False)

    table = Table("protocol", "security", "runs", "additive errors", box=None, title="protocols", title_justify="left")
    missing: dict[str, None] = {}
    statuses = [found.status(protocol) for protocol in SETTINGS]
    for status in statuses:
        settings = SETTINGS[status.protocol]
        usable = not (status.problems or status.plan_problems)
        table.add_row(
            status.protocol,
            "active, with abort" if settings.active else "passive",
            "no" if status.problems else "yes",
            "no" if not usable else "run aborts" if settings.plan is PlanEffect.ABORTS else "yes",
        )
        for problem in (*status.problems, *status.plan_problems):
            missing[problem] = None
    console.print(table)
    for problem in missing:
        console.print(f"- {problem}", markup=False)
    if compiler or all(status.problems for status in statuses):
        raise typer.Exit(2)
