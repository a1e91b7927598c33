"""A link: an ordered stream of bytes to one peer that never blocks."""

from __future__ import annotations

import select
import socket
from typing import Protocol

WOULD_BLOCK = 0
PEER_CLOSED = getattr(select, "POLLRDHUP", select.POLLHUP)  # macOS has the latter alone


class Link(Protocol):
    def send(self, data: memoryview) -> int:
        """Bytes taken, WOULD_BLOCK when none can be. Raises OSError when the peer is gone."""
        ...

    def receive_into(self, buffer: memoryview) -> int:
        """Bytes written, WOULD_BLOCK when there are none yet. Raises EOFError when the peer has closed."""
        ...

    def fileno(self) -> int: ...
    def close(self) -> None: ...


class SocketLink:
    """A link over a plain socket: three parties in one process, in tests."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock

    def send(self, data: memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return WOULD_BLOCK

    def receive_into(self, buffer: memoryview) -> int:
        try:
            received = self._socket.recv_into(buffer)
        except BlockingIOError:
            return WOULD_BLOCK
        if not received:
            raise EOFError
        return received

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()
