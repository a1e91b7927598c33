"""Strangers without certificates: a hundred of them neither end nor hold up a run or a service. Loopback only."""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import certificate_file, key_file, make_certificate, write_certificate
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.clients import listener as listener_module
from mpc_tamper.engines.rep3.clients.client import Client, connect
from mpc_tamper.engines.rep3.clients.listener import ClientListener, pinned
from mpc_tamper.engines.rep3.clients.wire import HELLO, TOKEN_BYTES, pack_hello
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport import tls as tls_module
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.reception import _MOST_GUESTS
from mpc_tamper.engines.rep3.transport.tls import Identity, listen
from mpc_tamper.engines.rep3.transport.tls import connect as meet
from tests.support.clients_in_memory import serving
from tests.support.threads import in_threads

STRANGERS = 100
# Seconds. With nobody else there it takes some 0.1; were each stranger waited for, it would take minutes.
SOON, LATE = 40.0, 120.0
SQUARE = """
listen_for_clients(15000)
client = accept_client_connection(15000)
x = sint.receive_from_client(1, client)[0]
sint.reveal_to_clients([client], [x * x])
"""


@contextlib.contextmanager
def strangers(addresses: Sequence[Address], count: int = STRANGERS, says: bytes = b"") -> Iterator[None]:
    """So many connections, spread over the addresses, that come again whenever they are hung up on."""
    stop = threading.Event()

    def knock(address: Address) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(address, timeout=1) as sock:
                sock.sendall(says)
                sock.settimeout(0.2)
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        if not sock.recv(1):
                            break
            stop.wait(0.02)

    threads = [threading.Thread(target=knock, args=(addresses[i % len(addresses)],)) for i in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)


class Parties:
    """Three of them on this machine."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.certificates = zip(*(make_certificate(i, folder) for i in range(3)), strict=True)
        self.listeners = [listen(i, Address("127.0.0.1", 0), "") for i in range(3)]
        first, second, third = (Address(*each.getsockname()) for each in self.listeners)
        self.addresses: Addresses = (first, second, third)

    def meet(self, party: int, seconds: float = LATE) -> Channel:
        identity = Identity(party, self.keys[party], self.certificates)
        return meet(
            identity,
            self.listeners[party],
            self.addresses,
            timeout_seconds=seconds,
            connect_timeout_seconds=seconds,
        )


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    three = Parties(tmp_path)
    yield three
    for each in three.listeners:
        each.close()


@pytest.mark.parametrize("says", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01"], ids=["silent", "http", "half TLS"])
def test_parties_meet_among_strangers(parties: Parties, says: bytes) -> None:
    with strangers(parties.addresses, says=says):
        start = time.monotonic()
        channels = in_threads(*(lambda i=i: parties.meet(i) for i in range(3)), seconds=LATE)
        spent = time.monotonic() - start
    assert all(isinstance(each, Channel) for each in channels), channels
    assert spent < SOON


def test_more_strangers_than_are_greeted_at_a_time(parties: Parties) -> None:
    """The oldest has to go; a party that was mistaken for one dials again."""
    with strangers(parties.addresses[:1], _MOST_GUESTS + 50):
        start = time.monotonic()
        channels = in_threads(*(lambda i=i: parties.meet(i) for i in range(3)), seconds=LATE)
        spent = time.monotonic() - start
    assert all(isinstance(each, Channel) for each in channels), channels
    assert spent < SOON


@pytest.mark.parametrize("answer", ["silence", "another certificate"])
def test_somebody_else_who_answers_first_at_a_partys_address_does_not_end_the_others(
    parties: Parties, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """The party comes a moment later, when the stranger has left its address."""
    monkeypatch.setattr(tls_module, "_ATTEMPT_SECONDS", 0.5)
    address = parties.addresses[0]
    parties.listeners[0].close()
    taken = socket.create_server((address.host, address.port))
    key, certificate = make_certificate(0, tmp_path / "stranger")

    def late() -> Channel:
        with taken:
            if answer == "silence":
                time.sleep(2)
            else:
                parties_of_strangers = Identity(0, key, (certificate, *parties.certificates[1:]))
                with pytest.raises(PartyError):
                    meet(
                        parties_of_strangers,
                        taken,
                        parties.addresses,
                        timeout_seconds=2.0,
                        connect_timeout_seconds=2.0,
                    )
        parties.listeners[0] = listen(0, address, "")
        return parties.meet(0)

    channels = in_threads(late, lambda: parties.meet(1), lambda: parties.meet(2), seconds=LATE)
    assert all(isinstance(each, Channel) for each in channels), channels


class Servers:
    """The doors of three servers, with TLS; alice is known."""

    def __init__(self, folder: Path, *, known: bool = True, seconds: float = 20.0) -> None:
        servers = folder / "servers"
        for i in range(3):
            make_certificate(i, servers)
        self.alice = write_certificate("alice", folder / "alice.key", folder / "known" / "alice.pem")
        sockets = [listen(i, Address("127.0.0.1", 0), "") for i in range(3)]
        first, second, third = (Address(*each.getsockname()) for each in sockets)
        self.addresses: Addresses = (first, second, third)
        of_known = pinned(folder / "known") if known else None
        self.doors = [
            ClientListener(sockets[i], key_file(servers, i), certificate_file(servers, i), of_known, seconds)
            for i in range(3)
        ]
        own = [certificate_file(servers, i) for i in range(3)]
        self.certificates = own[0], own[1], own[2]

    def connect(self, *, anonymous: bool = False, seconds: float = LATE) -> Client:
        key, certificate = (None, None) if anonymous else self.alice
        return connect(self.addresses, Credentials(self.certificates, key, certificate), timeout_seconds=seconds)

    def close(self) -> None:
        for door in self.doors:
            door.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    three = Servers(tmp_path)
    yield three
    three.close()


@pytest.fixture
def square(tmp_path: Path) -> Path:
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    program = tmp_path / "square.mpc"
    program.write_text(SQUARE)
    return program


@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01"], ids=["silent", "half TLS"])
def test_a_client_is_served_among_strangers(
    servers: Servers, square: Path, tmp_path: Path, run_dir: Path, says: bytes
) -> None:
    with (
        strangers(servers.addresses, 3 * STRANGERS, says),
        serving(square, (), tmp_path / "none", run_dir, doors=servers.doors),
    ):
        start = time.monotonic()
        client = servers.connect()
        client.send_private_inputs(np.array([7]))
        assert client.receive_outputs(1).tolist() == [49]
        assert time.monotonic() - start < SOON


def anywhere(servers: Servers) -> list[int]:
    return [len(door._waiting) for door in servers.doors]


def test_a_waiting_client_is_not_hung_up_on(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """By nobody's coming and by no time that passes, until it leaves itself."""
    clock = time.monotonic

    client = waiting_client(servers)
    until(lambda: anywhere(servers) == [1, 1, 1])
    monkeypatch.setattr(listener_module.time, "monotonic", lambda: clock() + 10_000)
    with strangers(servers.addresses, 20):
        time.sleep(0.5)
    assert anywhere(servers) == [1, 1, 1]
    monkeypatch.undo()
    assert servers.doors[0].first(0.0) is not None
    for link in client:
        link.close()
    until(lambda: [door.first(0.0) for door in servers.doors] == [None] * 3)
    assert anywhere(servers) == [0, 0, 0]


def test_one_certificate_does_not_take_all_places(servers: Servers) -> None:
    most = listener_module._MOST_OF_ONE
    with contextlib.ExitStack() as stack:
        for _ in range(most):
            for link in waiting_client(servers):
                stack.enter_context(link)
        until(lambda: anywhere(servers) == [most] * 3)
        for link in waiting_client(servers):
            with link, contextlib.suppress(ConnectionError):
                assert link.recv(1) == b""  # it is hung up on
        assert anywhere(servers) == [most] * 3


def test_clients_that_come_to_one_server_alone_hold_the_others_up_once(
    tmp_path: Path, square: Path, run_dir: Path
) -> None:
    """Anonymous ones, that say hello to server 0 and to nobody else."""
    three = Servers(tmp_path, known=False)
    leader = three.addresses[0]
    alone = []
    try:
        for _ in range(40):  # at 2 s each, were they all waited for
            stray = say_hello(leader, three)
            alone.append(stray)
        with serving(square, (), tmp_path / "none", run_dir, doors=three.doors):
            start = time.monotonic()
            client = three.connect(anonymous=True)
            client.send_private_inputs(np.array([7]))
            assert client.receive_outputs(1).tolist() == [49]
            assert time.monotonic() - start < SOON
    finally:
        three.close()
        for stray in alone:
            stray.close()


def waiting_client(servers: Servers) -> list[ssl.SSLSocket]:
    """Alice's links to the three servers, of which none has taken her on yet."""
    token = secrets.token_bytes(TOKEN_BYTES)
    return [say_hello(address, servers, token, servers.alice) for address in servers.addresses]


def say_hello(
    address: Address, servers: Servers, token: bytes | None = None, own: tuple[Path, Path] | None = None
) -> ssl.SSLSocket:
    """A link to one server, through which the client has said hello. own: its key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    for certificate in servers.certificates:
        context.load_verify_locations(cafile=str(certificate))
    if own is not None:
        context.load_cert_chain(own[1], own[0])
    tls = context.wrap_socket(socket.create_connection(address, timeout=LATE))
    hello = pack_hello(token or secrets.token_bytes(TOKEN_BYTES))
    tls.sendall(frame.pack_header(HELLO, 0, len(hello)) + hello)
    return tls


def until(condition: Callable[[], bool], seconds: float = LATE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
