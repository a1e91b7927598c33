"""MP-SPDZ beside the engines of our own. Tests that use these fixtures have the marker mp_spdz."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.mp_spdz.engine import MpSpdzEngine
from mpc_tamper.engines.mp_spdz.installation import Installation
from mpc_tamper.runs.protocols import ProtocolName


@pytest.fixture(scope="session")
def installation() -> Installation:
    return Installation.locate(os.environ)


@pytest.fixture(scope="session")
def mp_spdz(installation: Installation) -> Callable[..., MpSpdzEngine]:
    """mp_spdz(protocol, plan=True): the engine, where the tree can run that; skips with the reason otherwise."""

    def engine(protocol: ProtocolName = ProtocolName.RING, *, plan: bool = False) -> MpSpdzEngine:
        try:
            installation.require(protocol, plan=plan)
        except EngineUnavailable as missing:
            pytest.skip(str(missing))
        return MpSpdzEngine()

    return engine
