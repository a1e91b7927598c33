"""What the MP-SPDZ tree of this machine can run, and what is missing for the rest."""

from __future__ import annotations

from collections.abc import Mapping

from mpc_tamper.engines.base import Diagnosis, ProtocolReport
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.patch_state import Patch
from mpc_tamper.engines.mp_spdz.protocols import SETTINGS, PlanEffect


def diagnose(environment: Mapping[str, str]) -> Diagnosis:
    """Raises EngineUnavailable where the environment names no tree of a supported version."""
    found = Installation.locate(environment)
    compiler = found.compiler_problem()
    facts = [f"MP-SPDZ {found.tree} in {found.home}", f"compiler: {compiler or f'runs with {found.python}'}"]
    for patch in Patch:
        report = found.patch_report(patch)
        differing = f" in {', '.join(report.differing)}" if report.differing else ""
        facts.append(f"patch {patch}: {report.state}{differing}")
    statuses = [found.status(protocol) for protocol in SETTINGS]
    protocols = []
    for status in statuses:
        usable = not (status.problems or status.plan_problems)
        aborts = SETTINGS[status.protocol].plan is PlanEffect.ABORTS
        errors = "no" if not usable else "run aborts" if aborts else "yes"
        protocols.append(ProtocolReport(status.protocol, not status.problems, errors))
    missing = dict.fromkeys(problem for s in statuses for problem in (*s.problems, *s.plan_problems))
    usable = not compiler and not all(status.problems for status in statuses)
    return Diagnosis(tuple(facts), tuple(protocols), tuple(missing), usable)
