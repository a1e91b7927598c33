"""Where a server waits for clients: TLS 1.3, the server's certificate pinned by the client.

A thread per connection takes the hello, so that a client that says nothing keeps nobody waiting. Clients are known by
their certificates, compared whole with those in a folder, or, without a folder, anonymous: then anybody who reaches the
port is served.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from mpc_tamper.core.errors import PartyError, UsageError
from mpc_tamper.engines.certificates import der
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.wire import CODE_BYTES, HELLO, TOKEN_BYTES, VERSION
from mpc_tamper.engines.rep3.transport.tls import TlsLink

_MOST_WAITING = 64
_WAITING_SECONDS = 120.0
_RETRY_SECONDS = 0.05


def pinned(folder: Path) -> tuple[Path, ...]:
    """The certificates of the clients to serve. Raises UsageError where there are none."""
    found = tuple(sorted(folder.glob("*.pem")))
    if not found:
        raise UsageError(
            f"{folder}: expected certificates of clients, *.pem, got none; make one (mpc-tamper client-certificate)"
        )
    return found


class ClientListener:
    """listener: a bound socket.  known: certificates of the clients to serve; None serves anybody.

    seconds: for a client's handshake and for each of its messages.
    """

    def __init__(
        self, listener: socket.socket, key: Path, certificate: Path, known: tuple[Path, ...] | None, seconds: float
    ) -> None:
        self._listener = listener
        self._seconds = seconds
        self._context, self._known = _context(key, certificate, known)
        self._changed = threading.Condition()
        self._waiting: dict[bytes, tuple[float, ClientConnection]] = {}
        self._greeting = 0
        self._closed = False
        threading.Thread(target=self._listen, daemon=True).start()

    def first(self, seconds: float) -> bytes | None:
        """The token of the client that has waited longest, or None if none comes within that time."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, seconds)
            return next(iter(self._waiting), None)

    def take(self, token: bytes, seconds: float) -> ClientConnection | None:
        """The connection of the client with this token, if it comes within that time."""
        with self._changed:
            self._changed.wait_for(lambda: token in self._waiting, seconds)
            _, connection = self._waiting.pop(token, (0.0, None))
            return connection

    def close(self) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        with self._changed:
            for _, connection in self._waiting.values():
                connection.close()
            self._waiting.clear()

    def _listen(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:  # closed, or a client that hung up before it was accepted
                if self._closed:
                    return
                time.sleep(_RETRY_SECONDS)
                continue
            if self._full():
                raw.close()
            else:
                threading.Thread(target=self._greet, args=(raw,), daemon=True).start()

    def _full(self) -> bool:
        """Whether as many are waiting as may; those who have waited too long go."""
        with self._changed:
            oldest = time.monotonic() - _WAITING_SECONDS
            for token, (since, connection) in list(self._waiting.items()):
                if since < oldest:
                    connection.close()
                    del self._waiting[token]
            full = len(self._waiting) + self._greeting >= _MOST_WAITING
            self._greeting += not full
            return full

    def _greet(self, raw: socket.socket) -> None:
        connection: ClientConnection | None = None
        try:
            raw.settimeout(self._seconds)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._context.wrap_socket(raw, server_side=True)
            shown = tls.getpeercert(binary_form=True) or b""
            connection = ClientConnection(TlsLink(tls), self._seconds, shown)
            token = self._token(connection)
        except (OSError, PartyError):
            token = None
            raw.close()
        with self._changed:
            self._greeting -= 1
            if connection is not None and token is not None and token not in self._waiting:
                self._waiting[token] = (time.monotonic(), connection)
                connection = None
                self._changed.notify_all()
        if connection is not None:
            connection.close()

    def _token(self, connection: ClientConnection) -> bytes | None:
        if self._known is not None and connection.certificate not in self._known:
            return None
        hello = bytes(connection.receive(HELLO, CODE_BYTES + TOKEN_BYTES))
        version, token = hello[:CODE_BYTES], hello[CODE_BYTES:]
        return token if version == VERSION.to_bytes(CODE_BYTES, "little") and any(token) else None


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
