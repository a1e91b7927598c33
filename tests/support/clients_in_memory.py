"""Three servers of rep3 in threads, and clients over socket pairs: clients' protocol without TLS and processes."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mpc_tamper.engines import share_files
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.rep3.clients.budget import QueryBudget
from mpc_tamper.engines.rep3.clients.client import Client
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.clients.service import Waiting
from mpc_tamper.engines.rep3.clients.wire import CODE_BYTES, HELLO, TOKEN_BYTES
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.transport.link import Link, SocketLink
from mpc_tamper.runs.protocols import PARTIES


class Door:
    """One server's waiting clients."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[bytes, ClientConnection] = {}

    def first(self, seconds: float) -> tuple[bytes, float] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, seconds)
            return next(((token, 0.0) for token in self._waiting), None)

    def take(self, token: bytes, seconds: float) -> ClientConnection | None:
        with self._changed:
            self._changed.wait_for(lambda: token in self._waiting, seconds)
            return self._waiting.pop(token, None)

    def greet(self, connection: ClientConnection) -> None:
        token = bytes(connection.receive(HELLO, CODE_BYTES + TOKEN_BYTES))[CODE_BYTES:]
        with self._changed:
            self._waiting[token] = connection
            self._changed.notify_all()

    def close(self) -> None:
        pass


class Servers:
    """seconds: that the servers give a client for a message.  doors: other ones than those in memory."""

    def __init__(self, seconds: float = 60.0, doors: Sequence[Waiting] | None = None) -> None:
        self._seconds = seconds
        self._in_memory = [Door() for _ in range(PARTIES)]
        self.doors = doors or self._in_memory
        self.failure: BaseException | None = None

    def connect(
        self,
        wrap: Callable[[int, Link], Link] = lambda server, link: link,
        certificates: tuple[bytes, bytes, bytes] = (b"", b"", b""),
        seconds: float | None = None,
    ) -> Client:
        """A client whose links to the servers pass through `wrap`; it has not had its turn yet.

        seconds: that the servers give this one for a message, instead of what they give to all.
        """
        seconds = self._seconds if seconds is None else seconds
        pairs = [socket.socketpair() for _ in range(PARTIES)]
        client = Client({i: wrap(i, SocketLink(pairs[i][0])) for i in range(PARTIES)}, 60.0)
        for i in reversed(range(PARTIES)):
            self._in_memory[i].greet(ClientConnection(SocketLink(pairs[i][1]), seconds, certificates[i]))
        return client


@contextlib.contextmanager
def serving(
    program: Path,
    args: tuple[str, ...],
    shares_from: Path,
    run_dir: Path,
    *,
    active: bool = False,
    seconds: float = 60.0,
    watch: Callable[[Party], None] | None = None,
    doors: Sequence[Waiting] | None = None,
    budget: int | None = None,
    together: int = 1,
    remark: Remarks | None = None,
) -> Iterator[Servers]:
    """The servers run the program during the block and have to end well by its end. watch: sees each party first.

    budget: queries of each client.  together: answers for which one proof is made.  remark: server 0's.
    """
    source = load_program(program)
    shutil.copytree(shares_from / "Persistence", run_dir / "Persistence")
    servers = Servers(seconds, doors)

    def run(party: Party) -> None:
        if watch is not None:
            watch(party)
        door = servers.doors[party.party_id]
        share_file = share_files.share_file(shares_from, party.party_id)
        machine = Rep3Machine(
            party,
            OwnerInput(party.party_id, None),
            run_dir,
            print,
            listen=lambda port: door,
            budget=None if budget is None else lambda: QueryBudget(share_file, budget).may_ask,
            together=together,
            remark=remark if party.party_id == 0 else None,
        )
        with contextlib.closing(machine):
            run_program(source, args, machine)
            machine.answer_clients()

    def run_all() -> None:
        try:
            run_in_threads(run, sites=dict(source.sites), active=active)
        except BaseException as exc:
            servers.failure = exc

    thread = threading.Thread(target=run_all, daemon=True)
    thread.start()
    yield servers
    thread.join(120)
    assert not thread.is_alive(), "the servers did not end"
    if servers.failure is not None:
        raise servers.failure
