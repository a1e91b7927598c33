"""Mutual TLS 1.3 between the three parties, each certificate pinned.

Every party holds its own key and the three certificates. For a pair, the party with the higher id connects to the one
with the lower; both check that the certificate shown is exactly the one pinned for that party.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engines.rep3.transport.channel import Channel
from orchestrator.engines.rep3.transport.link import WOULD_BLOCK, Link
from orchestrator.errors import HandshakeError, PeerTimeout

_RECORD = 1 << 14
_RETRY_SECONDS = 0.05
_STRANGER_SECONDS = 5.0  # a connection that says nothing holds up the others no longer than this


@dataclass(frozen=True)
class Identity:
    """key, certificates: PEM files; certificates are those of parties 0, 1 and 2, in order."""

    party_id: int
    key: Path
    certificates: tuple[Path, Path, Path]

    def der(self, party: int) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.certificates[party].read_text())


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

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()


def connect(
    identity: Identity, listener: socket.socket, addresses: Sequence[tuple[str, int]], timeout_seconds: float
) -> Channel:
    """Connect to both peers; addresses[i] is where party i listens.

    Raises HandshakeError where a peer shows a wrong certificate, PeerTimeout where one does not come.
    """
    deadline = time.monotonic() + timeout_seconds
    links: dict[int, Link] = {}
    for peer in range(identity.party_id):
        links[peer] = TlsLink(_dial(identity, peer, addresses[peer], deadline))
    links |= _accept(identity, listener, deadline)
    return Channel(identity.party_id, links, timeout_seconds)


def _dial(identity: Identity, peer: int, address: tuple[str, int], deadline: float) -> ssl.SSLSocket:
    context = _context(identity, ssl.PROTOCOL_TLS_CLIENT, [peer])
    while True:
        try:
            raw = socket.create_connection(address, timeout=_left(deadline, peer))
            break
        except OSError as exc:
            if time.monotonic() + _RETRY_SECONDS > deadline:
                raise PeerTimeout(f"party {peer} does not listen at {address[0]}:{address[1]}: {exc}", peer) from exc
            time.sleep(_RETRY_SECONDS)
    raw.settimeout(_left(deadline, peer))
    try:
        tls = context.wrap_socket(raw)
    except (ssl.SSLError, OSError) as exc:
        raw.close()
        raise HandshakeError(
            f"expected the pinned certificate of party {peer} at {address[0]}:{address[1]}, got a failed handshake: "
            f"{exc}; check that all parties have the same three certificates",
            peer,
        ) from exc
    return _tuned(tls)


def _accept(identity: Identity, listener: socket.socket, deadline: float) -> Mapping[int, Link]:
    """Wait for the parties with higher ids. Strangers are turned away; they cannot end the run."""
    waiting = set(range(identity.party_id + 1, 3))
    context = _context(identity, ssl.PROTOCOL_TLS_SERVER, sorted(waiting)) if waiting else None
    links: dict[int, Link] = {}
    refused = 0
    while waiting and context is not None:
        if not select.select([listener], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise PeerTimeout(_missing(waiting, refused), min(waiting))
        raw, _ = listener.accept()
        raw.settimeout(max(0.01, min(_STRANGER_SECONDS, deadline - time.monotonic())))
        try:
            tls = context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, OSError):
            raw.close()
            refused += 1
            continue
        peer = next((p for p in waiting if identity.der(p) == tls.getpeercert(binary_form=True)), None)
        if peer is None:
            tls.close()
            refused += 1
            continue
        waiting.remove(peer)
        links[peer] = TlsLink(_tuned(tls))
    return links


def _context(identity: Identity, protocol: int, peers: Sequence[int]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate itself is pinned, wherever its holder runs
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(identity.certificates[identity.party_id], identity.key)
    for peer in peers:
        context.load_verify_locations(cafile=str(identity.certificates[peer]))
    return context


def _tuned(tls: ssl.SSLSocket) -> ssl.SSLSocket:
    with contextlib.suppress(OSError):
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls


def _left(deadline: float, peer: int) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise PeerTimeout(f"party {peer} did not connect in time", peer)
    return left


def _missing(waiting: set[int], refused: int) -> str:
    names = " and ".join(f"party {p}" for p in sorted(waiting))
    strangers = f"; {refused} connections with another certificate were refused" if refused else ""
    return f"{names} did not connect in time{strangers}; check that it runs with the same addresses and certificates"
