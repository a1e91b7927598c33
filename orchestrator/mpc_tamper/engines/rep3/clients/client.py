"""The client: shares its values among the three servers, reconstructs what they reveal to it.

    x = x_0 + x_1 + x_2 mod 2^64, x_0 and x_1 uniform; server i gets (x_i, x_{i-1})

A server alone learns nothing. What comes back has each component twice, from both of its holders; one of them is
honest, so a component that was changed is noticed.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections.abc import Mapping

import numpy as np

from mpc_tamper.core.errors import (
    FrameError,
    HandshakeError,
    OpeningError,
    PartyError,
    PeerLost,
    PeerTimeout,
    ProtocolAbort,
    UsageError,
)
from mpc_tamper.engines.base import Credentials
from mpc_tamper.engines.certificates import der
from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.clients.wire import (
    ACCEPTED,
    ANSWER,
    CLIENT,
    CODE_BYTES,
    HELLO,
    INPUT,
    INPUT_OK,
    PUBLIC_ANSWER,
    PUBLIC_INPUT,
    PUBLIC_OK,
    TOKEN_BYTES,
    Code,
    pack_hello,
    unpack_code,
)
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import Link
from mpc_tamper.engines.rep3.transport.tls import TlsLink
from mpc_tamper.runs.protocols import PARTIES

_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.05, 1.0


class Client:
    """links: to servers 0, 1 and 2. timeout_seconds: for a message. Raises PartyErrors that name the server.

    A channel each: a server that has said all it has to say may hang up before the others.
    """

    def __init__(self, links: Mapping[int, Link], timeout_seconds: float) -> None:
        self._channels = [Channel(CLIENT, {i: links[i]}, timeout_seconds) for i in range(PARTIES)]
        hello = memoryview(pack_hello(secrets.token_bytes(TOKEN_BYTES)))
        # The leader last: it announces the client to the others as soon as it has it.
        for server in reversed(range(PARTIES)):
            self._channels[server].exchange(HELLO, {server: hello}, {})

    def wait_for_turn(self) -> None:
        """Until the servers' program has accepted this client."""
        self._heed(ACCEPTED)

    def send_private_inputs(self, values: np.ndarray) -> None:
        """values: (n,) int64 or uint64; n is what the servers' program asks for."""
        components = share(values)
        for i, channel in enumerate(self._channels):
            message = np.concatenate([components[i], components[i - 1]]).astype("<u8").tobytes()
            channel.exchange(INPUT, {i: memoryview(message)}, {})
        self._heed(INPUT_OK)

    def send_public_inputs(self, values: np.ndarray) -> None:
        """values: (n,) int64, which every server and everybody else may know."""
        message = np.ascontiguousarray(values).astype("<i8").tobytes()
        for i, channel in enumerate(self._channels):
            channel.exchange(PUBLIC_INPUT, {i: memoryview(message)}, {})
        self._heed(PUBLIC_OK)

    def receive_public_outputs(self, count: int) -> np.ndarray:
        """(count,) int64. Raises OpeningError where the servers do not all say the same."""
        said = [np.empty(count, "<i8") for _ in range(PARTIES)]
        for i, channel in enumerate(self._channels):
            channel.exchange(PUBLIC_ANSWER, {}, {i: said[i].view(np.uint8).data})
        for i in (1, 2):
            if not np.array_equal(said[0], said[i]):
                raise OpeningError(f"server 0 and server {i} said different public values: one of them cheats")
        return said[0].astype(np.int64)

    def receive_outputs(self, count: int) -> np.ndarray:
        """(count,) int64. Raises OpeningError where two servers sent different copies of a component."""
        buffers = [np.empty(2 * count, "<u8") for _ in range(PARTIES)]
        for i, channel in enumerate(self._channels):
            channel.exchange(ANSWER, {}, {i: buffers[i].view(np.uint8).data})
        for i in range(PARTIES):
            holder, other = buffers[i][:count], buffers[(i + 1) % PARTIES][count:]
            if not np.array_equal(holder, other):
                raise OpeningError(
                    f"server {i} and server {(i + 1) % PARTIES} sent different values of a component that both hold: "
                    "one of them cheats; there is no answer"
                )
        total = buffers[0][:count] + buffers[1][:count] + buffers[2][:count]
        return total.astype(np.uint64).view(np.int64)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    def _heed(self, tag: str) -> None:
        """What the servers say of this client. Raises what they found."""
        for i, channel in enumerate(self._channels):
            buffer = bytearray(CODE_BYTES)
            channel.exchange(tag, {}, {i: memoryview(buffer)})
            code = unpack_code(bytes(buffer))
            if code is not Code.OK:
                raise _refusal(tag, code, i)


def share(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Components x_0, x_1, x_2 of (n,) integers, uint64, fresh from the operating system."""
    words = np.ascontiguousarray(values)
    if words.ndim != 1 or words.dtype.kind not in "iu" or words.dtype.itemsize != 8:
        raise UsageError(f"expected a list of 64-bit integers to share, got {words.dtype} of shape {words.shape}")
    first, second = np.frombuffer(secrets.token_bytes(16 * words.size), np.uint64).reshape(2, -1)
    return first, second, words.view(np.uint64) - first - second


def connect(addresses: Addresses, credentials: Credentials, *, timeout_seconds: float) -> Client:
    """Connect to all servers and wait to be accepted; timeout_seconds for the connections, then for each message.

    Raises HandshakeError where a server shows another certificate than the one pinned, PeerTimeout where one does not
    listen, PeerLost where one hangs up.
    """
    deadline = time.monotonic() + timeout_seconds
    links: dict[int, TlsLink] = {}
    try:
        for server in range(PARTIES):
            links[server] = _dial(server, addresses[server], credentials, deadline)
        client = Client(links, timeout_seconds)
        client.wait_for_turn()
    except PeerLost as exc:
        for link in links.values():
            link.close()
        if exc.party is None:  # what the servers say of a client that they all know
            raise
        raise HandshakeError(_unknown(credentials, exc), exc.party) from exc
    except BaseException:
        for link in links.values():
            link.close()
        raise
    return client


def _unknown(credentials: Credentials, exc: PeerLost) -> str:
    """A server says no word to a client that it does not know: TLS 1.3 tells the client only afterwards, if at all."""
    mend = (
        f"get {credentials.certificate} to the servers' operators, or show one that they have"
        if credentials.certificate is not None
        else "show one that they have, with --key and --certificate"
    )
    shown = "this client's certificate" if credentials.certificate is not None else "a client without a certificate"
    return (
        f"server {exc.party} hung up before this client's turn, as a server does that does not know {shown}; {mend}; "
        f"if they serve anybody, they have ended, or have no place left ({exc})"
    )


def _dial(server: int, address: Address, credentials: Credentials, deadline: float) -> TlsLink:
    context, pin = _context(server, credentials)
    pause = _RETRY_SECONDS
    while True:
        try:
            tls = _handshake(context, address, max(0.01, deadline - time.monotonic()))
        except ssl.SSLCertVerificationError as exc:
            raise HandshakeError(
                f"expected the pinned certificate of server {server} at {address}, got another: "
                f"{exc.verify_message}; get the servers' certificates again, and ask who answers there",
                server,
            ) from exc
        except OSError as exc:
            if time.monotonic() + pause > deadline:
                raise PeerTimeout(
                    f"server {server} does not serve at {address}: {exc}; check --servers and that it runs", server
                ) from exc
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)
            continue
        if tls.getpeercert(binary_form=True) != pin:
            tls.close()
            raise HandshakeError(
                f"expected the pinned certificate of server {server} at {address}, got another; get it again", server
            )
        return TlsLink(tls)


def _handshake(context: ssl.SSLContext, address: Address, seconds: float) -> ssl.SSLSocket:
    raw = socket.create_connection(address, timeout=seconds)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(raw)
    except BaseException:
        raw.close()
        raise


def _context(server: int, credentials: Credentials) -> tuple[ssl.SSLContext, bytes]:
    """A context that trusts this server's certificate alone, and that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the certificate itself is pinned, wherever its holder runs
    pin = der(credentials.servers[server], f"server {server}'s")
    context.load_verify_locations(cadata=pin)
    if credentials.certificate is not None and credentials.key is not None:
        try:
            context.load_cert_chain(credentials.certificate, credentials.key)
        except OSError as exc:
            raise UsageError(
                f"{credentials.certificate}: expected the client's certificate, and {credentials.key} its key: {exc}; "
                "make both (mpc-tamper client-certificate)"
            ) from exc
    return context, pin


def _refusal(tag: str, code: Code | None, server: int) -> PartyError:
    if code is Code.DISAGREE:
        return ProtocolAbort(
            "the servers hold different copies of what this client sent, so they did not use it: the client, or a "
            "server, is faulty or cheats; try again"
        )
    if code is Code.MALFORMED:
        return FrameError(
            "the servers expected another number of values than this client sent: check that the image has as many "
            "pixels as the model"
        )
    if code is Code.SPENT:
        return PartyError(
            "the servers answer a limited number of queries of each client about this model, all anonymous clients "
            "together, and this client's are spent; ask their operators, who can raise --budget"
        )
    if code is Code.LOST:
        what = "did not all see this client" if tag == ACCEPTED else "did not all get what this client sent in time"
        return PeerLost(f"the servers {what}; try again")
    return FrameError(f"server {server} sent no code as {tag!r}", server)
