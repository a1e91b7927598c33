"""Engines by name. Each is imported when it is asked for: numba and TLS are slow to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from orchestrator.engines.base import Engine
from orchestrator.records import EngineName


def get_engine(name: EngineName) -> Engine:
    return _ENGINES[name]()


def _clear() -> Engine:
    from orchestrator.engines.clear.engine import ClearEngine

    return ClearEngine()


def _rep3() -> Engine:
    from orchestrator.engines.rep3.engine import Rep3Engine

    return Rep3Engine()


def _mp_spdz() -> Engine:
    from orchestrator.engines.mp_spdz.engine import MpSpdzEngine

    return MpSpdzEngine()


_ENGINES: Mapping[EngineName, Callable[[], Engine]] = MappingProxyType(
    {EngineName.CLEAR: _clear, EngineName.REP3: _rep3, EngineName.MP_SPDZ: _mp_spdz}
)
