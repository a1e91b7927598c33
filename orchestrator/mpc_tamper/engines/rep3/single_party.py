"""One party on this host, the other two on theirs. Nobody orchestrates: they meet where the hosts file says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from mpc_tamper.core.errors import DataError, ParameterError, PlanError, ShareFileError, ShareFolderError
from mpc_tamper.core.notices import told_to
from mpc_tamper.engines.base import OnRemark, OnStep
from mpc_tamper.engines.certificates import check_credentials
from mpc_tamper.engines.frontend.program import load_program
from mpc_tamper.engines.hosts import Address, Host
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.config import PartyConfig, report_file
from mpc_tamper.engines.rep3.party import run_party
from mpc_tamper.engines.rep3.run import collect, prepare
from mpc_tamper.engines.rep3.transport.tls import listen
from mpc_tamper.engines.share_files import check, share_file
from mpc_tamper.engines.validation import check_timeout
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec


def run_on_this_host(
    spec: RunSpec,
    host: Host,
    memory: int | None = None,
    on_step: OnStep | None = None,
    on_remark: OnRemark | None = None,
) -> RunResult:
    """Run one party, in this process, to its end. The result holds its report alone; lines are party 0's.

    spec: inputs, plan and shares_from are this party's own.  memory: see Engine.

    Raises UsageErrors before anything is sent, then what ended the run, at whichever party.
    """
    _check_own(spec, host)
    check_credentials(host.party_id, host.key, host.certificates)
    program = load_program(spec.program)
    budget = prepare(spec, program, 1, memory)
    _load_kernels(kernels.foreseen(program.source, spec.protocol), host)  # not while the others wait for a message
    report_file(spec.run_dir, host.party_id).unlink(missing_ok=True)
    config = PartyConfig.of(
        spec,
        host.party_id,
        host.addresses,
        host.key,
        host.certificates,
        connect_timeout_seconds=host.connect_timeout_seconds,
        budget=budget,
    )
    own = host.addresses[host.party_id]
    with listen(
        host.party_id,
        Address(host.listen_on or own.host, own.port),
        "free the port, or change it in every host's hosts file; where this host has the address only for others, "
        "--listen 0.0.0.0",
    ) as listener:
        run_party(config, listener, on_step, say=host.say, on_remark=on_remark or host.say)
    return collect(spec, [host.party_id])


def _load_kernels(names: Iterable[str], host: Host) -> None:
    """In a first run this takes minutes, while the others wait for this host."""
    with contextlib.nullcontext() if host.say is None else told_to(host.say):
        kernels.load(names)


def _check_own(spec: RunSpec, host: Host) -> None:
    if not 0 <= host.party_id < PARTIES:
        raise ParameterError(f"expected a party from 0 to {PARTIES - 1}, got {host.party_id}")
    check_timeout(host.connect_timeout_seconds, "connect time-out")
    for owner in spec.inputs:
        if owner != host.party_id:
            raise DataError(f"expected party {host.party_id}'s own input, got one of party {owner}: its host enters it")
    if spec.corruption is not None and spec.corruption.party != host.party_id:
        raise PlanError(
            f"expected a plan for party {host.party_id} itself, got one for party {spec.corruption.party}: give it to "
            "the corrupt party on its host"
        )
    if spec.shares_from is not None:
        try:
            check(share_file(spec.shares_from, host.party_id))
        except ShareFileError as exc:
            raise ShareFolderError(str(exc), host.party_id) from exc
