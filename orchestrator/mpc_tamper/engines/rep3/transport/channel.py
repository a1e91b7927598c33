"""The channel of one party: messages to the other two, counted.

All parties run the same program, so each call names what is sent and what must come. A round is one call that waits
for a message. Bytes are frame headers and payloads sent; TLS's own records come on top.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from mpc_tamper.core.errors import FrameError, PartyError, PeerLost, PeerTimeout
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport.finality import Finality
from mpc_tamper.engines.rep3.transport.link import PEER_CLOSED, Link

MAX_BYTES = 1 << 47  # 2^33 full records: where AES-GCM in TLS 1.3 is distinguished by 2^-40 (RFC 8446, 5.5)
_READABLE = select.POLLIN | PEER_CLOSED | select.POLLHUP | select.POLLERR
# How long a party looks for a message before it sleeps. A core that has gone to sleep takes longer to come back than a
# message on the same machine needs; between looks, whoever else has work gets this core. Longer, and parties that share
# cores take more of them from each other than they win.
_LOOK_SECONDS = 4e-5
_let_others = getattr(os, "sched_yield", functools.partial(time.sleep, 0))


@dataclass(slots=True)
class _Outgoing:
    link: Link
    parts: list[memoryview]

    def advance(self) -> bool:
        """Whether all has been sent."""
        while self.parts:
            sent = self.link.send(self.parts[0])
            if not sent:
                return False
            if sent == len(self.parts[0]):
                self.parts.pop(0)
            else:
                self.parts[0] = self.parts[0][sent:]
        return True


@dataclass(slots=True)
class _Incoming:
    link: Link
    sender: int
    tag: str
    sequence: int
    payload: memoryview
    header: bytearray = field(default_factory=lambda: bytearray(frame.HEADER_BYTES))
    header_filled: int = 0
    filled: int = 0

    @property
    def tail(self) -> bytes:
        """The end of what has come so far, at most as long as a header."""
        seen = self.header[: self.header_filled] + bytes(self.payload[: self.filled][-frame.HEADER_BYTES :])
        return bytes(seen[-frame.HEADER_BYTES :])

    def advance(self) -> bool:
        """Whether all has come."""
        while self.header_filled < frame.HEADER_BYTES:
            received = self.link.receive_into(memoryview(self.header)[self.header_filled :])
            if not received:
                return False
            self.header_filled += received
            if self.header_filled == frame.HEADER_BYTES:
                frame.check_header(bytes(self.header), self.tag, self.sequence, len(self.payload), self.sender)
        while self.filled < len(self.payload):
            received = self.link.receive_into(self.payload[self.filled :])
            if not received:
                return False
            self.filled += received
        return True


class Channel:
    """links: peer's party id -> link. timeout_seconds: without any progress, a PeerTimeout.

    final: whether this party has failed. It sends and receives nothing more then, but for the abort.
    """

    def __init__(self, party_id: int, links: Mapping[int, Link], timeout_seconds: float) -> None:
        self.party_id = party_id
        self.next = (party_id + 1) % 3
        self.previous = (party_id - 1) % 3
        self.bytes_sent = 0
        self.rounds = 0
        self.timeout_seconds = timeout_seconds
        self.final = Finality()
        self._links = dict(links)
        self._sent = dict.fromkeys(links, 0)
        self._received = dict.fromkeys(links, 0)
        self._finishing = False
        self._log: list[tuple[int, str, bytes]] | None = None
        self._passed_on = 0  # bytes, of a run that is simulated to have gone on for long

    def advance(self, messages: int, sent_bytes: int) -> None:
        """Go on as after so many messages each way on every link, which were so many bytes; they are not counted as
        costs."""
        for counts in (self._sent, self._received):
            for peer in counts:
                counts[peer] += messages
        self._passed_on += sent_bytes

    def record_received(self) -> list[tuple[int, str, bytes]]:
        """From now on keep (sender, tag, payload) of every message, for tests of what a party sees."""
        self._log = []
        return self._log

    def shift(self, tag: str, payload: memoryview, into: memoryview) -> None:
        """Send to the next party, receive as much from the previous one: one round."""
        self.exchange(tag, {self.next: payload}, {self.previous: into})

    def exchange(self, tag: str, send: Mapping[int, memoryview], receive: Mapping[int, memoryview]) -> None:
        """Send and receive one message per peer named. Counts a round if anything is received.

        Raises PeerLost, PeerTimeout or FrameError, each naming the party; after any failure, that failure again.
        """
        with self.final.guard():
            self._exchange(tag, send, receive)

    def _exchange(self, tag: str, send: Mapping[int, memoryview], receive: Mapping[int, memoryview]) -> None:
        outgoing = {peer: self._outgoing(peer, tag, payload) for peer, payload in send.items()}
        incoming = {
            peer: _Incoming(self._links[peer], peer, tag, self._received[peer], buffer)
            for peer, buffer in receive.items()
        }
        self._pump(outgoing, incoming)
        for peer in receive:
            self._received[peer] += 1
        if receive:
            self.rounds += 1
        if self._log is not None:
            self._log += [(peer, tag, bytes(buffer)) for peer, buffer in receive.items()]

    def finish(self) -> None:
        """Wait until both peers have come to the end too, then close."""
        self._finishing = True
        peers = list(self._links)
        self.exchange("finish", dict.fromkeys(peers, memoryview(b"")), {p: memoryview(bytearray()) for p in peers})
        self.close()

    def abort_because(self, exc: BaseException) -> None:
        """Abort: the party that the exception names is at fault, or else this one.

        If a peer has accused this party, the third is told of that peer: this party knows nothing against itself.
        """
        culprit = exc.party if isinstance(exc, PartyError) and exc.party is not None else self.party_id
        if culprit == self.party_id and isinstance(exc, PeerLost) and exc.accuser is not None:
            culprit = exc.accuser
        self.abort(culprit)

    def abort(self, culprit: int) -> None:
        """Tell the peers whose fault ends this run, as far as the links still carry it, and close."""
        message = frame.pack_abort(culprit)
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.send(memoryview(message))
        self.close()

    def close(self) -> None:
        for link in self._links.values():
            link.close()

    def _outgoing(self, peer: int, tag: str, payload: memoryview) -> _Outgoing:
        header = frame.pack_header(tag, self._sent[peer], len(payload))
        self._sent[peer] += 1
        self.bytes_sent += len(header) + len(payload)
        if self._passed_on + self.bytes_sent > MAX_BYTES:
            raise FrameError(
                f"message {tag!r}: expected at most 2^47 bytes from a party in a run, got more: beyond them TLS is "
                "less sure to hide and to protect what it carries; start a new run"
            )
        return _Outgoing(
            self._links[peer],
            [memoryview(header + payload)] if len(payload) < 1 << 16 else [memoryview(header), payload],
        )

    def _pump(self, outgoing: dict[int, _Outgoing], incoming: dict[int, _Incoming]) -> None:
        """Move bytes both ways until all is sent and all has come."""
        sending, receiving = list(outgoing), list(incoming)
        while True:
            sending = [peer for peer in sending if not _advance(peer, outgoing[peer], incoming)]
            receiving = [peer for peer in receiving if not _advance(peer, incoming[peer], incoming)]
            if not sending and not receiving:
                return
            self._wait(sending, receiving)

    def _wait(self, sending: list[int], receiving: list[int]) -> None:
        """Wait until a link can move. A peer that hangs up is noticed on links that nothing is expected on, too, unless
        it may: one that has come to the end and left would wake this party again and again, and no time-out would end
        its waiting for the other."""
        poll = select.poll()
        for peer, link in self._links.items():
            if self._finishing and peer not in receiving and peer not in sending:
                continue
            mask = PEER_CLOSED | select.POLLHUP
            mask |= _READABLE if peer in receiving else 0
            mask |= select.POLLOUT if peer in sending else 0
            poll.register(link.fileno(), mask)
        events = dict(_look(poll) or poll.poll(self.timeout_seconds * 1000))
        if not events:
            peer = (receiving or sending)[0]
            doing = "sent nothing" if receiving else "took nothing"
            raise PeerTimeout(
                f"{_name(peer)} {doing} for {self.timeout_seconds:g} s; check that it runs and that the network "
                "reaches it, or allow more time (--timeout)",
                peer,
            )
        for peer, link in self._links.items():
            hung_up = events.get(link.fileno(), 0) & (select.POLLHUP | PEER_CLOSED | select.POLLERR)
            if hung_up and peer not in receiving and not self._finishing:
                raise lost(peer, link)


def _look(poll: select.poll) -> list[tuple[int, int]]:
    """What has happened, as soon as there is anything, or nothing after a while."""
    until = time.perf_counter() + _LOOK_SECONDS
    while not (events := poll.poll(0)) and time.perf_counter() < until:
        _let_others()
    return events


def _advance(peer: int, message: _Outgoing | _Incoming, incoming: dict[int, _Incoming]) -> bool:
    try:
        return message.advance()
    except (EOFError, OSError) as exc:
        reason = f": {exc}" if str(exc) else ""
        seen = incoming[peer].tail if peer in incoming else b""
        raise lost(peer, message.link, reason, seen) from exc


def lost(peer: int, link: Link, reason: str = "", seen: bytes = b"") -> PeerLost:
    """The error for a link that has closed: its last message if that blames somebody, or else the peer itself.

    An abort is the last that a party sends, perhaps after messages that nobody waits for any more.  seen: the end of
    what has been read before.
    """
    buffer = bytearray(1 << 16)
    try:
        while received := link.receive_into(memoryview(buffer)):
            seen = (seen + buffer[:received])[-frame.HEADER_BYTES :]
    except EOFError:
        pass
    except OSError as exc:
        reason = reason or f": {exc}"
    try:
        if len(seen) == frame.HEADER_BYTES:
            frame.check_abort(seen, peer)
    except PeerLost as abort:
        return abort
    return PeerLost(f"{_name(peer)} closed its connection{reason}", peer)


def _name(peer: int) -> str:
    return f"party {peer}"
