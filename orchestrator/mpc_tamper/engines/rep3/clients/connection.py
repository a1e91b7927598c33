"""A server's end of a connection to one client. Whatever the client does raises a PartyError here, in bounded time."""

from __future__ import annotations

import contextlib
import select
import time

from mpc_tamper.core.errors import FrameError
from mpc_tamper.engines.rep3.clients.wire import CLIENT
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import PEER_CLOSED, Link

_MOST_DISCARDED = 1 << 20  # bytes of a message that is not what was asked for


class _Hurried:
    """A link that fails after a deadline, so that a client cannot make a message last by sending byte after byte."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.deadline = 0.0

    def send(self, data: memoryview) -> int:
        self._check()
        return self._link.send(data)

    def receive_into(self, buffer: memoryview) -> int:
        self._check()
        return self._link.receive_into(buffer)

    def fileno(self) -> int:
        return self._link.fileno()

    def close(self) -> None:
        self._link.close()

    def _check(self) -> None:
        if time.monotonic() > self.deadline:
            raise TimeoutError("it was too slow")


class ClientConnection:
    """seconds: for each message, whole.  certificate: what the client showed, DER; empty for an anonymous one.

    A channel for each direction: a client that sent something wrong is still told so.
    """

    def __init__(self, link: Link, seconds: float, certificate: bytes = b"") -> None:
        self._link = _Hurried(link)
        self._from_client, self._to_client = (Channel(CLIENT, {CLIENT: self._link}, seconds) for _ in range(2))
        self._seconds = seconds
        self.certificate = certificate

    def receive(self, tag: str, size: int) -> bytearray:
        """A message of exactly this size. Raises FrameError, PeerLost or PeerTimeout.

        Another message is read to its end too, unless it is far too long: its sender, who may still be at it, shall
        hear what was wrong, and a connection that is closed with bytes unread takes even the answer with it.
        """
        buffer = bytearray(size)
        self._link.deadline = time.monotonic() + self._seconds
        try:
            self._from_client.exchange(tag, {}, {CLIENT: memoryview(buffer)})
        except FrameError as exc:
            if exc.unread <= _MOST_DISCARDED:
                self._discard(exc.unread)
            raise
        return buffer

    def send(self, tag: str, message: bytes, seconds: float | None = None) -> None:
        """Within the seconds of any message, or fewer. Raises PeerLost or PeerTimeout."""
        self._to_client.timeout_seconds = self._seconds if seconds is None else min(seconds, self._seconds)
        self._link.deadline = time.monotonic() + self._to_client.timeout_seconds
        self._to_client.exchange(tag, {CLIENT: memoryview(message)}, {})

    def hung_up(self) -> bool:
        """Whether the client has closed its end."""
        poll = select.poll()
        poll.register(self._link.fileno(), PEER_CLOSED)
        return bool(poll.poll(0))

    def close(self) -> None:
        self._from_client.close()

    def _discard(self, size: int) -> None:
        """Read so many bytes, or as many as come before the deadline."""
        buffer = memoryview(bytearray(size))
        poll = select.poll()
        poll.register(self._link.fileno(), select.POLLIN | PEER_CLOSED)
        with contextlib.suppress(EOFError, OSError):
            while buffer:
                received = self._link.receive_into(buffer)
                buffer = buffer[received:]
                if not received:
                    poll.poll(max(0.0, 1000 * (self._link.deadline - time.monotonic())))
