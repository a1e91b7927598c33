"""What to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.protocols import ProtocolName

MAX_TIMEOUT_SECONDS = 86_400.0
QUERY_BUDGET = 1000  # of each client; docs/clients.md says why
MAX_THREADS = 256  # of a party
MAX_VERDICTS = 10  # on a model, on each host (workflows/verdicts.py)


@dataclass(frozen=True)
class InputFiles:
    """One data owner's private input, in MP-SPDZ's two formats.

    text: decimal integers between white space.  binary: little-endian int64, no header.
    """

    text: Path | None = None
    binary: Path | None = None


@dataclass(frozen=True)
class ClientAccess:
    """How servers and clients outside them know each other.

    identities: a folder with party<i>.key and party<i>.pem, which the servers show; None: those of the run.
    known: a folder with the certificates of the clients to serve; None serves anybody.
    budget: how many queries about the model in shares_from each client may ask, all anonymous ones together, over all
    sessions on this host; None for no limit. Programs that read no shares have none.
    together: for how many answers an active protocol makes one proof, at most. An answer waits for those of clients who
    are there already.
    """

    identities: Path | None = None
    known: Path | None = None
    budget: int | None = QUERY_BUDGET
    together: int = 1


@dataclass(frozen=True)
class RunSpec:
    """One run of one .mpc program by three parties.

    run_dir: a folder of this run's own; the engine writes Persistence/, Player-Data/ and logs below it.
    shares_from: the run_dir of an earlier run whose share files this program reads, or None.
    corruption: who adds which errors; None for an honest run.
    timeout_seconds: how long a party waits for a message.
    clients: for programs that serve clients.
    port_base: parties listen on port_base + party_id of 127.0.0.1; None lets the system choose.
    threads: of each party's computation, which is the same for any number; None: 1 where three parties share this
    machine, and as many as there are cores where this host runs one, or nothing but the clear engine.
    """

    program: Path
    args: tuple[str, ...] = ()
    protocol: ProtocolName = ProtocolName.RING
    inputs: Mapping[int, InputFiles] = field(default_factory=dict)
    run_dir: Path = Path("runs/last")
    shares_from: Path | None = None
    corruption: Corruption | None = None
    timeout_seconds: float = 60.0
    port_base: int | None = None
    clients: ClientAccess = ClientAccess()
    threads: int | None = None
