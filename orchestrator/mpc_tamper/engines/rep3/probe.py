"""What lies between three hosts: whether each pair meets, what differs between them, and how fast the way is.

Each pair is measured on its own, in the same order at all three: (0, 1), (0, 2), (1, 2). Of a pair, the party with the
higher id begins. Round trip: the shortest of some. Rate: of bytes one way until the other has said that they have come.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mpc_tamper.core.errors import FrameError, PortInUse, UsageError
from mpc_tamper.engines.certificates import check_credentials, fingerprint, readable_by_others
from mpc_tamper.engines.hosts import Address, Addresses, Host, Probe, Way
from mpc_tamper.engines.rep3.handshake import WIRE_VERSION
from mpc_tamper.engines.rep3.meeting import Meeting, look_up, meet, reach
from mpc_tamper.engines.rep3.transport.patience import patience
from mpc_tamper.engines.rep3.transport.tls import Identity, listen
from mpc_tamper.runs.protocols import PARTIES

_PINGS = 10
_RATE_SECONDS = 0.25
_BLOCK_BYTES = 1 << 16
_MOST_BLOCKS = 256
_LAST, _MORE = b"\0", b"\1"
_LARGEST = 1 << 16  # bytes of a message
_MOST_CLOCK_SECONDS = 60.0  # of clocks that are apart; certificates allow an hour
_ADVICE = (
    "another program has the port, such as a party that is still running: end it, or change the hosts file of all "
    "hosts; where this host has the address only for others, --listen 0.0.0.0"
)


def probe_addresses(addresses: Addresses) -> Probe:
    """From a host that is none of the three and has no key: names and ports alone."""
    meeting = Meeting()
    _knock(addresses, range(PARTIES - 1), range(PARTIES), meeting)
    ways = [_way(party, addresses[party], meeting, None) for party in range(PARTIES)]
    return Probe(tuple(ways), tuple(meeting.problems[party] for party in sorted(meeting.problems)))


def probe_hosts(host: Host, facts: Mapping[str, str], seconds: float) -> Probe:
    """As one of the three, while the others do the same within so many seconds.

    facts: what is to be equal at all three, such as the version, with what it is called.
    """
    problems: list[str] = []
    others = [party for party in range(PARTIES) if party != host.party_id]
    try:
        check_credentials(host.party_id, host.key, host.certificates)
        usable = True
    except UsageError as wrong:
        problems.append(str(wrong))
        usable = False
    with contextlib.suppress(UsageError):  # of a key that is not there, which was said
        if readable_by_others(host.key):
            problems.append(f"{host.key} can be read by other users; chmod 600 {host.key}")
    if not usable:
        meeting = Meeting()
        _knock(host.addresses, range(host.party_id), others, meeting)
        problems += [meeting.problems[party] for party in sorted(meeting.problems)]
        return Probe(tuple(_way(party, host.addresses[party], meeting, None) for party in others), tuple(problems))
    identity = Identity(host.party_id, host.key, host.certificates)
    compared = _facts(host, facts)
    with contextlib.ExitStack() as stack:
        listener = _listen(host, problems)
        if listener is not None:
            stack.enter_context(listener)
        meeting = stack.enter_context(contextlib.closing(_meet(identity, listener, host, seconds)))
        measured: dict[int, _Measured | None] = {}
        for party in others:
            measured[party] = None
            if party in meeting.links:
                measured[party] = _measure(host.party_id, party, meeting.links[party], compared, problems)
        for party in sorted(meeting.problems):
            if listener is not None or party < host.party_id:
                problems.append(meeting.problems[party])
    return Probe(tuple(_way(p, host.addresses[p], meeting, measured[p]) for p in others), tuple(problems))


@dataclass(frozen=True)
class _Measured:
    round_trip_seconds: float
    bits_per_second: float
    clock_seconds: float


def _listen(host: Host, problems: list[str]) -> socket.socket | None:
    own = host.addresses[host.party_id]
    try:
        return listen(host.party_id, Address(host.listen_on or own.host, own.port), _ADVICE)
    except PortInUse as exc:
        problems.append(str(exc))
        return None


def _meet(identity: Identity, listener: socket.socket | None, host: Host, seconds: float) -> Meeting:
    found = Meeting()
    others = {*range(PARTIES)} - {host.party_id}
    with patience(host.say, others, found.links):
        meet(identity, listener, host.addresses, seconds, found)
    for party in others - found.named.keys():
        look_up(host.addresses[party], party, found)
    return found


def _knock(addresses: Addresses, dialled: Container[int], all_of_them: Iterable[int], meeting: Meeting) -> None:
    """Names and, of parties that others dial, ports: nobody dials the last one."""
    for party in all_of_them:
        (reach if party in dialled else look_up)(addresses[party], party, meeting)


def _facts(host: Host, facts: Mapping[str, str]) -> dict[str, str]:
    """What both sides compare, by what it is called."""
    hosts = " ".join(map(str, host.addresses))
    pinned = {f"certificate of party {i}": fingerprint(path) for i, path in enumerate(host.certificates)}
    return {**facts, "wire version": str(WIRE_VERSION), "hosts file": hosts, **pinned}


def _way(party: int, address: Address, meeting: Meeting, measured: _Measured | None) -> Way:
    tried = bool(meeting.links) or party in meeting.problems
    return Way(
        party,
        address,
        meeting.named.get(party),
        True if party in meeting.links else meeting.reached.get(party),
        True if party in meeting.links else False if tried else None,
        None if measured is None else measured.round_trip_seconds,
        None if measured is None else measured.bits_per_second,
        None if measured is None else measured.clock_seconds,
    )


def _measure(
    own: int, peer: int, link: ssl.SSLSocket, facts: Mapping[str, str], problems: list[str]
) -> _Measured | None:
    """Compare and measure with one other party; what differs goes to the problems."""
    try:
        _send(link, facts)
        problems += _differences(peer, facts, _receive(link))
        if own > peer:
            delay, ahead = _ping(link)
            _answer_pings(link)
            rate = _send_fast(link)
            _take_fast(link)
        else:
            _answer_pings(link)
            delay, ahead = _ping(link)
            _take_fast(link)
            rate = _send_fast(link)
    except (OSError, FrameError, ValueError, TypeError, KeyError) as exc:
        problems.append(f"party {peer} was met, and left while the way to it was measured ({exc}); run it again")
        return None
    if abs(ahead) > _MOST_CLOCK_SECONDS:
        apart = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'}"
        problems.append(
            f"party {peer}: expected clocks within {_MOST_CLOCK_SECONDS:.0f} s, got one {apart} "
            "this host's; set the clocks by NTP, or certificates may be out of their time"
        )
    return _Measured(delay, rate, ahead)


def _differences(peer: int, ours: Mapping[str, str], theirs: Mapping[str, Any]) -> list[str]:
    return [
        f"party {peer} has another {name}: expected {value}, got {str(theirs.get(name, 'none'))[:200]}; make it the "
        "same on all three hosts"
        for name, value in ours.items()
        if theirs.get(name) != value
    ]


def _ping(link: ssl.SSLSocket) -> tuple[float, float]:
    """Seconds of a round trip, and how far the other's clock is ahead."""
    trips = []
    for _ in range(_PINGS):
        asked, began = time.time(), time.perf_counter()
        _send(link, {})
        said = float(_receive(link)["time"])
        seconds = time.perf_counter() - began
        trips.append((seconds, said - asked - seconds / 2))
    return min(trips)


def _answer_pings(link: ssl.SSLSocket) -> None:
    for _ in range(_PINGS):
        _receive(link)
        _send(link, {"time": time.time()})


def _send_fast(link: ssl.SSLSocket) -> float:
    """Bits a second."""
    begin = time.perf_counter()
    for sent in range(1, _MOST_BLOCKS + 1):
        last = sent == _MOST_BLOCKS or time.perf_counter() - begin > _RATE_SECONDS
        link.sendall((_LAST if last else _MORE) + bytes(_BLOCK_BYTES - 1))
        if last:
            break
    _receive(link)
    return 8 * sent * _BLOCK_BYTES / (time.perf_counter() - begin)


def _take_fast(link: ssl.SSLSocket) -> None:
    for _ in range(_MOST_BLOCKS):
        if _exactly(link, _BLOCK_BYTES)[:1] == _LAST:
            break
    _send(link, {})


def _send(link: ssl.SSLSocket, message: Mapping[str, Any]) -> None:
    content = json.dumps(message).encode()
    link.sendall(len(content).to_bytes(4, "little") + content)


def _receive(link: ssl.SSLSocket) -> dict[str, Any]:
    length = int.from_bytes(_exactly(link, 4), "little")
    if length > _LARGEST:
        raise FrameError(f"expected a message of at most {_LARGEST} bytes, got {length}")
    message = json.loads(_exactly(link, length))
    if not isinstance(message, dict):
        raise FrameError("expected a message with names, got another")
    return message


def _exactly(link: ssl.SSLSocket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise FrameError("it hung up")
        data += part
    return bytes(data)
