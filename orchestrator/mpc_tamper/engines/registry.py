"""Engines by name. Each is imported when it is asked for: TLS and the like are slow to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.hosts import Addresses, Host, Probe
from mpc_tamper.runs.protocols import EngineName


def get_engine(name: EngineName) -> Engine:
    """A new object of the engine of this name. Nothing is started or checked before its first run."""
    return _ENGINES[name]()


def probe(host: Host | Addresses, facts: Mapping[str, str], seconds: float) -> Probe:
    """What lies between three hosts, whichever engine they run: rep3's TLS, which has the same certificates.

    host: this host, if it is one of the three; else where they listen.
    """
    from mpc_tamper.engines.rep3.probe import probe_addresses, probe_hosts

    return probe_hosts(host, facts, seconds) if isinstance(host, Host) else probe_addresses(host)


def _clear() -> Engine:
    from mpc_tamper.engines.clear.engine import ClearEngine

    return ClearEngine()


def _rep3() -> Engine:
    from mpc_tamper.engines.rep3.launcher import get_launcher

    get_launcher()  # imports what parties need, while this process imports the engine

    from mpc_tamper.engines.rep3.engine import Rep3Engine

    return Rep3Engine()


def _mp_spdz() -> Engine:
    from mpc_tamper.engines.mp_spdz.engine import MpSpdzEngine

    return MpSpdzEngine()


_ENGINES: Mapping[EngineName, Callable[[], Engine]] = MappingProxyType(
    {EngineName.CLEAR: _clear, EngineName.REP3: _rep3, EngineName.MP_SPDZ: _mp_spdz}
)
