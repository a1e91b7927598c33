"""One party of MP-SPDZ on this host, and the other two on theirs; they meet where the hosts file says.

Each host has its own MP-SPDZ tree and compiles for itself; MP-SPDZ listens on all of a host's addresses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from mpc_tamper.core.errors import DataError, ParameterError, PlanError
from mpc_tamper.engines.base import OnStep
from mpc_tamper.engines.hosts import Addresses, Host
from mpc_tamper.engines.mp_spdz import run_folder
from mpc_tamper.engines.mp_spdz.certificates import install_certificates
from mpc_tamper.engines.mp_spdz.run import execute, prepare
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec


def run_on_this_host(
    spec: RunSpec, host: Host, environment: Mapping[str, str] | None = None, on_step: OnStep | None = None
) -> RunResult:
    """Run one party to its end. The result holds its report alone; lines are party 0's.

    spec: inputs, corruption and shares_from are this party's own.  host: addresses are IPv4, and certificates are made
    for the names P0, P1 and P2. MP-SPDZ listens on all addresses of its host, and waits a minute for the others.
    """
    _check_own(spec, host.party_id, host.addresses)
    prepared = prepare(spec, dict(os.environ if environment is None else environment))
    install_certificates(host.party_id, host.key, host.certificates, run_folder.player_data(spec.run_dir))
    run_folder.write_hosts(spec.run_dir, host.party_id, host.addresses)
    return execute(prepared, [host.party_id], on_step)


def _check_own(spec: RunSpec, party_id: int, addresses: Addresses) -> None:
    if not 0 <= party_id < PARTIES:
        raise ParameterError(f"expected a party from 0 to {PARTIES - 1}, got {party_id}")
    for owner in spec.inputs:
        if owner != party_id:
            raise DataError(f"expected party {party_id}'s own input, got one of party {owner}: its host enters it")
    if spec.corruption is not None and spec.corruption.party != party_id:
        raise PlanError(
            f"expected a plan for party {party_id} itself, got one for party {spec.corruption.party}: give it to the "
            "corrupt party on its host"
        )
    for address in addresses:
        if ":" in address.host:
            raise ParameterError(f"expected host names or IPv4 addresses, which MP-SPDZ takes, got {address}")
