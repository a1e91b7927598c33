"""Mutual TLS 1.3 between the three parties, each certificate pinned.

Every party holds its own key and the three certificates. For a pair, the party with the higher id connects to the one
with the lower; both check that the certificate shown is exactly the one pinned for that party, and the lower one says
so with a byte. Parties may start in any order, minutes apart.

Anybody may knock at a party's address, or answer there before the party does. Neither ends a run: strangers are greeted
beside the others (reception.py), and a party dials again until it has met the one that it looks for.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import HandshakeError, PeerTimeout, PortInUse
from mpc_tamper.engines import certificates
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.transport.channel import Channel, lost
from mpc_tamper.engines.rep3.transport.link import PEER_CLOSED, WOULD_BLOCK
from mpc_tamper.engines.rep3.transport.patience import patience
from mpc_tamper.engines.rep3.transport.reception import Reception
from mpc_tamper.runs.protocols import PARTIES

log = logging.getLogger(__name__)

_RECORD = 1 << 14
_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.05, 1.0
_ATTEMPT_SECONDS = (
    5.0  # a host that is down, or a stranger, may not answer at all, and the party come up a moment later
)
_LONGEST_ATTEMPT_SECONDS = 30.0  # a party that still dials another one itself answers only when it has met that one
_DEAD_HOST_PART = 0.75  # of a message's time: the link to a dead host closes before others seem late because of it
_BACKLOG = 128
_STRANGER_SECONDS = 5.0  # to get through TLS, or a part of the time that all three have to meet
_STRANGER_PART = 0.25
WELCOME = b"\1"
PROBE = "mpc-tamper-doctor"  # the application protocol that probe.py asks for, which takes no place in a run


@dataclass(frozen=True)
class Identity:
    """key, certificates: PEM files; certificates are those of parties 0, 1 and 2, in order."""

    party_id: int
    key: Path
    certificates: tuple[Path, Path, Path]

    def der(self, party: int) -> bytes:
        return certificates.der(self.certificates[party], f"party {party}'s")


class TlsLink:
    """A link over a connected TLS socket."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._socket = sock

    def send(self, data: memoryview) -> int:
        try:
            return self._socket.send(data[:_RECORD])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return WOULD_BLOCK

    def receive_into(self, buffer: memoryview) -> int:
        try:
            received = self._socket.recv_into(buffer)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return WOULD_BLOCK
        if not received:
            raise EOFError
        return received

    def give_up_after(self, seconds: float) -> None:
        """Close when the peer's host has not answered for that long, although its process may have nothing to say."""
        probe = max(1, int(seconds / 4))
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, probe)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * seconds))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def listen(party_id: int, address: Address, advice: str) -> socket.socket:
    """Take the address of a party, before anything else. Raises PortInUse, which ends with the advice."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as exc:
        raise PortInUse(f"party {party_id} cannot listen on {address}: {exc}; {advice}") from exc
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(place)
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        raise PortInUse(f"party {party_id} cannot listen on {address}: {exc}; {advice}") from exc
    return listener


def connect(
    identity: Identity,
    listener: socket.socket,
    addresses: Addresses,
    *,
    timeout_seconds: float,
    connect_timeout_seconds: float,
    say: Callable[[str], None] | None = None,
) -> Channel:
    """Connect to both peers; addresses[i] is where party i listens.

    say: told every so often for whom this party still waits.

    timeout_seconds: for each message on the channel.  connect_timeout_seconds: until all three have met.
    Raises HandshakeError where a peer shows a wrong certificate, PeerTimeout where one does not come, PeerLost where
    one has come and gone.
    """
    deadline = time.monotonic() + connect_timeout_seconds
    links: dict[int, TlsLink] = {}
    try:
        with patience(say, {*range(PARTIES)} - {identity.party_id}, links):
            for peer in range(identity.party_id):
                links[peer] = _dial(identity, peer, addresses[peer], deadline, links)
            _accept(identity, listener, deadline, links)
    except BaseException as exc:
        Channel(identity.party_id, links, timeout_seconds).abort_because(exc)
        raise
    for link in links.values():
        link.give_up_after(_DEAD_HOST_PART * timeout_seconds)
    return Channel(identity.party_id, links, timeout_seconds)


def _dial(identity: Identity, peer: int, address: Address, deadline: float, links: dict[int, TlsLink]) -> TlsLink:
    """Try until the peer answers; others who answer at its address are left alone."""
    context = context_for(identity, ssl.PROTOCOL_TLS_CLIENT, [peer])
    pause, attempt = _RETRY_SECONDS, _ATTEMPT_SECONDS
    met: HandshakeError | None = None  # somebody else
    while True:
        try:
            return _handshake(context, address, min(attempt, _left(deadline)), identity.der(peer))
        except OSError as exc:
            failure = exc
        if isinstance(failure, ssl.SSLError) and not isinstance(failure, ssl.SSLEOFError):
            if met is None:
                log.warning("somebody else than party %d answers at %s: %s; dialling again", peer, address, failure)
            met = _somebody_else(peer, address, failure)
        if time.monotonic() + pause > deadline:
            raise met or _nobody(peer, address, failure) from failure
        _wait(links, pause)
        pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
        attempt = min(2 * attempt, _LONGEST_ATTEMPT_SECONDS) if isinstance(failure, TimeoutError) else _ATTEMPT_SECONDS


def _somebody_else(peer: int, address: Address, failure: OSError) -> HandshakeError:
    return HandshakeError(
        f"expected the pinned certificate of party {peer} at {address}, got a failed handshake: {failure}; check that "
        "all parties have the same three certificates, and that nobody else answers there",
        peer,
    )


def _nobody(peer: int, address: Address, failure: OSError) -> PeerTimeout:
    return PeerTimeout(
        f"party {peer} does not listen at {address}: {failure}; check that it runs and that no firewall is in between",
        peer,
    )


def _handshake(context: ssl.SSLContext, address: Address, seconds: float, pinned: bytes) -> TlsLink:
    """Up to the peer's word that it takes this party for the one that it is."""
    stop = time.monotonic() + seconds
    raw = socket.create_connection(address, timeout=seconds)
    try:
        raw.settimeout(_left(stop))
        tls = context.wrap_socket(raw)
    except BaseException:
        raw.close()
        raise
    try:
        if tls.getpeercert(binary_form=True) != pinned:  # one that the pinned key has signed would pass for it
            raise ssl.SSLCertVerificationError("another certificate than the one that is pinned")
        tls.settimeout(_left(stop))
        if tls.recv(len(WELCOME)) != WELCOME:
            raise ssl.SSLEOFError("it hung up, perhaps on too many strangers")
        return TlsLink(_tuned(tls))
    except BaseException:
        tls.close()
        raise


def _accept(identity: Identity, listener: socket.socket, deadline: float, links: dict[int, TlsLink]) -> None:
    """Wait for the parties with higher ids. Strangers are turned away; they cannot end the run or hold it up."""
    higher = range(identity.party_id + 1, PARTIES)
    waiting = set(higher)
    if not waiting:
        return
    context = context_for(identity, ssl.PROTOCOL_TLS_SERVER, higher)
    context.set_alpn_protocols([PROBE])
    reception = Reception(listener, context, min(_STRANGER_SECONDS, _STRANGER_PART * _left(deadline)))
    certificates = {identity.der(peer): peer for peer in higher}
    strangers = 0
    with contextlib.closing(reception):
        while waiting:
            if time.monotonic() >= deadline:
                raise PeerTimeout(_missing(waiting, strangers + reception.turned_away), min(waiting))
            for arrival in reception.serve(_wait(links, _left(deadline), reception)):
                if arrival.tls.selected_alpn_protocol() == PROBE:
                    arrival.tls.close()
                    continue
                peer = certificates.get(arrival.tls.getpeercert(binary_form=True) or b"")
                if peer is None:
                    strangers += 1
                    arrival.tls.close()
                    continue
                with contextlib.suppress(OSError):  # one that has left meanwhile is missed at once, on its link
                    arrival.tls.send(WELCOME)
                if peer in links:  # it has dialled again
                    links[peer].close()
                links[peer] = TlsLink(_tuned(arrival.tls))
                waiting.discard(peer)


def _wait(links: dict[int, TlsLink], seconds: float, reception: Reception | None = None) -> dict[int, int]:
    """What happens at the door within that time. Raises PeerLost where a party that is already here leaves."""
    poll = select.poll()
    for link in links.values():
        poll.register(link.fileno(), PEER_CLOSED)
    if reception is not None:
        reception.register(poll)
        seconds = reception.seconds_to_wait(seconds)
    events = dict(poll.poll(max(0.0, seconds) * 1000))
    for peer, link in links.items():
        if link.fileno() in events:
            raise lost(peer, link, " before all parties had met; start all three again")
    return events


def context_for(identity: Identity, protocol: int, peers: Sequence[int]) -> ssl.SSLContext:
    """Shows the own certificate, and takes the pinned ones of these peers."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate itself is pinned, wherever its holder runs
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(identity.certificates[identity.party_id], identity.key)
    for peer in peers:
        context.load_verify_locations(cadata=identity.der(peer))
    return context


def _tuned(tls: ssl.SSLSocket) -> ssl.SSLSocket:
    with contextlib.suppress(OSError):
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return tls


def _left(deadline: float) -> float:
    """Seconds, for a socket: never 0, which would mean not to wait at all."""
    return max(0.01, deadline - time.monotonic())


def _missing(waiting: set[int], refused: int) -> str:
    names = " and ".join(f"party {p}" for p in sorted(waiting))
    strangers = (
        f"; {refused} connections without a certificate or with another certificate were refused" if refused else ""
    )
    return f"{names} did not connect in time{strangers}; check that it runs with the same addresses and certificates"
