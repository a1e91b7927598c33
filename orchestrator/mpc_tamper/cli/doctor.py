"""mpc-tamper doctor: what is missing on this machine for MP-SPDZ, or what is in the way between three hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_tamper.cli import console
from mpc_tamper.cli.places import (
    HostsOption,
    KeysOption,
    ListenOption,
    PlacePartyOption,
    keys_beside,
    three_certificates,
)
from mpc_tamper.core.errors import UsageError
from mpc_tamper.runs.protocols import PARTIES, EngineName

if TYPE_CHECKING:
    from mpc_tamper.engines.hosts import Way

WRONG = 2  # exit code


def doctor(
    hosts: HostsOption = None,
    party: PlacePartyOption = None,
    keys: KeysOption = None,
    listen: ListenOption = None,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0.1,
            max=3600,
            rich_help_panel="Three hosts",
            help="How many seconds to wait for the doctors of the other two.",
        ),
    ] = 60.0,
) -> None:
    """Check the MP-SPDZ tree that MP_SPDZ_HOME names. The exit code is 2 if no protocol can run.

    With --hosts FILE, on all three hosts at the same time: check this host's files and the way to the other two, and
    name what is wrong. The exit code is 2 if anything is.
    """
    if hosts is not None:
        _check_hosts(hosts, _which(party, hosts, keys), keys, listen, wait)
        return
    if party is not None or keys is not None or listen is not None:
        raise UsageError("expected --hosts FILE with --party, --keys and --listen, got none; say where they listen")
    from mpc_tamper.engines.registry import get_engine

    for problem in _plugin_problems():
        console.warn(problem)
    found = get_engine(EngineName.MP_SPDZ).diagnose()
    for fact in found.facts:
        console.say(fact)
    rows = []
    for report in found.protocols:
        security = "active, with abort" if report.protocol.active else "passive"
        rows.append((report.protocol, security, "yes" if report.runs else "no", report.errors))
    console.say(console.table("protocols", ("protocol", "security", "runs", "additive errors"), rows, left=4))
    for problem in found.missing:
        console.say(f"- {problem}")
    if not found.usable:
        raise typer.Exit(WRONG)


def _which(party: int | None, hosts: Path, keys: Path | None) -> int | None:
    """Which party this host is: the one whose key it has, where nobody says; None where it has none."""
    from mpc_tamper.engines.certificates import key_file

    if party is not None:
        return party
    folder = keys_beside(hosts) if keys is None else keys
    found = [i for i in range(PARTIES) if key_file(folder, i).exists()]
    if len(found) > 1:
        raise UsageError(
            f"{folder}: expected the key of one party, got those of {' and '.join(map(str, found))}; say which this "
            "host is (--party), and remove the others, which belong on their own hosts"
        )
    return found[0] if found else None


def _check_hosts(hosts: Path, party: int | None, keys: Path | None, listen: str | None, wait: float) -> None:
    from mpc_tamper.engines.certificates import key_file
    from mpc_tamper.engines.hosts import Host, read_hosts
    from mpc_tamper.engines.registry import probe

    addresses, folder = read_hosts(hosts), keys_beside(hosts) if keys is None else keys
    if party is None:
        console.note(f"no key in {folder}: this host is none of the three; their names and ports are looked at alone")
        found = probe(addresses, {}, wait)
    else:
        own = addresses[party]
        console.note(f"party {party} at {own}; waiting up to {wait:g} s for the doctors of the other two")
        host = Host(party, addresses, key_file(folder, party), three_certificates([folder]), listen, wait, console.note)
        found = probe(host, _facts(), wait)
    columns = ("party", "address", "name", "port", "TLS", "round trip", "rate", "clock")
    console.say(console.table("", columns, [_row(way) for way in found.ways], left=5))
    for problem in found.problems:
        console.say(f"- {problem}")
    if found.problems:
        raise typer.Exit(WRONG)
    if party is not None:
        console.say("nothing is wrong")


def _facts() -> dict[str, str]:
    """What has to be equal on all three hosts."""
    import hashlib
    from importlib.metadata import version

    from mpc_tamper.core import bundle

    digest = hashlib.sha256()
    for path in bundle.programs("*.mpc"):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return {"version of mpc-tamper": version("mpc-tamper"), "set of programs (sha256)": digest.hexdigest()}


def _row(way: Way) -> tuple[str, ...]:
    words = {True: "ok", False: "wrong", None: "-"}
    trip, rate, clock = way.round_trip_seconds, way.bits_per_second, way.clock_seconds
    return (
        str(way.party),
        str(way.address),
        words[way.named],
        words[way.reached],
        words[way.met],
        "-" if trip is None else f"{1000 * trip:.2f} ms",
        "-" if rate is None else f"{rate / 1e6:,.0f} Mbit/s",
        "-" if clock is None else f"{clock:+.1f} s",
    )


def _plugin_problems() -> list[str]:
    """Of attacks and defences of other distributions; those of models are told whenever the command line starts."""
    from mpc_tamper.attacks.registry import ATTACKS
    from mpc_tamper.defences.registry import DEFENCES

    return [*ATTACKS.problems(), *DEFENCES.problems()]
