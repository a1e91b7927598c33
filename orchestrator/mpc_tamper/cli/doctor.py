"""mpc-tamper doctor: which protocols the MP-SPDZ of this machine can run, and what is missing for the others."""

from __future__ import annotations

import typer

from mpc_tamper.cli import console
from mpc_tamper.runs.protocols import EngineName


def doctor() -> None:
    """Check the MP-SPDZ tree that MP_SPDZ_HOME names. The exit code is 2 if no protocol can run."""
    from mpc_tamper.engines.registry import get_engine

    for problem in _plugin_problems():
        console.warn(problem)
    found = get_engine(EngineName.MP_SPDZ).diagnose()
    for fact in found.facts:
        console.say(fact)
    rows = []
    for report in found.protocols:
        security = "active, with abort" if report.protocol.active else "passive"
        rows.append((report.protocol, security, "yes" if report.runs else "no", report.errors))
    console.say(console.table("protocols", ("protocol", "security", "runs", "additive errors"), rows, left=4))
    for problem in found.missing:
        console.say(f"- {problem}")
    if not found.usable:
        raise typer.Exit(2)


def _plugin_problems() -> list[str]:
    """Of attacks and defences of other distributions; those of models are told whenever the command line starts."""
    from mpc_tamper.attacks.registry import ATTACKS
    from mpc_tamper.defences.registry import DEFENCES

    return [*ATTACKS.problems(), *DEFENCES.problems()]
