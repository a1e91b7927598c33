"""A TCP relay that delays: three parties on one machine as if a network lay between them.

Each connection has, in each direction, a line of a given bandwidth, followed by a delay. Of n bytes that arrive at time
t, the last leaves at max(t, when the line is free) + 8 n / bandwidth + delay. Bytes are forwarded as they are.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator

from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.runs.network import Network

_CHUNK = 1 << 14  # bytes: what one read forwards, so that a message is spread over the time that it takes
_AHEAD_SECONDS = 0.05  # how much the line takes in before its sender has to wait
_HOST = "127.0.0.1"
_CONNECT_SECONDS, _RETRY_SECONDS = 5.0, 0.02


@contextlib.contextmanager
def through(network: Network, addresses: Addresses) -> Iterator[Addresses]:
    """Addresses at which the listeners of `addresses` are reached through the network, until the block ends."""
    with contextlib.ExitStack() as stack:
        first, second, third = (stack.enter_context(Relay(network, address)).address for address in addresses)
        yield first, second, third


class Relay:
    """Listens on a port of this machine and forwards each connection to the target. Leaves no thread behind."""

    def __init__(self, network: Network, target: Address) -> None:
        self._network = network
        self._target = target
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False
        self._listener = socket.create_server((_HOST, 0))
        self.address = Address(*self._listener.getsockname()[:2])
        self._start(self._accept)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            for sock in (self._listener, *self._sockets):
                _shut(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in (self._listener, *self._sockets):
            sock.close()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._reach_target()
            if server is None:
                client.close()
                continue
            with self._lock:
                self._sockets += [client, server]
                if self._closed:
                    return
                for source, sink in ((client, server), (server, client)):
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    line: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
                    self._start(self._take_in, source, line)
                    self._start(_give_out, sink, line)

    def _reach_target(self) -> socket.socket | None:
        """Parties start in any order, so wait a while for the target to listen; None where it does not."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        while not self._closed and time.monotonic() < deadline:
            try:
                return socket.create_connection(self._target)
            except OSError:
                time.sleep(_RETRY_SECONDS)
        return None

    def _take_in(self, source: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
        """Read bytes and put them on the line with the time at which they come out; empty bytes are the end."""
        free = 0.0
        data = b"first"
        while data:
            try:
                data = source.recv(_CHUNK)
            except OSError:
                data = b""
            now = time.monotonic()
            free = max(now, free) + 8 * len(data) / self._network.bits_per_second
            line.put((free + self._network.latency_seconds, data))
            time.sleep(max(0.0, free - now - _AHEAD_SECONDS))


def _give_out(sink: socket.socket, line: queue.SimpleQueue[tuple[float, bytes]]) -> None:
    while True:
        due, data = line.get()
        time.sleep(max(0.0, due - time.monotonic()))
        if not data:
            _shut(sink, socket.SHUT_WR)
            return
        try:
            sink.sendall(data)
        except OSError:
            return


def _shut(sock: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(how)
