"""An additive-error plan in the terms of the patch: timers by number, and the gates that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mpc_tamper.core.errors import PlanError
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan

PLAN_VARIABLE = "MPC_TAMPER_PLAN"
PARTY_VARIABLE = "MPC_TAMPER_CORRUPT_PARTY"
AND_GATE = "and"  # STEP/and: the lanes of a step's AND gates, in the order in which MP-SPDZ computes them


def numbered(plan: AdditiveErrorPlan, sites: Mapping[int, str]) -> AdditiveErrorPlan:
    """The plan with numbers in place of the names of `sites`. Raises PlanError for a site that the patch lacks."""
    numbers = {name: str(number) for number, name in sites.items()}
    renamed = {site: _numbered_site(site, numbers) for site in plan.sites()}
    return AdditiveErrorPlan.from_errors(
        AdditiveError(renamed[error.site], error.occurrence, error.index, error.value) for error in plan
    )


def environment(base: Mapping[str, str], plan: Path | None, corrupt_party: int | None) -> dict[str, str]:
    """The parties' environment. Only the corrupt party reads the plan. Variables of an outer run are not passed on."""
    own = {key: value for key, value in base.items() if key not in (PLAN_VARIABLE, PARTY_VARIABLE)}
    if plan is None or corrupt_party is None:
        return own
    return own | {PLAN_VARIABLE: str(plan.resolve()), PARTY_VARIABLE: str(corrupt_party)}


def _numbered_site(site: str, numbers: Mapping[str, str]) -> str:
    step, slash, gate = site.partition("/")
    if slash and gate != AND_GATE:
        raise PlanError(
            f"the plan names the gate {site}, but gates belong to one engine: MP-SPDZ has {step}/{AND_GATE} only; use "
            "--engine rep3, or an operation's site, which all engines have"
        )
    number = numbers.get(step, step)
    if not number.isdecimal():
        known = ", ".join(sorted(numbers)) or "none"
        raise PlanError(f"the plan names the step {step}, which the program lacks; it has: {known}")
    return number + slash + gate
