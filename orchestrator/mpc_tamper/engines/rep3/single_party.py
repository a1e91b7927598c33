"""One party on this host, the other two on theirs. Nobody orchestrates: they meet where the hosts file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import DataError, ParameterError, PlanError, ShareFileError, ShareFolderError
from mpc_tamper.engines.frontend.program import load_program
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.config import PartyConfig, report_file
from mpc_tamper.engines.rep3.party import run_party
from mpc_tamper.engines.rep3.run import collect, prepare
from mpc_tamper.engines.rep3.share_files import check, share_file
from mpc_tamper.engines.rep3.transport.certificates import check_credentials
from mpc_tamper.engines.rep3.transport.tls import listen
from mpc_tamper.engines.validation import check_timeout
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import PARTIES, RunSpec


@dataclass(frozen=True)
class Host:
    """This host's place in a run.

    addresses: where the other two reach parties 0, 1 and 2.  key: this party's.  certificates: of parties 0, 1 and 2.
    listen_on: a host name or address to listen on in place of the own address, such as 0.0.0.0 behind a translated one.
    connect_timeout_seconds: until all three have met.
    """

    party_id: int
    addresses: Addresses
    key: Path
    certificates: tuple[Path, Path, Path]
    listen_on: str | None = None
    connect_timeout_seconds: float = 600.0


def run_on_this_host(spec: RunSpec, host: Host) -> RunResult:
    """Run one party, in this process, to its end. The result holds its report alone; lines are party 0's.

    spec: inputs, plan and shares_from are this party's own.  Raises UsageErrors before anything is sent, then what
    ended the run, at whichever party.
    """
    _check_own(spec, host)
    check_credentials(host.party_id, host.key, host.certificates)
    program = load_program(spec.program)
    prepare(spec, program)
    kernels.load(kernels.foreseen(program.source, spec.protocol))  # not while the others wait for a message
    report_file(spec.run_dir, host.party_id).unlink(missing_ok=True)
    config = PartyConfig.of(
        spec,
        host.party_id,
        host.addresses,
        host.key,
        host.certificates,
        connect_timeout_seconds=host.connect_timeout_seconds,
    )
    own = host.addresses[host.party_id]
    with listen(
        host.party_id,
        Address(host.listen_on or own.host, own.port),
        "free the port, or change it in every host's hosts file; where this host has the address only for others, "
        "--listen 0.0.0.0",
    ) as listener:
        run_party(config, listener)
    return collect(spec, [host.party_id])


def _check_own(spec: RunSpec, host: Host) -> None:
    if not 0 <= host.party_id < PARTIES:
        raise ParameterError(f"expected a party from 0 to {PARTIES - 1}, got {host.party_id}")
    check_timeout(host.connect_timeout_seconds, "connect time-out")
    for owner in spec.inputs:
        if owner != host.party_id:
            raise DataError(f"expected party {host.party_id}'s own input, got one of party {owner}: its host enters it")
    if spec.corrupt_party not in (None, host.party_id):
        raise PlanError(
            f"expected a plan for party {host.party_id} itself, got one for party {spec.corrupt_party}: give it to the "
            "corrupt party on its host"
        )
    if spec.shares_from is not None:
        try:
            check(share_file(spec.shares_from, host.party_id))
        except ShareFileError as exc:
            raise ShareFolderError(str(exc), host.party_id) from exc
