"""A server's side of clients: who is next, what a client shared, what is revealed to it (docs/clients.md).

A client sends each component of its sharing to both of its holders, which compare salted hashes (share_check.py). It is
never believed more than that: a message that is missing, malformed or late at one server, or two different copies of a
component, end that client's connection at all three. Servers vote on this and repeat the votes to each other, so that a
corrupt server cannot make the honest ones go different ways.

One vote is enough to lose a client, so one corrupt server can lose any. Nothing is computed from what such a client
might have sent: unless the program asks whether the client is present, whatever it does next ends the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from mpc_tamper.core.errors import FrameError, PartyError, ProgramError, ProtocolAbort
from mpc_tamper.engines.rep3.clients.connection import ClientConnection
from mpc_tamper.engines.rep3.clients.remarks import Remarks
from mpc_tamper.engines.rep3.clients.wire import (
    ACCEPTED,
    ANSWER,
    INPUT,
    INPUT_OK,
    PUBLIC_ANSWER,
    PUBLIC_INPUT,
    PUBLIC_OK,
    SECONDS_BYTES,
    TOKEN_BYTES,
    Code,
    pack_code,
    pack_seconds,
    unpack_seconds,
)
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.costs import WORD_BYTES
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.engines.rep3.protocol.share_check import disagreeing

_LEADER = 0  # says which of the waiting clients is next; the others need not believe it
_NOBODY = bytes(TOKEN_BYTES)
_HEARTBEAT_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0  # of the other servers for a client that has just come to the leader
_PART_OF_TIMEOUT = 0.25  # at most, of what the servers allow each other for a message
_HOLD_SECONDS = 0.5  # after which an answer waits for no further client
_LEAST_SECONDS = 0.01
_NAME = b"mpc-tamper rep3 client"
_HASH_BYTES = 32
_WRONG = {
    Code.DISAGREE: "was lost: two servers have different copies of what it sent",
    Code.MALFORMED: "was lost: it sent another number of values than the program reads, or something else",
    Code.LOST: "was lost: it hung up, or sent nothing in time",
}


class Waiting(Protocol):
    """Clients that have said hello: ClientListener."""

    def first(self, seconds: float) -> tuple[bytes, float] | None: ...
    def take(self, token: bytes, seconds: float) -> ClientConnection | None: ...
    def close(self) -> None: ...


class ClientService:
    """clients: accepted so far, failed ones included.

    may_ask: told a client's certificate when it is its turn at all three servers; one server's no is enough. All may
    where None.  together: for how many calls of reveal() one proof is made, if that many clients are waiting anyway.
    remark: of clients that did something wrong.
    """

    def __init__(
        self,
        party: Party,
        waiting: Waiting,
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
        *,
        may_ask: Callable[[bytes], bool] | None = None,
        together: int = 1,
        remark: Remarks | None = None,
    ) -> None:
        self._party = party
        self._remark = remark or Remarks()
        self._together = together if party.recorder.batches is not None else 1
        self._answers: list[tuple[list[ClientConnection], bytes]] = []  # revealed, and not proved or sent yet
        self._since = 0.0  # when the first of them was revealed
        self._closing: list[ClientConnection] = []  # after that
        self._may_ask = may_ask
        self._waiting = waiting
        longest = _PART_OF_TIMEOUT * party.channel.timeout_seconds
        self._heartbeat = min(heartbeat_seconds, longest)
        self._patience = min(_PATIENCE_SECONDS, longest)
        self._open: dict[int, ClientConnection] = {}
        self._lost: dict[int, str] = {}  # clients by number, and how the servers voted
        self._unread: set[int] = set()  # lost ones of which the program does not know
        self._said: dict[int, tuple[str, str]] = {}  # in public, by clients that have shared nothing, and to them
        self.clients = 0

    def accept(self) -> int:
        """The number of the next client that is at all three servers, with the same certificate."""
        while True:
            token, waited = self._announced()
            if token == _NOBODY:
                self.answer()
                continue
            # Those who have come to the leader alone are waited for once, however many of them there are.
            connection = self._waiting.take(token, max(0.0, self._patience - waited))
            shown = b"" if connection is None else hashlib.sha256(_NAME + token + connection.certificate).digest()
            code = Code.OK if self._same(shown) else Code.LOST
            if code is Code.OK and connection is not None and self._may_ask is not None:
                code = Code.OK if self._may_ask(connection.certificate) else Code.SPENT
            code, _ = self._vote("client/next", code)
            if code is Code.SPENT:  # said before the client is told, who may do something about it
                self._remark("a client", "was refused: it has asked as often as it may (--budget)")
            elif code is not Code.OK and connection is not None:
                self._remark("a client", "was not served: it did not reach all three servers")
            if connection is not None:
                self._tell(connection, ACCEPTED, pack_code(code))
            if code is Code.OK and connection is not None:
                number = self.clients
                self._open[number] = connection
                self.clients += 1
                return number
            if connection is not None:
                connection.close()

    def present(self, client: int) -> bool:
        """Whether all that was asked of this client has come. From now on the program knows if it has not."""
        self._check(client)
        self._unread.discard(client)
        return client not in self._lost

    def require_all(self) -> None:
        """Called before anything is computed or leaves. Raises ProtocolAbort for a client that was lost unnoticed."""
        for client in sorted(self._unread):
            raise ProtocolAbort(
                f"expected the values that client {client} shares among the servers, got none that all three have "
                f"({self._lost[client]}): the client, its network or a server is at fault. Nothing was computed "
                f"without them; a program that can do without asks client_present({client})"
            )

    def receive(self, client: int, count: int) -> RepShare:
        """(count,) values that the client shared; zeros where it is lost, with which nothing is computed unasked."""
        zeros = RepShare(np.zeros(count, np.uint64), np.zeros(count, np.uint64))
        connection = self._connection(client)
        if connection is None:
            return zeros
        share, code = _read(connection, count)
        differ = disagreeing(self._party.channel, self._party.prss, zeros if share is None else share)
        if code is Code.OK and differ:
            code = Code.DISAGREE
        self._said.pop(client, None)
        if self._settle(client, connection, "client/input", INPUT_OK, code) and share is not None:
            return share
        return zeros

    def receive_public(self, client: int, count: int) -> np.ndarray:
        """(count,) values that the client says to all servers; zeros where it is lost."""
        zeros = np.zeros(count, np.uint64)
        connection = self._connection(client)
        if connection is None:
            return zeros
        words, code = _receive(connection, PUBLIC_INPUT, count)
        digest = hashlib.sha256(_NAME + (zeros if words is None else words).astype("<u8").tobytes()).digest()
        theirs = self._exchange("client/public", digest)
        if code is Code.OK and any(each != digest for each in theirs.values()):
            code = Code.DISAGREE
        if self._settle(client, connection, "client/public", PUBLIC_OK, code) and words is not None:
            self._said[client] = (_spoken(words), "nothing")
            return words
        return zeros

    def send_public(self, client: int, values: np.ndarray) -> None:
        """The same public values from each server to a client that is not lost."""
        connection = self._connection(client)
        if connection is not None:
            self._tell(connection, PUBLIC_ANSWER, values.astype("<u8").tobytes())
            if client in self._said:
                self._said[client] = (self._said[client][0], _spoken(values))

    def reveal(self, clients: list[int], values: RepShare) -> None:
        """(count,) values to each client that is not lost. In the active protocol, once all is proved."""
        self.require_all()
        message = b"".join(part.astype("<u8").tobytes() for part in (values.own, values.previous))
        for client in clients:
            self._check(client)
        if not self._answers:
            self._since = time.monotonic()
        self._answers.append(([self._open[client] for client in clients if client in self._open], message))
        if len(self._answers) >= self._together:
            self.answer()

    def answer(self) -> None:
        """Prove what has been revealed so far, and send it. To be called at the end of a program."""
        if self._answers:
            self._party.recorder.prove()
        deadline = time.monotonic() + _PART_OF_TIMEOUT * self._party.channel.timeout_seconds  # of all: servers wait
        for connections, message in self._answers:
            for connection in connections:
                self._tell(connection, ANSWER, message, max(_LEAST_SECONDS, deadline - time.monotonic()))
        for connection in self._closing:
            connection.close()
        self._answers.clear()
        self._closing.clear()

    def close(self, client: int) -> None:
        self._check(client)
        if client in self._said:
            said, told = self._said.pop(client)
            self._remark(f"client {client}", f"said {said}, was told {told}, and was let go before it shared anything")
        if client in self._open:
            connection = self._open.pop(client)
            if self._awaits_answer(connection):
                self._closing.append(connection)
            else:
                connection.close()

    def close_all(self) -> None:
        for connection in (*self._open.values(), *self._closing):
            connection.close()
        self._open.clear()
        self._waiting.close()

    def _check(self, client: int) -> None:
        if not 0 <= client < self.clients:
            raise ProgramError(f"expected a client from accept_client_connection, got {client}")

    def _connection(self, client: int) -> ClientConnection | None:
        """None for a client that is lost. Raises ProgramError for one that the program has closed.

        What has been revealed to the client goes to it first, as it may wait for that before it says more.
        """
        self._check(client)
        if client not in self._open and client not in self._lost:
            raise ProgramError(
                f"expected a client that is connected, got {client} after closeclientconnection({client})"
            )
        connection = self._open.get(client)
        if connection is not None and self._awaits_answer(connection):
            self.answer()
        return connection

    def _awaits_answer(self, connection: ClientConnection) -> bool:
        return any(connection in connections for connections, _ in self._answers)

    def _announced(self) -> tuple[bytes, float]:
        """The leader's choice, and how long it has waited there.

        The leader says so too if nobody has come, so that waiting does not look like a dead server.
        """
        channel = self._party.channel
        if channel.party_id == _LEADER:
            token, waited = self._next() or (_NOBODY, 0.0)
            message = memoryview(token + pack_seconds(waited))
            channel.exchange("client/announce", {channel.next: message, channel.previous: message}, {})
            return token, waited
        buffer = bytearray(TOKEN_BYTES + SECONDS_BYTES)
        channel.exchange("client/announce", {}, {_LEADER: memoryview(buffer)})
        return bytes(buffer[:TOKEN_BYTES]), unpack_seconds(bytes(buffer[TOKEN_BYTES:]))

    def _next(self) -> tuple[bytes, float] | None:
        """Whoever has waited longest; nobody, so that answers leave, where some are old or nobody is there yet."""
        if not self._answers:
            return self._waiting.first(self._heartbeat)
        return None if time.monotonic() - self._since > _HOLD_SECONDS else self._waiting.first(0.0)

    def _same(self, shown: bytes) -> bool:
        """Whether this client is here and at both other servers."""
        theirs = self._exchange("client/shown", shown.ljust(_HASH_BYTES, b"\0"))
        return bool(shown) and all(each == shown for each in theirs.values())

    def _settle(self, client: int, connection: ClientConnection, vote: str, reply: str, code: Code) -> bool:
        """Vote, tell the client; whether its message is used. If not, it is lost."""
        code, votes = self._vote(vote, code)
        self._tell(connection, reply, pack_code(code))
        if code is not Code.OK:
            self._remark(f"client {client}", _WRONG.get(code, "was lost"))
            self._said.pop(client, None)
            self._lost[client] = votes
            self._unread.add(client)
            self.close(client)
        return code is Code.OK

    def _vote(self, tag: str, code: Code) -> tuple[Code, str]:
        """The largest of the servers' codes, and who says what. Raises ProtocolAbort where one told its peers
        different ones."""
        channel = self._party.channel
        votes = self._exchange(tag, pack_code(code)) | {channel.party_id: pack_code(code)}
        all_votes = b"".join(votes[i] for i in sorted(votes))
        for peer, seen in self._exchange(f"{tag}/echo", all_votes).items():
            if seen != all_votes:
                raise ProtocolAbort(
                    f"client vote: expected party {peer} to have seen the votes that party {channel.party_id} has, got "
                    "others: a server told the two others different things; nothing was opened"
                )
        codes = {i: Code(min(int.from_bytes(votes[i], "little"), max(Code))) for i in sorted(votes)}
        return max(codes.values()), ", ".join(f"party {i}: {said.spoken}" for i, said in codes.items())

    def _exchange(self, tag: str, message: bytes) -> dict[int, bytes]:
        channel = self._party.channel
        peers = (channel.next, channel.previous)
        theirs = {peer: bytearray(len(message)) for peer in peers}
        channel.exchange(tag, dict.fromkeys(peers, memoryview(message)), {p: memoryview(b) for p, b in theirs.items()})
        return {peer: bytes(buffer) for peer, buffer in theirs.items()}

    def _tell(self, connection: ClientConnection, tag: str, message: bytes, seconds: float | None = None) -> None:
        """A client that does not listen is nobody's loss but its own; its next message will not come."""
        with contextlib.suppress(PartyError):
            connection.send(tag, message, seconds)


def _spoken(values: np.ndarray) -> str:
    """Public values, the first few."""
    first = ", ".join(str(value) for value in values[:4].astype(np.int64).tolist())
    return first if len(values) <= 4 else f"{first} and others"


def _read(connection: ClientConnection, count: int) -> tuple[RepShare | None, Code]:
    words, code = _receive(connection, INPUT, 2 * count)
    return None if words is None else RepShare(words[:count].copy(), words[count:].copy()), code


def _receive(connection: ClientConnection, tag: str, count: int) -> tuple[np.ndarray | None, Code]:
    """So many words of a client, or what is wrong with them."""
    try:
        return np.frombuffer(connection.receive(tag, WORD_BYTES * count), "<u8").astype(np.uint64), Code.OK
    except FrameError:
        return None, Code.MALFORMED
    except PartyError:
        return None, Code.LOST
