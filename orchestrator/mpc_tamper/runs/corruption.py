"""Which party is corrupt, and what it adds."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_tamper.core.errors import PlanError
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES


@dataclass(frozen=True)
class Corruption:
    """A corrupt party, 0 to 2, and the additive errors that it alone knows. Raises PlanError for another party."""

    party: int
    plan: AdditiveErrorPlan

    def __post_init__(self) -> None:
        if not 0 <= self.party < PARTIES:
            raise PlanError(f"expected a corrupt party from 0 to {PARTIES - 1}, got {self.party}")

    @classmethod
    def of(cls, party: int | None, plan: AdditiveErrorPlan | None) -> Corruption | None:
        """For callers that have the two apart. Raises PlanError where only one of them is given."""
        if party is None and plan is None:
            return None
        if party is None or plan is None:
            raise PlanError(
                "expected an additive-error plan and a corrupt party, or neither, got only one: give both --plan and "
                "--corrupt-party"
            )
        return cls(party, plan)
