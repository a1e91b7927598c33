"""The one table of protocols, written out, and what the engines say that they run."""

from __future__ import annotations

import pytest

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import FACTS, EngineName, ProtocolName

P = ProtocolName
TABLE = {  # active, basis, ring
    P.RING: (False, P.RING, True),
    P.PS_REP_RING: (True, P.RING, True),
    P.MAL_REP_RING: (True, P.RING, True),
    P.SY_REP_RING: (True, P.RING, True),
    P.SHAMIR: (False, P.SHAMIR, False),
    P.MAL_SHAMIR: (True, P.SHAMIR, False),
    P.REP_FIELD: (False, P.REP_FIELD, False),
    P.MAL_REP_FIELD: (True, P.REP_FIELD, False),
}


@pytest.mark.parametrize("protocol", ProtocolName)
def test_the_table(protocol: ProtocolName) -> None:
    assert (protocol.active, protocol.basis, protocol.ring) == TABLE[protocol]


def test_every_protocol_has_its_facts() -> None:
    assert set(FACTS) == set(ProtocolName)


@pytest.mark.parametrize("protocol", ProtocolName)
def test_the_basis_is_passive_and_over_the_same_ring(protocol: ProtocolName) -> None:
    assert not protocol.basis.active
    assert protocol.basis.basis is protocol.basis
    assert protocol.basis.ring == protocol.ring
    assert protocol.active == (protocol.basis is not protocol)


@pytest.mark.parametrize(
    ("name", "protocols", "active"),
    [
        (EngineName.CLEAR, {P.RING}, None),
        (EngineName.REP3, {P.RING, P.MAL_REP_RING}, P.MAL_REP_RING),
        (EngineName.MP_SPDZ, set(ProtocolName), P.MAL_REP_RING),
    ],
)
def test_what_each_engine_runs(name: EngineName, protocols: set[ProtocolName], active: ProtocolName | None) -> None:
    engine = get_engine(name)
    assert engine.name is name
    assert engine.protocols == protocols
    assert engine.active_protocol() is active
    assert engine.capabilities.queries.keys() <= protocols
