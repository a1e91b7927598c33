"""Every protocol that an audit knows runs a program as the oracle does, and does what is known of it under an error."""

from __future__ import annotations

import pytest

from mpc_tamper.engines.mp_spdz.audited import AUDITED
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.engines.mp_spdz.patch_state import Patch
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.tampering import Domain, Point
from mpc_tamper.runs.plan import AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.audit.case import prepared
from mpc_tamper.studies.audit.verdicts import Verdict

PROGRAM = """
x0 = sint.get_input_from(0, size=2)
x1 = sint.get_input_from(1, size=2)
start_timer(3)
x2 = x0 * x1
stop_timer(3)
print_ln('x2 = %s', x2.reveal())
"""
INPUTS = {0: "3 4\n", 1: "-5 6\n"}
# in programs of bits alone every product takes seconds
ARITHMETIC = [name for name, settings in AUDITED.items() if settings.domain is not Domain.BITS]


@pytest.mark.parametrize("name", ARITHMETIC)
def test_an_error_at_a_product_is_noticed(installation: Installation, name: str) -> None:
    engine = get_engine(EngineName.MP_SPDZ)
    (protocol,) = [each for each in engine.audited_protocols() if each.name == name]
    if protocol.problem is not None:
        pytest.skip(protocol.problem)
    with prepared(engine, protocol, PROGRAM, INPUTS) as case:
        assert case.honest().verdict is Verdict.HONEST
        sites, outcome = case.survey(0)
        assert outcome.verdict is Verdict.HONEST
        points = {site.point for site in sites}
        assert Point.MESSAGE in points
        assert points.isdisjoint(protocol.lacking)
        if Point.OPERATION in protocol.lacking:
            return
        assert Point.OPERATION in points
        known = name == "sy-rep-ring" and Patch.ZERO_CHECK not in protocol.implementation  # see the advisory
        plan = AdditiveErrorPlan.parse("additive-error-plan 1\n3 0 0 1\n")
        assert case.play(0, plan).verdict is (Verdict.ACCEPTED if known else Verdict.NOTICED)
