"""A corruption is a party and a plan, both or neither."""

from __future__ import annotations

import pytest

from mpc_tamper.core.errors import PlanError
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES

PLAN = AdditiveErrorPlan.parse("additive-error-plan 1\nGRADIENT 0 1 2\n")


@pytest.mark.parametrize("party", range(PARTIES))
def test_a_party_and_its_plan(party: int) -> None:
    corruption = Corruption.of(party, PLAN)
    assert corruption == Corruption(party, PLAN)
    assert corruption is not None
    assert (corruption.party, corruption.plan) == (party, PLAN)


def test_an_empty_plan_is_a_plan() -> None:
    assert Corruption.of(0, AdditiveErrorPlan()) == Corruption(0, AdditiveErrorPlan())


def test_neither_is_an_honest_run() -> None:
    assert Corruption.of(None, None) is None


@pytest.mark.parametrize(("party", "plan"), [(0, None), (2, None), (None, PLAN), (None, AdditiveErrorPlan())])
def test_one_without_the_other_is_refused(party: int | None, plan: AdditiveErrorPlan | None) -> None:
    with pytest.raises(PlanError, match="give both --plan and --corrupt-party"):
        Corruption.of(party, plan)


@pytest.mark.parametrize("party", [-1, PARTIES])
def test_a_party_that_there_is_not_is_refused(party: int) -> None:
    with pytest.raises(PlanError, match=f"expected a corrupt party from 0 to 2, got {party}"):
        Corruption(party, PLAN)
    with pytest.raises(PlanError, match="from 0 to 2"):
        Corruption.of(party, PLAN)
