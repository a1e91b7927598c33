"""A server's side of clients: who is next, what a client shared, what is revealed to it (docs/clients.md).

A client sends each component of its sharing to both of its holders, which compare salted hashes (share_check.py). It is
never believed more than that: a message that is missing, malformed or late at one server, or two different copies of a
component, end that client's connection at all three, and the program goes on with zeros in place of its values. Servers
vote on this and repeat the votes to each other, so that a corrupt server cannot make the honest ones go different ways.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Protocol

import numpy as np

from mpc_tamper.core.errors import FrameError, PartyError, ProgramError, ProtocolAbort
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.wire import ACCEPTED, ANSWER, INPUT, INPUT_OK, TOKEN_BYTES, Code, pack_code
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.protocol.share_check import disagreeing

_LEADER = 0  # says which of the waiting clients is next; the others need not believe it
_NOBODY = bytes(TOKEN_BYTES)
_HEARTBEAT_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0  # of the other servers for a client that the leader has
_NAME = b"mpc-tamper rep3 client"
_HASH_BYTES = 32


class Waiting(Protocol):
    """Clients that have said hello: ClientListener."""

    def first(self, seconds: float) -> bytes | None: ...
    def take(self, token: bytes, seconds: float) -> ClientConnection | None: ...
    def close(self) -> None: ...


class ClientService:
    """clients: accepted so far, failed ones included.

    may_ask: told a client's certificate when it is its turn at all three servers; one server's no is enough. All may
    where None.
    """

    def __init__(
        self,
        party: Party,
        waiting: Waiting,
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
        *,
        may_ask: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._party = party
        self._may_ask = may_ask
        self._waiting = waiting
        self._heartbeat = heartbeat_seconds
        self._open: dict[int, ClientConnection] = {}
        self.clients = 0

    def accept(self) -> int:
        """The number of the next client that is at all three servers, with the same certificate."""
        while True:
            token = self._announced()
            if token == _NOBODY:
                continue
            connection = self._waiting.take(token, _PATIENCE_SECONDS)
            shown = b"" if connection is None else hashlib.sha256(_NAME + token + connection.certificate).digest()
            code = Code.OK if self._same(shown) else Code.LOST
            if code is Code.OK and connection is not None and self._may_ask is not None:
                code = Code.OK if self._may_ask(connection.certificate) else Code.SPENT
            code = self._vote("client/next", code)
            if connection is not None:
                self._tell(connection, ACCEPTED, pack_code(code))
            if code is Code.OK and connection is not None:
                number = self.clients
                self._open[number] = connection
                self.clients += 1
                return number
            if connection is not None:
                connection.close()

    def receive(self, client: int, count: int) -> RepShare:
        """(count,) values that the client shared; zeros where it has failed."""
        zeros = RepShare(np.zeros(count, np.uint64), np.zeros(count, np.uint64))
        connection = self._connection(client)
        if connection is None:
            return zeros
        share, code = _read(connection, count)
        differ = disagreeing(self._party.channel, self._party.prss, zeros if share is None else share)
        if code is Code.OK and differ:
            code = Code.DISAGREE
        code = self._vote("client/input", code)
        self._tell(connection, INPUT_OK, pack_code(code))
        if code is Code.OK and share is not None:
            return share
        self.close(client)
        return zeros

    def reveal(self, clients: list[int], values: RepShare) -> None:
        """(count,) values to each client that has not failed. In the active protocol, once all is proved."""
        self._party.recorder.prove()
        message = b"".join(part.astype("<u8").tobytes() for part in (values.own, values.previous))
        for client in clients:
            connection = self._connection(client)
            if connection is not None:
                self._tell(connection, ANSWER, message)

    def close(self, client: int) -> None:
        connection = self._connection(client)
        if connection is not None:
            connection.close()
            del self._open[client]

    def close_all(self) -> None:
        for connection in self._open.values():
            connection.close()
        self._open.clear()
        self._waiting.close()

    def _connection(self, client: int) -> ClientConnection | None:
        """None for a client that has failed or was closed."""
        if not 0 <= client < self.clients:
            raise ProgramError(f"expected a client from accept_client_connection, got {client}")
        return self._open.get(client)

    def _announced(self) -> bytes:
        """The leader's choice. It says so too if nobody has come, so that waiting does not look like a dead server."""
        channel = self._party.channel
        if channel.party_id == _LEADER:
            token = self._waiting.first(self._heartbeat) or _NOBODY
            message = memoryview(token)
            channel.exchange("client/announce", {channel.next: message, channel.previous: message}, {})
            return token
        buffer = bytearray(TOKEN_BYTES)
        channel.exchange("client/announce", {}, {_LEADER: memoryview(buffer)})
        return bytes(buffer)

    def _same(self, shown: bytes) -> bool:
        """Whether this client is here and at both other servers."""
        theirs = self._exchange("client/shown", shown.ljust(_HASH_BYTES, b"\0"))
        return bool(shown) and all(each == shown for each in theirs.values())

    def _vote(self, tag: str, code: Code) -> Code:
        """The largest of the servers' codes. Raises ProtocolAbort where one told its peers different ones."""
        channel = self._party.channel
        votes = self._exchange(tag, pack_code(code)) | {channel.party_id: pack_code(code)}
        all_votes = b"".join(votes[i] for i in sorted(votes))
        for peer, seen in self._exchange(f"{tag}/echo", all_votes).items():
            if seen != all_votes:
                raise ProtocolAbort(
                    f"client vote: expected party {peer} to have seen the votes that party {channel.party_id} has, got "
                    "others: a server told the two others different things; nothing was opened"
                )
        numbers = [int.from_bytes(vote, "little") for vote in votes.values()]
        return Code(max(min(number, max(Code)) for number in numbers))

    def _exchange(self, tag: str, message: bytes) -> dict[int, bytes]:
        channel = self._party.channel
        peers = (channel.next, channel.previous)
        theirs = {peer: bytearray(len(message)) for peer in peers}
        channel.exchange(tag, dict.fromkeys(peers, memoryview(message)), {p: memoryview(b) for p, b in theirs.items()})
        return {peer: bytes(buffer) for peer, buffer in theirs.items()}

    def _tell(self, connection: ClientConnection, tag: str, message: bytes) -> None:
        """A client that does not listen is nobody's loss but its own; its next message will not come."""
        with contextlib.suppress(PartyError):
            connection.send(tag, message)


def _read(connection: ClientConnection, count: int) -> tuple[RepShare | None, Code]:
    try:
        words = np.frombuffer(connection.receive(INPUT, 2 * WORD_BYTES * count), "<u8").astype(np.uint64)
    except FrameError:
        return None, Code.MALFORMED
    except PartyError:
        return None, Code.LOST
    return RepShare(words[:count].copy(), words[count:].copy()), Code.OK
