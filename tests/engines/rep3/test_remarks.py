"""What servers say of clients that do something wrong: one line that names it, and no flood."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import certificate_file, key_file, make_certificate, write_certificate
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.clients.client import Client, connect
from mpc_tamper.engines.rep3.clients.listener import ClientListener, pinned
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.transport.tls import listen
from tests.support.clients_in_memory import serving
from tests.support.processes import wait_for

SQUARE = """
listen_for_clients(15000)
@for_range(2)
def _(i):
    client = accept_client_connection(15000)
    x = sint.receive_from_client(1, client)[0]
    @if_(client_present(client))
    def _():
        sint.reveal_to_clients([client], [x * x])
"""


def test_lines_of_a_kind_come_one_at_a_time_and_count_the_others() -> None:
    said: list[str] = []
    now = 0.0
    remark = Remarks(said.append, lambda: now)
    for i in range(100):
        remark(f"client {i}", "was lost")
    remark("client 100", "was refused")
    now = 10.0
    remark("client 101", "was lost")
    assert said == ["client 0 was lost", "client 100 was refused", "client 101 was lost; so did 99 before"]


def test_a_server_may_say_nothing() -> None:
    Remarks()("a client", "was lost")


class Doors:
    """Those of three servers, of which server 0 speaks."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        servers = folder / "servers"
        for i in range(3):
            make_certificate(i, servers)
        self.alice = write_certificate("alice", folder / "alice.key", folder / "known" / "alice.pem")
        sockets = [listen(i, Address("127.0.0.1", 0), "") for i in range(3)]
        first, second, third = (Address(*each.getsockname()) for each in sockets)
        self.addresses: Addresses = (first, second, third)
        remarks = [Remarks(self.said.append), None, None]
        known = pinned(folder / "known")
        self.doors = [
            ClientListener(sockets[i], key_file(servers, i), certificate_file(servers, i), known, 60.0, remarks[i])
            for i in range(3)
        ]
        one, two, three = (certificate_file(servers, i) for i in range(3))
        self.certificates = one, two, three

    def connect(self, credentials: Credentials | None = None) -> Client:
        own = Credentials(self.certificates, *self.alice)
        return connect(self.addresses, credentials or own, timeout_seconds=60.0)


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    three = Doors(tmp_path)
    yield three
    for door in three.doors:
        door.close()


def test_a_client_without_a_certificate(doors: Doors) -> None:
    with pytest.raises(PartyError):
        doors.connect(Credentials(doors.certificates))
    wait_for(lambda: doors.said)
    assert doors.said == [
        "a client at 127.0.0.1 was refused: it showed no certificate, and only known clients are served"
    ]


def test_a_client_with_a_certificate_that_is_not_known(doors: Doors, tmp_path: Path) -> None:
    mallory = write_certificate("mallory", tmp_path / "mallory.key", tmp_path / "mallory.pem")
    with pytest.raises(PartyError):
        doors.connect(Credentials(doors.certificates, *mallory))
    wait_for(lambda: doors.said)
    assert doors.said == [
        "a client at 127.0.0.1 was refused: its certificate is not among those of the clients that are served here"
    ]


def test_a_client_that_expects_another_server(doors: Doors, tmp_path: Path) -> None:
    for i in range(3):
        make_certificate(i, tmp_path / "others")
    one, two, three = (certificate_file(tmp_path / "others", i) for i in range(3))
    with pytest.raises(PartyError):
        doors.connect(Credentials((one, two, three), *doors.alice))
    wait_for(lambda: doors.said)
    assert doors.said == [
        "a client at 127.0.0.1 hung up: it expected another certificate of this server; give it the folder clients/"
    ]


def test_strangers_who_are_no_clients_are_not_worth_a_line(doors: Doors) -> None:
    with socket.create_connection(doors.addresses[0]) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        stranger.settimeout(120)
        with contextlib.suppress(ConnectionError):
            while stranger.recv(100):
                pass
    assert doors.said == []


def test_a_client_that_sends_something_else_or_hangs_up(tmp_path: Path, run_dir: Path) -> None:
    """No value of it stands in the line."""
    said: list[str] = []
    (tmp_path / "none" / "Persistence").mkdir(parents=True)
    program = tmp_path / "square.mpc"
    program.write_text(SQUARE)
    with serving(program, (), tmp_path / "none", run_dir, remark=Remarks(said.append)) as servers:
        client = servers.connect()
        with pytest.raises(PartyError):
            client.send_private_inputs(np.array([1234567, 7654321]))
        servers.connect().close()
    assert said == [
        "client 0 was lost: it sent another number of values than the program reads, or something else",
        "client 1 was lost: it hung up, or sent nothing in time",
    ]
