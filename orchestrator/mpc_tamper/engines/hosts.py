"""Where the three parties listen, and the file that says so: a line each for party 0, 1 and 2.

alice.example.org:14000
192.0.2.7:14000
[2001:db8::7]:14000  # a comment
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mpc_tamper.core.errors import UsageError
from mpc_tamper.runs.protocols import PARTIES

_LINE = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_LARGEST_PORT = 65535


class Address(NamedTuple):
    """host: a name, an IPv4 address or an IPv6 address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Addresses = tuple[Address, Address, Address]
Route = Callable[[Addresses], AbstractContextManager[Addresses]]


@dataclass(frozen=True)
class Host:
    """This host's place in a run of three.

    addresses: where the other two reach parties 0, 1 and 2.  key: this party's.  certificates: of parties 0, 1 and 2.
    listen_on: a host name or address to listen on in place of the own address, such as 0.0.0.0 where the own address is
    a translated one.
    connect_timeout_seconds: until all three have met.  say: told every so often for whom this host still waits, and in
    a first run what it compiles.
    """

    party_id: int
    addresses: Addresses
    key: Path
    certificates: tuple[Path, Path, Path]
    listen_on: str | None = None
    connect_timeout_seconds: float = 600.0
    say: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Way:
    """From this host to another party. None: not known, or not this host's to find out.

    named: its name resolves.  reached: its port takes connections.  met: TLS with the pinned certificates.
    round_trip_seconds, bits_per_second: of what this host sends.  clock_seconds: how far its clock is ahead.
    """

    party: int
    address: Address
    named: bool | None = None
    reached: bool | None = None
    met: bool | None = None
    round_trip_seconds: float | None = None
    bits_per_second: float | None = None
    clock_seconds: float | None = None


@dataclass(frozen=True)
class Probe:
    """ways: to each other party.  problems: a line each; none where all is well."""

    ways: tuple[Way, ...]
    problems: tuple[str, ...]


def read_hosts(path: Path) -> Addresses:
    """Raises UsageError with the line at fault. What follows # is a comment; empty lines do not count."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: expected a readable hosts file, three lines HOST:PORT: {exc}") from exc
    found = [
        _address(text, f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if (text := line.partition("#")[0].strip())
    ]
    if len(found) != PARTIES:
        raise UsageError(f"{path}: expected {PARTIES} lines HOST:PORT, one per party, got {len(found)}")
    for party, address in enumerate(found):
        if address in found[:party]:
            other = found.index(address)
            raise UsageError(f"{path}: expected different addresses, got {address} for parties {other} and {party}")
    return found[0], found[1], found[2]


def _address(text: str, where: str) -> Address:
    match = _LINE.fullmatch(text)
    if match is None:
        raise UsageError(f"{where}: expected HOST:PORT, or [HOST]:PORT for an IPv6 address, got {text!r}")
    host, port = match["ipv6"] or match["name"], int(match["port"])
    if not 1 <= port <= _LARGEST_PORT:
        raise UsageError(f"{where}: expected a port from 1 to {_LARGEST_PORT}, got {port}")
    if not (_is_ip(host, 6) if match["ipv6"] else _is_name(host)):
        raise UsageError(f"{where}: expected a host name or an IP address, got {host!r}")
    return Address(host, port)


def _is_name(host: str) -> bool:
    """Digits and dots alone are an IPv4 address, which has to be a right one."""
    return _is_ip(host, 4) if re.fullmatch(r"[0-9.]+", host) else _NAME.fullmatch(host) is not None


def _is_ip(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False
