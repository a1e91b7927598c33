"""Faulty and cheating clients, and servers that cheat a client.

A bad client ends the run, or, where the program asks whether it is present, harms itself alone; nothing is ever
computed with zeros in place of what a client did not send.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import (
    FrameError,
    HandshakeError,
    OpeningError,
    PartyError,
    PeerLost,
    PeerTimeout,
    ProgramError,
    ProtocolAbort,
    UsageError,
)
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import certificate_file, key_file, make_certificate, write_certificate
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.clients.client import Client, connect, share
from mpc_tamper.engines.rep3.clients.listener import ClientListener, pinned
from mpc_tamper.engines.rep3.clients.service import ClientService
from mpc_tamper.engines.rep3.clients.wire import ANSWER, INPUT, PUBLIC_INPUT, PUBLIC_OK, Code
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport.link import Link
from tests.support.clients_in_memory import Servers, serving

SQUARES = """
listen_for_clients(15000)
@for_range(%d)
def _(i):
    client = accept_client_connection(15000)
    x = sint.receive_from_client(1, client, size=4)[0]
    @if_(client_present(client))
    def _():
        sint.reveal_to_clients([client], [x * x])
    closeclientconnection(client)
"""
UNASKED = """
listen_for_clients(15000)
clients = [accept_client_connection(15000) for _ in range(2)]
x, y = [sint.receive_from_client(1, client)[0] for client in clients]
%s
"""


@pytest.fixture
def squares(tmp_path: Path) -> Callable[[int], Path]:
    """A program that squares four values of each of so many clients."""
    (tmp_path / "none" / "Persistence").mkdir(parents=True)

    def write(clients: int) -> Path:
        path = tmp_path / "squares.mpc"
        path.write_text(SQUARES % clients)
        return path

    return write


def good_client(servers: Servers) -> None:
    client = servers.connect()
    client.wait_for_turn()
    client.send_private_inputs(np.array([1, -2, 3, -4]))
    assert client.receive_outputs(4).tolist() == [1, 4, 9, 16]
    client.close()


def send(client: Client, server: int, tag: str, payload: bytes, length: int | None = None) -> None:
    """A frame from the client, as it comes, or with another length in its header."""
    channel = client._channels[server]
    if length is None:
        channel.exchange(tag, {server: memoryview(payload)}, {})
    else:
        channel._links[server].send(memoryview(frame.pack_header(tag, 1, length) + payload))


def truncated(client: Client) -> None:
    for server in range(3):
        send(client, server, INPUT, bytes(40))


def oversized(client: Client) -> None:
    for server in range(3):
        send(client, server, INPUT, bytes(1 << 16))


def slowly_oversized(client: Client) -> None:
    """Its servers know from the header that it is wrong, long before the client has sent it all."""
    size = 1 << 19
    for server in range(3):
        send(client, server, INPUT, b"", length=size)
    for channel in client._channels:
        for _ in range(8):
            time.sleep(0.02)
            for server in channel._links:
                left = memoryview(bytes(size // 8))
                while left:
                    left = left[channel._links[server].send(left) :]


def enormous(client: Client) -> None:
    for server in range(3):
        send(client, server, INPUT, b"", length=frame.MAX_PAYLOAD)


def mistagged(client: Client) -> None:
    for server in range(3):
        send(client, server, ANSWER, bytes(64))


def cut_off(client: Client) -> None:
    for server in range(3):
        send(client, server, INPUT, bytes(10), length=64)
    client.close()


def vanished(client: Client) -> None:
    client.close()


def silent(client: Client) -> None:
    """Says nothing, and stays."""


def slow(client: Client) -> None:
    """A byte now and then: each is progress, the message is not."""
    for server in range(3):
        send(client, server, INPUT, b"", length=64)
    for _ in range(40):
        time.sleep(0.1)
        try:
            for channel in client._channels:
                for link in channel._links.values():
                    link.send(memoryview(b"\0"))
        except OSError:
            return


def one_server_only(client: Client) -> None:
    send(client, 1, INPUT, bytes(64))


def holders_disagree(client: Client) -> None:
    components = [part.copy() for part in share(np.array([1, 2, 3, 4]))]
    for server in range(3):
        parts = [components[server], components[server - 1].copy()]
        parts[1][3] ^= np.uint64(server == 2)  # component 1 at server 2 is another one than at server 1
        send(client, server, INPUT, np.concatenate(parts).tobytes())


FAULTS: list[tuple[Callable[[Client], None], type[PartyError]]] = [
    (truncated, FrameError),
    (oversized, FrameError),
    (slowly_oversized, FrameError),
    (enormous, FrameError),
    (mistagged, FrameError),
    (cut_off, PartyError),
    (vanished, PartyError),
    (silent, PeerLost),
    (slow, PeerLost),
    (one_server_only, PeerLost),
    (holders_disagree, ProtocolAbort),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
def test_servers_go_on_with_the_next_client(
    squares: Callable[[int], Path],
    tmp_path: Path,
    run_dir: Path,
    active: bool,
    fault: Callable[[Client], None],
    error: type[PartyError],
) -> None:
    seconds = 1.5 if error is PeerLost else None  # where a fault is a silence, it has to end
    with serving(squares(3), (), tmp_path / "none", run_dir, active=active) as servers:
        good_client(servers)
        client = servers.connect(seconds=seconds)
        client.wait_for_turn()
        fault(client)
        if fault not in (cut_off, vanished):
            with pytest.raises(error):
                client._heed("client/input ok")
        good_client(servers)


USES = {
    "answers to another": "sint.reveal_to_clients([clients[1]], [x + y])",
    "answers to the one that is lost": "sint.reveal_to_clients([clients[0]], [y])",
    "openings": "print_ln('%s', (x + y).reveal())",
    "products": "x * y",
    "comparisons": "x < y",
    "shares written": "sint.write_to_file([x + y])",
    "the next client": "accept_client_connection(15000)",
    "caught": """
for _ in range(3):
    try:
        print_ln('%s', (x + y).reveal())
    except BaseException:
        pass
""",
}


@pytest.fixture
def corrupt_server_loses_client_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Server 1 says to both others that an honest client's input has not come."""
    settle = ClientService._settle

    def lie(self: ClientService, client: int, connection: Any, vote: str, reply: str, code: Code) -> bool:
        if self._party.party_id == 1 and client == 0:
            code = Code.LOST
        return settle(self, client, connection, vote, reply, code)

    monkeypatch.setattr(ClientService, "_settle", lie)


@pytest.mark.usefixtures("corrupt_server_loses_client_0")
@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("active", [False, True], ids=["passive", "active"])
def test_a_server_that_loses_an_honest_client_ends_the_run(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, active: bool, use: str
) -> None:
    """It could put zero in the place of that client's input, and read the value off a sum that another client gets."""
    program = squares(1).with_name("unasked.mpc")
    program.write_text(UNASKED % use)
    answers: list[list[int]] = []

    def ask() -> None:
        with serving(program, (), tmp_path / "none", run_dir, active=active) as servers:
            clients = [servers.connect() for _ in range(2)]
            for client in clients:
                client.wait_for_turn()
            with pytest.raises(PeerLost, match="did not all get"):
                clients[0].send_private_inputs(np.array([41]))
            with contextlib.suppress(PartyError):  # a server may end before it has said that this input has come
                clients[1].send_private_inputs(np.array([1000]))
                answers.append(clients[1].receive_outputs(1).tolist())

    with pytest.raises(ProtocolAbort, match=r"values that client 0 shares.*party 1: it did not come"):
        ask()
    assert answers == []
    assert not list(run_dir.rglob("Transactions-*"))


@pytest.mark.usefixtures("corrupt_server_loses_client_0")
def test_a_program_that_asks_goes_on_without_the_client_and_knows(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = squares(1).with_name("asks.mpc")
    program.write_text(
        UNASKED % "print_ln('%s %s', client_present(clients[0]), client_present(clients[1]))\n"
        "sint.reveal_to_clients(clients, [y + 1])"
    )
    with serving(program, (), tmp_path / "none", run_dir, active=True) as servers:
        clients = [servers.connect() for _ in range(2)]
        for client in clients:
            client.wait_for_turn()
        with pytest.raises(PeerLost, match="did not all get"):
            clients[0].send_private_inputs(np.array([41]))
        clients[1].send_private_inputs(np.array([1000]))
        assert clients[1].receive_outputs(1).tolist() == [1001]
        with pytest.raises(PartyError):
            clients[0].receive_outputs(1)
    assert "0 1" in capsys.readouterr().out


def test_public_values_of_a_client_are_the_same_at_all_servers(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path
) -> None:
    program = squares(1).with_name("public.mpc")
    program.write_text(
        "listen_for_clients(15000)\n"
        "a, b = [accept_client_connection(15000) for _ in range(2)]\n"
        "x, y = regint.read_from_socket(a, 2)\n"
        "regint.write_to_socket(a, [x + y, x * y])\n"
        "z = regint.read_from_socket(b)\n"
        "regint.write_to_socket(a, [client_present(b)])\n"
    )
    with serving(program, (), tmp_path / "none", run_dir) as servers:
        first, second = servers.connect(), servers.connect()
        first.wait_for_turn()
        first.send_public_inputs(np.array([3, -4]))
        assert first.receive_public_outputs(2).tolist() == [-1, -12]
        second.wait_for_turn()
        for server in range(3):
            send(second, server, PUBLIC_INPUT, bytes([server == 2] * 8))
        with pytest.raises(ProtocolAbort, match="different copies"):
            second._heed(PUBLIC_OK)
        assert first.receive_public_outputs(1).tolist() == [0]


def test_a_client_that_was_closed_cannot_be_received_from(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path
) -> None:
    program = squares(1).with_name("closed.mpc")
    program.write_text(
        "listen_for_clients(15000)\n"
        "client = accept_client_connection(15000)\n"
        "closeclientconnection(client)\n"
        "print_ln('%s', sint.receive_from_client(1, client)[0].reveal())\n"
    )

    def ask() -> None:
        with serving(program, (), tmp_path / "none", run_dir) as servers:
            servers.connect()

    with pytest.raises(ProgramError, match="expected a client that is connected"):
        ask()


def test_a_client_that_some_servers_do_not_see_is_passed_over(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpc_tamper.engines.rep3.clients.service._PATIENCE_SECONDS", 0.3)
    with serving(squares(1), (), tmp_path / "none", run_dir) as servers:
        stray = servers.connect(certificates=(b"one", b"one", b"another"))
        with pytest.raises(PeerLost, match="did not all see"):
            stray.wait_for_turn()
        good_client(servers)


class FlipsAnswer:
    """A link on which one server's answer has a bit changed. Frames before it: two codes."""

    def __init__(self, link: Link, position: int) -> None:
        self._link = link
        self._left = position

    def receive_into(self, buffer: memoryview) -> int:
        received = self._link.receive_into(buffer)
        if 0 <= self._left < received:
            buffer[self._left] ^= 1
        self._left -= received
        return received

    def send(self, data: memoryview) -> int:
        return self._link.send(data)

    def fileno(self) -> int:
        return self._link.fileno()

    def close(self) -> None:
        self._link.close()


@pytest.mark.parametrize("server", range(3))
@pytest.mark.parametrize("component", range(2))
def test_the_client_notices_a_server_that_changes_the_answer(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, server: int, component: int
) -> None:
    before = 2 * (frame.HEADER_BYTES + 8) + frame.HEADER_BYTES
    position = before + 32 * component + 8

    def flip(i: int, link: Link) -> Link:
        return FlipsAnswer(link, position) if i == server else link

    with serving(squares(1), (), tmp_path / "none", run_dir) as servers:
        client = servers.connect(flip)
        client.wait_for_turn()
        client.send_private_inputs(np.array([1, 2, 3, 4]))
        with pytest.raises(OpeningError, match=f"server {(server - component) % 3} and"):
            client.receive_outputs(4)


@pytest.mark.parametrize("corrupt", range(3))
def test_a_server_with_two_votes_ends_the_run(
    squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, corrupt: int
) -> None:
    """It tells one honest server that the client failed, and the other that it did not."""

    def watch(party: Party) -> None:
        exchange = party.channel.exchange
        liar, victim = party.party_id == corrupt, party.channel.next

        def lie(tag: str, out: Mapping[int, memoryview], into: Mapping[int, memoryview]) -> None:
            if liar and tag == "client/input":
                out = {**out, victim: memoryview(int(Code.LOST).to_bytes(8, "little"))}
            exchange(tag, out, into)

        party.channel.exchange = lie  # type: ignore[method-assign]

    def ask() -> None:
        with serving(squares(1), (), tmp_path / "none", run_dir, watch=watch) as servers:
            client = servers.connect()
            client.wait_for_turn()
            with pytest.raises(PartyError):
                client.send_private_inputs(np.array([1, 2, 3, 4]))

    with pytest.raises(ProtocolAbort, match="client vote"):
        ask()


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Callable[[tuple[Path, ...] | None], Addresses]]:
    """Listeners of three servers with TLS, and where; they are in `opened`."""
    opened: list[ClientListener] = []

    def open_all(known: tuple[Path, ...] | None) -> Addresses:
        addresses = []
        for i in range(3):
            make_certificate(i, tmp_path / "servers")
            listener = socket.create_server(("127.0.0.1", 0))
            addresses.append(Address(*listener.getsockname()))
            folder = tmp_path / "servers"
            opened.append(ClientListener(listener, key_file(folder, i), certificate_file(folder, i), known, 20.0))
        return addresses[0], addresses[1], addresses[2]

    open_all.opened = opened  # type: ignore[attr-defined]
    yield open_all
    for listener in opened:
        listener.close()


def credentials(tmp_path: Path, name: str | None = None) -> Credentials:
    first, second, third = (certificate_file(tmp_path / "servers", i) for i in range(3))
    if name is None:
        return Credentials((first, second, third))
    key, certificate = tmp_path / "clients" / f"{name}.key", tmp_path / "clients" / f"{name}.pem"
    if not key.exists():
        write_certificate(name, key, certificate)
    return Credentials((first, second, third), key, certificate)


def test_tls_with_known_clients(squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, doors) -> None:
    """The client whose certificate the servers have is served; others, and the anonymous, are turned away meanwhile."""
    credentials(tmp_path, "alice")
    addresses = doors(pinned(tmp_path / "clients"))
    idle = [socket.create_connection(addresses[i % 3]) for i in range(12)]  # they say nothing and hold nobody up
    with serving(squares(1), (), tmp_path / "none", run_dir, doors=doors.opened):
        for stranger in (None, "mallory"):
            with pytest.raises(PartyError):
                connect(addresses, credentials(tmp_path, stranger), timeout_seconds=60.0)
        client = connect(addresses, credentials(tmp_path, "alice"), timeout_seconds=60.0)
        client.send_private_inputs(np.array([5, 6, 7, 8]))
        assert client.receive_outputs(4).tolist() == [25, 36, 49, 64]
        client.close()
    for each in idle:
        each.close()


def test_tls_with_anonymous_clients(squares: Callable[[int], Path], tmp_path: Path, run_dir: Path, doors) -> None:
    addresses = doors(None)
    with serving(squares(1), (), tmp_path / "none", run_dir, doors=doors.opened):
        client = connect(addresses, credentials(tmp_path), timeout_seconds=60.0)
        client.send_private_inputs(np.array([5, 6, 7, 8]))
        assert client.receive_outputs(4).tolist() == [25, 36, 49, 64]


def test_the_client_refuses_a_server_with_another_certificate(tmp_path: Path, doors) -> None:
    addresses = doors(None)
    make_certificate(1, tmp_path / "servers")  # the client has a newer one than the server shows
    with pytest.raises(HandshakeError, match="certificate of server 1"):
        connect(addresses, credentials(tmp_path), timeout_seconds=60.0)


def test_servers_in_another_order_are_refused(tmp_path: Path, doors) -> None:
    first, second, third = doors(None)
    with pytest.raises(HandshakeError, match="certificate of server 0"):
        connect((second, first, third), credentials(tmp_path), timeout_seconds=60.0)


def test_no_server_there(tmp_path: Path, doors) -> None:
    addresses = doors(None)
    doors.opened[1].close()
    with pytest.raises(PeerTimeout, match="server 1 does not serve"):
        connect(addresses, credentials(tmp_path), timeout_seconds=0.5)


def test_a_folder_without_certificates(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="got none"):
        pinned(tmp_path)
