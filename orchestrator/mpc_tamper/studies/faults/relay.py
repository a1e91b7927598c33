"""A relay between two parties that does one thing to the bytes of one direction, once so many of them have passed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.runs.protocols import PARTIES

_HOST = "127.0.0.1"
_CHUNK = 1 << 14
_DUPLICATED = 512  # bytes
_RETRY_SECONDS, _CONNECT_SECONDS = 0.02, 30.0


class Deed(StrEnum):
    CUT = "cut"  # both directions are closed
    STALL = "stall"  # nothing passes any more, and nobody is told
    DELAY = "delay"
    FLIP = "flip"  # a bit
    DUPLICATE = "duplicate"
    TRUNCATE = "truncate"  # some bytes are left out, and what follows passes
    INSERT = "insert"  # random bytes


@dataclass(frozen=True)
class Interference:
    """listener, connection: the connection that comes to this party's listener as this one, counted from 0.
    forward: towards the listener.  after: how many bytes pass first.  amount: bytes, a bit or seconds, by deed.
    """

    deed: Deed
    listener: int
    connection: int
    forward: bool
    after: int
    amount: float

    def written(self, note: Path) -> str:
        return json.dumps(asdict(self) | {"note": str(note)})

    @classmethod
    def read(cls, text: str) -> tuple[Interference, Path]:
        fields = json.loads(text)
        note = Path(fields.pop("note"))
        return cls(**fields | {"deed": Deed(fields["deed"])}), note


@contextlib.contextmanager
def interfering(what: Interference, note: Path, addresses: Addresses) -> Iterator[Addresses]:
    """Addresses at which the listeners are reached through relays. The time of the deed goes into the note."""
    with contextlib.ExitStack() as stack:
        found = []
        for party in range(PARTIES):
            listener = stack.enter_context(socket.create_server((_HOST, 0)))
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # it wakes the thread that accepts
            found.append(Address(*listener.getsockname()[:2]))
            args = (listener, addresses[party], what if party == what.listener else None, note)
            threading.Thread(target=_accept, args=args, daemon=True).start()
        yield found[0], found[1], found[2]


def _accept(listener: socket.socket, target: Address, what: Interference | None, note: Path) -> None:
    for number in itertools.count():
        try:
            client, _ = listener.accept()
        except OSError:  # closed
            return
        server = _reach(target)
        if server is None:
            client.close()
            continue
        for source, sink, forward in ((client, server, True), (server, client, False)):
            sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mine = what is not None and (what.connection, what.forward) == (number, forward)
            args = (source, sink, what if mine else None, note)
            threading.Thread(target=_forward, args=args, daemon=True).start()


def _reach(target: Address) -> socket.socket | None:
    deadline = time.monotonic() + _CONNECT_SECONDS
    while time.monotonic() < deadline:
        try:
            return socket.create_connection(target)
        except OSError:
            time.sleep(_RETRY_SECONDS)
    return None


def _forward(source: socket.socket, sink: socket.socket, what: Interference | None, note: Path) -> None:
    passed = 0
    try:
        while data := source.recv(_CHUNK):
            if what is not None and passed + len(data) > what.after:
                data = _interfere(what, data, what.after - passed, (source, sink), note)
                what = None
            passed += len(data)
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # one end is gone, so the other is to notice
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _interfere(
    what: Interference, data: bytes, place: int, ends: tuple[socket.socket, socket.socket], note: Path
) -> bytes:
    """The bytes that go on in place of `data`; place: the first of them that is not to pass as it is."""
    before, rest = data[:place], data[place:]
    ends[1].sendall(before)
    if what.deed == Deed.DELAY:
        time.sleep(what.amount)
    _write_time(note)
    match what.deed:
        case Deed.CUT:
            for end in ends:
                end.shutdown(socket.SHUT_RDWR)
        case Deed.STALL:
            threading.Event().wait()
        case Deed.FLIP:
            return bytes([rest[0] ^ 1 << int(what.amount) % 8]) + rest[1:]
        case Deed.DUPLICATE:
            return (before + rest)[-_DUPLICATED:] + rest
        case Deed.TRUNCATE:
            return rest[int(what.amount) :]
        case Deed.INSERT:
            return os.urandom(int(what.amount)) + rest
    return rest


def _write_time(note: Path) -> None:
    """Whole or not at all."""
    partial = note.with_name(f"{note.name}.part")
    partial.write_text(f"{time.monotonic()}\n", encoding="utf-8")
    partial.rename(note)
