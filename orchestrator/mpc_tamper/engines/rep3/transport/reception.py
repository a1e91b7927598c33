"""Who knocks at a listener is greeted side by side, so that a stranger who says nothing holds up nobody.

A connection is a guest until it has been through TLS and, where its first message is asked for, has sent that. Guests
take no place that others wait for: when there are too many, the one that has been longest at it has to go, and whoever
comes in earnest needs a moment only.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_MOST_GUESTS = 256
_MOST_AT_A_TIME = 64  # connections taken before anything else is looked at
_ACCEPT = select.POLLIN


@dataclass
class _Guest:
    tls: ssl.SSLSocket
    host: str
    leaves: float
    awaits: int = select.POLLIN
    greeted: bool = False
    first: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Arrival:
    """A connection that has been through TLS. first: its first bytes, as many as were asked for."""

    tls: ssl.SSLSocket
    first: bytes


class Reception:
    """listener: bound; it is not closed here.  seconds: that a guest may take.  first_bytes: that it has to send.

    refused: told the host and the reason of a guest with whom TLS failed, such as for its certificate.
    turned_away: guests that left, failed or took too long, so far.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        seconds: float,
        *,
        first_bytes: int = 0,
        refused: Callable[[str, ssl.SSLError], None] | None = None,
    ) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._context = context
        self._seconds = seconds
        self._first_bytes = first_bytes
        self._refused = refused
        self._guests: dict[int, _Guest] = {}  # by descriptor, the oldest first
        self.turned_away = 0

    def register(self, poll: select.poll) -> None:
        """What serve() wants to hear of."""
        poll.register(self._listener.fileno(), _ACCEPT)
        for descriptor, guest in self._guests.items():
            poll.register(descriptor, guest.awaits)

    def seconds_to_wait(self, most: float) -> float:
        """Until the next guest has taken too long."""
        return min([most, *(guest.leaves - time.monotonic() for guest in self._guests.values())])

    def serve(self, events: Mapping[int, int]) -> list[Arrival]:
        """Go on with everybody who has done something. Raises OSError where the listener is closed."""
        arrivals = []
        for descriptor in [d for d in self._guests if d in events]:
            guest = self._guests[descriptor]
            try:
                arrived = self._advance(guest)
            except (OSError, EOFError) as exc:
                self._turn_away(descriptor)
                if isinstance(exc, ssl.SSLError) and self._refused is not None:
                    self._refused(guest.host, exc)
                continue
            if arrived:
                del self._guests[descriptor]
                arrivals.append(Arrival(guest.tls, bytes(guest.first)))
        now = time.monotonic()
        for descriptor in [d for d, guest in self._guests.items() if guest.leaves <= now]:
            self._turn_away(descriptor)
        if self._listener.fileno() in events:
            self._admit()
        return arrivals

    def close(self) -> None:
        """Whoever is still a guest leaves."""
        for descriptor in list(self._guests):
            self._turn_away(descriptor)

    def _admit(self) -> None:
        for _ in range(_MOST_AT_A_TIME):
            try:
                raw, address = self._listener.accept()
            except (BlockingIOError, ConnectionError):  # nobody else, or one that left before it was let in
                return
            except OSError:  # closed, or out of descriptors
                if not self._guests:
                    raise
                self._turn_away(next(iter(self._guests)))
                return
            try:
                raw.setblocking(False)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                tls = self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            except OSError:
                raw.close()
                continue
            if len(self._guests) >= _MOST_GUESTS:
                self._turn_away(next(iter(self._guests)))
            self._guests[tls.fileno()] = _Guest(tls, str(address[0]), time.monotonic() + self._seconds)

    def _advance(self, guest: _Guest) -> bool:
        """Whether the guest has done all that is asked of it. Raises OSError or EOFError where it fails."""
        try:
            if not guest.greeted:
                guest.tls.do_handshake()
                guest.greeted = True
            guest.awaits = select.POLLIN
            while (missing := self._first_bytes - len(guest.first)) > 0:
                received = guest.tls.recv(missing)
                if not received:
                    raise EOFError
                guest.first += received
        except ssl.SSLWantReadError:
            guest.awaits = select.POLLIN
            return False
        except ssl.SSLWantWriteError:
            guest.awaits = select.POLLOUT
            return False
        return True

    def _turn_away(self, descriptor: int) -> None:
        self.turned_away += 1
        with contextlib.suppress(OSError):
            self._guests.pop(descriptor).tls.close()
