"""Where the parties of a command run: all three here, here as over a network, or on three hosts with one party on each.

With --hosts FILE --party I the same command runs on each of three hosts. FILE says where the parties listen; beside it,
unless --keys names another folder, the folder certificates/ holds party0.pem, party1.pem, party2.pem and the host's own
key, party<i>.key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.options import ThreadsOption
from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.memory import FORM as FORM_OF_SIZE
from mpc_tamper.core.memory import read_size
from mpc_tamper.runs.network import FORM, read_network
from mpc_tamper.runs.protocols import PARTIES, EngineName
from mpc_tamper.runs.spec import MAX_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from mpc_tamper.engines.base import Engine
    from mpc_tamper.engines.hosts import Host

KEYS = "certificates"  # the folder beside the hosts file
CONNECT_SECONDS = 600.0
_PANEL = "Three hosts"

HostsOption = Annotated[
    Path | None,
    typer.Option(
        "--hosts",
        metavar="FILE",
        rich_help_panel=_PANEL,
        help="Run one party here and the others on their hosts; FILE has the HOST:PORT of parties 0, 1 and 2, a line "
        "each. (default: all three here)",
    ),
]
PlacePartyOption = Annotated[
    int | None,
    typer.Option(
        "--party", min=0, max=PARTIES - 1, rich_help_panel=_PANEL, help="Which party this host is, for --hosts."
    ),
]
KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        metavar="DIR",
        rich_help_panel=_PANEL,
        help="The folder of the three certificates and this host's key, for --hosts. (default: certificates, beside "
        "FILE)",
    ),
]
ListenOption = Annotated[
    str | None,
    typer.Option(
        "--listen",
        metavar="HOST",
        rich_help_panel=_PANEL,
        help="Listen at this address, for --hosts on rep3. (default: the one in FILE)",
    ),
]
ConnectTimeoutOption = Annotated[
    float,
    typer.Option(
        "--connect-timeout",
        min=0.1,
        max=MAX_TIMEOUT_SECONDS,
        rich_help_panel=_PANEL,
        help="How many seconds, for --hosts on rep3, until all three have to be there.",
    ),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar=FORM,
        help="Let the three local parties reach each other as over this network, such as 20ms,500Mbit.",
    ),
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar=FORM_OF_SIZE,
        help="How much memory each party may fill, such as 512M; larger rows are mapped from files in the run folder. "
        "(default: a part of what the machine has left)",
    ),
]

SimulatedHoursOption = Annotated[
    float,
    typer.Option(
        "--simulated-hours",
        min=0.0,
        help="Begin with all counters of the protocol as after so many hours at the highest rates, to see that they "
        "meet no limit.",
    ),
]


@dataclass(frozen=True)
class PlaceOptions:
    """What every command that can run on three hosts has."""

    hosts: HostsOption = None
    party: PlacePartyOption = None
    keys: KeysOption = None
    listen: ListenOption = None
    connect_timeout: ConnectTimeoutOption = CONNECT_SECONDS
    network: NetworkOption = None
    threads: ThreadsOption = None
    memory: MemoryOption = None

    def engine(self, name: EngineName, *, quiet: bool = False) -> Engine:
        """The engine of this name, at these places. Raises UsageErrors for what is wrong on this host."""
        from mpc_tamper.engines.hosted import HostedEngine

        if self.hosts is None:
            for option in ("party", "keys", "listen"):
                if getattr(self, option) is not None:
                    raise UsageError(f"expected --hosts FILE with --{option}, got none; say where the parties listen")
            return local_engine(name, network=self.network, memory=self.memory, threads=self.threads)
        if self.network is not None:
            raise UsageError(
                "expected --network without --hosts, got both: three hosts have a network of their own; leave one out"
            )
        if self.party is None:
            raise UsageError("expected --party 0, 1 or 2 with --hosts, got none; say which of the three this host is")
        engine = local_engine(name, memory=self.memory, threads=self.threads)
        keys = keys_beside(self.hosts) if self.keys is None else self.keys
        host = this_host(
            self.party,
            self.hosts,
            None,
            [keys],
            listen=self.listen,
            connect_timeout=self.connect_timeout,
            quiet=quiet,
        )
        return HostedEngine(engine, host)


def local_engine(
    name: EngineName, *, network: str | None = None, memory: str | None = None, threads: int | None = None
) -> Engine:
    """The engine of this name, with a network between its parties, a budget of memory and threads of each party where
    they are asked for.

    Raises EngineUnavailable for what the engine lacks, ParameterError for a network or a size that is none.
    """
    from mpc_tamper.engines.registry import get_engine

    engine = get_engine(name)
    if network is not None:
        engine = engine.over(read_network(network))
    if memory is not None:
        engine = engine.within(read_size(memory))
    return engine.on_threads(threads)


def late(engine: Engine, hours: float) -> Engine:
    """The engine, whose runs begin as after so many hours. Raises EngineUnavailable where it cannot."""
    return engine.after(hours) if hours else engine


def keys_beside(hosts: Path) -> Path:
    """Where certificates and the key are if nobody says otherwise."""
    return hosts.parent / KEYS


def this_host(
    party: int,
    hosts: Path,
    key: Path | None,
    certificates: list[Path],
    *,
    listen: str | None,
    connect_timeout: float,
    quiet: bool,
) -> Host:
    """This host's place among the three, its files checked. Says whom it is about to meet.

    key: party<i>.key beside the first of the certificates where None.
    """
    from mpc_tamper.engines.certificates import check_credentials, key_file, readable_by_others
    from mpc_tamper.engines.hosts import Host, read_hosts

    addresses, pinned = read_hosts(hosts), three_certificates(certificates)
    key = key_file(pinned[0].parent, party) if key is None else key
    check_credentials(party, key, pinned)
    if readable_by_others(key):
        console.warn(f"{key} can be read by other users; chmod 600 {key}")
    if not quiet:
        others = " and ".join(f"party {i} at {addresses[i]}" for i in range(PARTIES) if i != party)
        console.note(f"party {party} at {addresses[party]}, to meet {others}")
    return Host(party, addresses, key, pinned, listen, connect_timeout, None if quiet else console.note)


def three_certificates(paths: list[Path]) -> tuple[Path, Path, Path]:
    """Those of parties 0, 1 and 2."""
    from mpc_tamper.core.files import is_file
    from mpc_tamper.engines.certificates import certificate_file

    if len(paths) == 1 and not is_file(paths[0]):
        paths = [certificate_file(paths[0], i) for i in range(PARTIES)]
    if len(paths) != PARTIES:
        raise UsageError(f"expected --certificates DIR, or three times with a FILE each, got {len(paths)} files")
    return paths[0], paths[1], paths[2]
