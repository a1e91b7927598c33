"""Where a server waits for clients: TLS 1.3, the server's certificate pinned by the client.

Clients are known by their certificates, compared whole with those in a folder, or, without a folder, anonymous: then
anybody who reaches the port is served. Whoever has not yet said hello holds no place (transport/reception.py). A client
that waits for its turn keeps its place until it hangs up, whoever else comes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mpc_tamper.core.errors import PartyError, UsageError
from mpc_tamper.engines.certificates import der
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.clients.wire import CODE_BYTES, HELLO, TOKEN_BYTES, VERSION
from mpc_tamper.engines.rep3.transport.frame import HEADER_BYTES
from mpc_tamper.engines.rep3.transport.reception import Arrival, Reception
from mpc_tamper.engines.rep3.transport.tls import TlsLink

_MOST_WAITING = 64
_MOST_OF_ONE = 8  # places for one certificate
_HELLO_BYTES = HEADER_BYTES + CODE_BYTES + TOKEN_BYTES
_LONGEST_WAIT_SECONDS = 1.0  # after which the thread looks whether the listener was closed
_RETRY_SECONDS = 0.05
_UNKNOWN = "was refused: its certificate is not among those of the clients that are served here"
# By OpenSSL's name of why TLS failed.
_REFUSALS = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "was refused: it showed no certificate, and only known clients are served",
    "CERTIFICATE_VERIFY_FAILED": _UNKNOWN,
    "TLSV1_ALERT_UNKNOWN_CA": "hung up: it expected another certificate of this server; give it the folder clients/",
}


def pinned(folder: Path) -> tuple[Path, ...]:
    """The certificates of the clients to serve. Raises UsageError where there are none."""
    found = tuple(sorted(folder.glob("*.pem")))
    if not found:
        raise UsageError(
            f"{folder}: expected certificates of clients, *.pem, got none; make one (mpc-tamper client-certificate)"
        )
    return found


@dataclass(frozen=True)
class _Place:
    since: float
    connection: ClientConnection


class _Begun(TlsLink):
    """A link of which the first bytes have been read already."""

    def __init__(self, sock: ssl.SSLSocket, first: bytes) -> None:
        super().__init__(sock)
        self._first = first

    def receive_into(self, buffer: memoryview) -> int:
        if not self._first:
            return super().receive_into(buffer)
        part = self._first[: len(buffer)]
        self._first = self._first[len(part) :]
        buffer[: len(part)] = part
        return len(part)


class ClientListener:
    """listener: a bound socket.  known: certificates of the clients to serve; None serves anybody.

    seconds: for a client's handshake and hello, and for each of its messages.  remark: of clients that are refused.
    """

    def __init__(
        self,
        listener: socket.socket,
        key: Path,
        certificate: Path,
        known: tuple[Path, ...] | None,
        seconds: float,
        remark: Remarks | None = None,
    ) -> None:
        self._listener = listener
        self._remark = remark or Remarks()
        self._seconds = seconds
        context, self._known = _context(key, certificate, known)
        self._reception = Reception(listener, context, seconds, first_bytes=_HELLO_BYTES, refused=self._say_refusal)
        self._changed = threading.Condition()
        self._waiting: dict[bytes, _Place] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def first(self, seconds: float) -> tuple[bytes, float] | None:
        """The token of the client that has waited longest, and for how long, or None if none comes within that time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting, max(0.0, deadline - time.monotonic()))
                self._drop_those_who_left()
                for token, place in self._waiting.items():
                    return token, time.monotonic() - place.since
                if time.monotonic() >= deadline:
                    return None

    def take(self, token: bytes, seconds: float) -> ClientConnection | None:
        """The connection of the client with this token, if it comes within that time and has not left."""
        with self._changed:
            self._changed.wait_for(lambda: token in self._waiting, seconds)
            self._drop_those_who_left()
            place = self._waiting.pop(token, None)
            return None if place is None else place.connection

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._thread.join(2 * _LONGEST_WAIT_SECONDS)
        self._listener.close()
        with self._changed:
            for place in self._waiting.values():
                place.connection.close()
            self._waiting.clear()

    def _receive(self) -> None:
        with contextlib.closing(self._reception):
            while not self._closed:
                poll = select.poll()
                self._reception.register(poll)
                seconds = max(0.0, self._reception.seconds_to_wait(_LONGEST_WAIT_SECONDS))
                events = dict(poll.poll(1000 * seconds))
                if self._closed:
                    return
                try:
                    for arrival in self._reception.serve(events):
                        self._seat(arrival)
                except OSError:  # out of descriptors
                    time.sleep(_RETRY_SECONDS)

    def _seat(self, arrival: Arrival) -> None:
        """A place for a client that has said who it is, unless it is unknown or there is none."""
        shown = arrival.tls.getpeercert(binary_form=True) or b""
        connection = ClientConnection(_Begun(arrival.tls, arrival.first), self._seconds, shown)
        token = self._token(connection)
        full = False
        with self._changed:
            if token is not None and token not in self._waiting:
                if self._has_place(shown):
                    self._waiting[token] = _Place(time.monotonic(), connection)
                    self._changed.notify_all()
                    return
                full = True
        if full:
            self._remark("a client", "was refused: too many are waiting, or too many of its certificate")
        connection.close()

    def _say_refusal(self, host: str, failure: ssl.SSLError) -> None:
        if failure.reason in _REFUSALS:
            self._remark(f"a client at {host}", _REFUSALS[failure.reason])

    def _has_place(self, certificate: bytes) -> bool:
        if len(self._waiting) >= _MOST_WAITING:
            self._drop_those_who_left()
        of_this_one = sum(place.connection.certificate == certificate for place in self._waiting.values())
        return len(self._waiting) < _MOST_WAITING and (self._known is None or of_this_one < _MOST_OF_ONE)

    def _drop_those_who_left(self) -> None:
        for token in [t for t, place in self._waiting.items() if place.connection.hung_up()]:
            self._waiting.pop(token).connection.close()

    def _token(self, connection: ClientConnection) -> bytes | None:
        if self._known is not None and connection.certificate not in self._known:
            self._remark("a client", _UNKNOWN)
            return None
        try:
            hello = bytes(connection.receive(HELLO, CODE_BYTES + TOKEN_BYTES))
        except PartyError:
            return None
        version, token = hello[:CODE_BYTES], hello[CODE_BYTES:]
        if version != VERSION.to_bytes(CODE_BYTES, "little"):
            self._remark("a client", "was refused: it speaks another version; install the same one there and here")
            return None
        return token if any(token) else None


def _context(
    key: Path, certificate: Path, known: tuple[Path, ...] | None
) -> tuple[ssl.SSLContext, Mapping[bytes, Path] | None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    if known is None:
        return context, None
    context.verify_mode = ssl.CERT_REQUIRED
    pins = {}
    for path in known:
        pin = der(path, "a client's")
        context.load_verify_locations(cadata=pin)
        pins[pin] = path
    return context, pins
