"""Meet the other two parties as a run does, and say in words what is in the way: for mpc-tamper doctor.

The party with the higher id dials. Certificates are compared here and not by OpenSSL, so that an error can name the one
that was shown. Whoever comes asks for an application protocol of its own, PROBE, by which parties that wait for a run
know it and turn it away without a word.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from mpc_tamper.engines.hosts import Address, Addresses
from mpc_tamper.engines.rep3.transport.reception import Reception
from mpc_tamper.engines.rep3.transport.tls import PROBE, WELCOME, Identity, context_for
from mpc_tamper.runs.protocols import PARTIES

_ATTEMPT_SECONDS = 5.0
_LEAST_ATTEMPT_SECONDS = 2.0  # the last one too: a slow host is not to be told that it says nothing
_RETRY_SECONDS = 0.2
_STRANGER_SECONDS = 5.0
_PATIENCE_SECONDS = 30.0  # beyond the time to meet: how long the other may be busy with the third


@dataclass
class Meeting:
    """How far one has come with each other party.

    named, reached: whether its name resolves and its port answers, None where this host does not look.
    links: those met.  problems: what was in the way, by party.
    """

    named: dict[int, bool] = field(default_factory=dict)
    reached: dict[int, bool] = field(default_factory=dict)
    links: dict[int, ssl.SSLSocket] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)

    def close(self) -> None:
        for link in self.links.values():
            link.close()


class _InTheWay(Exception):
    """What is in the way. final: it will not go by itself."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


def meet(
    identity: Identity, listener: socket.socket | None, addresses: Addresses, seconds: float, meeting: Meeting
) -> None:
    """Try for so long to meet both others.  listener: None where this host cannot listen.  meeting: what is filled."""
    deadline = time.monotonic() + seconds
    lower, higher = range(identity.party_id), range(identity.party_id + 1, PARTIES)
    dials = [
        threading.Thread(target=_dial, args=(identity, peer, addresses[peer], deadline, seconds, meeting), daemon=True)
        for peer in lower
    ]
    for dial in dials:
        dial.start()
    if listener is not None and higher:
        _accept(identity, listener, higher, deadline, seconds, meeting)
    for dial in dials:
        dial.join()


def reach(address: Address, peer: int, meeting: Meeting) -> None:
    """Without a key of one's own: look up the name, and connect."""
    try:
        _connect(address, peer, meeting, _ATTEMPT_SECONDS).close()
    except _InTheWay as problem:
        meeting.problems[peer] = str(problem)


def look_up(address: Address, peer: int, meeting: Meeting) -> None:
    try:
        _resolve(address, peer, meeting)
    except _InTheWay as problem:
        meeting.problems[peer] = str(problem)


def _dial(identity: Identity, peer: int, address: Address, deadline: float, seconds: float, meeting: Meeting) -> None:
    while True:
        try:
            left = max(_LEAST_ATTEMPT_SECONDS, min(_ATTEMPT_SECONDS, deadline - time.monotonic()))
            link = _attempt(identity, peer, address, left, meeting)
            link.settimeout(seconds + _PATIENCE_SECONDS)
            meeting.problems.pop(peer, None)
            meeting.links[peer] = link
            return
        except _InTheWay as problem:
            meeting.problems[peer] = str(problem)
            if problem.final or time.monotonic() + _RETRY_SECONDS > deadline:
                return
        time.sleep(_RETRY_SECONDS)


def _resolve(address: Address, peer: int, meeting: Meeting) -> None:
    try:
        socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        meeting.named[peer] = True
    except (OSError, UnicodeError) as exc:
        meeting.named[peer] = False
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise _InTheWay(
            f"party {peer}: expected the name {address.host} to have an address, got: {reason}; correct the hosts file "
            "or the name service",
            final=True,
        ) from exc


def _connect(address: Address, peer: int, meeting: Meeting, seconds: float) -> socket.socket:
    _resolve(address, peer, meeting)
    meeting.reached[peer] = False
    try:
        raw = socket.create_connection(address, timeout=seconds)
    except ConnectionRefusedError as exc:
        raise _InTheWay(
            f"party {peer}: expected somebody at {address}, got a refused connection: nobody listens there, or a "
            "firewall rejects it; start the doctor there too, within the time of --wait"
        ) from exc
    except TimeoutError as exc:
        raise _InTheWay(
            f"party {peer}: expected an answer from {address}, got none in {seconds:.0f} s: the host is down, or a "
            "firewall drops what is sent; open the port"
        ) from exc
    except OSError as exc:
        raise _InTheWay(
            f"party {peer}: expected a way to {address}, got: {exc.strerror or exc}; check the network of this host"
        ) from exc
    meeting.reached[peer] = True
    return raw


def _attempt(identity: Identity, peer: int, address: Address, seconds: float, meeting: Meeting) -> ssl.SSLSocket:
    raw = _connect(address, peer, meeting, seconds)
    context = context_for(identity, ssl.PROTOCOL_TLS_CLIENT, [])
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([PROBE])
    try:
        tls = context.wrap_socket(raw)
    except TimeoutError as exc:
        raw.close()
        raise _InTheWay(f"party {peer}: somebody else answers at {address}: it says nothing; free the port") from exc
    except (ssl.SSLEOFError, ConnectionError) as exc:
        raw.close()
        raise _InTheWay(f"party {peer}: {address} hangs up before TLS has begun; see what listens there") from exc
    except OSError as exc:
        raw.close()
        reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
        raise _InTheWay(
            f"party {peer}: somebody else answers at {address}, not in TLS 1.3 ({reason or exc}); free the port, or "
            "correct the hosts file",
            final=True,
        ) from exc
    try:
        _check_shown(identity, peer, address, tls.getpeercert(binary_form=True) or b"")
        with contextlib.suppress(OSError):
            tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _await_welcome(peer, address, tls)
    except BaseException:
        tls.close()
        raise
    return tls


def _check_shown(identity: Identity, peer: int, address: Address, shown: bytes) -> None:
    pinned = {party: identity.der(party) for party in range(PARTIES)}
    if shown == pinned[peer]:
        return
    for party, certificate in pinned.items():
        if shown == certificate:
            raise _InTheWay(
                f"party {peer}: party {party} answers at {address}; correct the lines of the hosts file, or the "
                "certificates",
                final=True,
            )
    raise _InTheWay(
        f"party {peer}: {address} shows another certificate than {identity.certificates[peer].name}: expected SHA-256 "
        f"{_fingerprint(pinned[peer])}, got {_fingerprint(shown)}; exchange certificates again",
        final=True,
    )


def _await_welcome(peer: int, address: Address, tls: ssl.SSLSocket) -> None:
    """In TLS 1.3 the other side judges our certificate after the handshake."""
    try:
        said = tls.recv(len(WELCOME))
    except TimeoutError as exc:
        raise _InTheWay(f"party {peer} at {address} does not go on; see what it does") from exc
    except ssl.SSLError as exc:
        raise _InTheWay(
            f"party {peer} refuses the certificate of this host ({exc.reason or exc}): it has another file in its "
            "place; send it yours again, and compare the SHA-256",
            final=True,
        ) from exc
    except OSError:
        said = b""
    if said != WELCOME:
        raise _InTheWay(
            f"party {peer} at {address} has the right certificate, but it is no doctor: it is in a run, or waits for "
            "one; start the doctor there when that has ended"
        )


def _accept(
    identity: Identity,
    listener: socket.socket,
    higher: Sequence[int],
    deadline: float,
    seconds: float,
    meeting: Meeting,
) -> None:
    """Wait for parties with higher ids; say of those that did not come what else came."""
    context = context_for(identity, ssl.PROTOCOL_TLS_SERVER, higher)
    context.set_alpn_protocols([PROBE])
    strangers: dict[str, None] = {}

    def refused(host: str, failure: ssl.SSLError) -> None:
        certificate = "certificate" in str(failure).lower() or "cert" in (failure.reason or "").lower()
        what = "showed another certificate, or none" if certificate else "did not speak TLS 1.3"
        strangers[f"somebody at {host} {what}"] = None

    reception = Reception(listener, context, min(_STRANGER_SECONDS, seconds), refused=refused)
    certificates = {identity.der(peer): peer for peer in higher}
    in_run: set[int] = set()
    with contextlib.closing(reception):
        while any(peer not in meeting.links for peer in higher) and time.monotonic() < deadline:
            poll = select.poll()
            reception.register(poll)
            wait = max(0.0, reception.seconds_to_wait(deadline - time.monotonic()))
            for arrival in reception.serve(dict(poll.poll(wait * 1000))):
                peer = certificates.get(arrival.tls.getpeercert(binary_form=True) or b"")
                if peer is None or arrival.tls.selected_alpn_protocol() != PROBE:
                    in_run |= set() if peer is None else {peer}
                    arrival.tls.close()
                    continue
                if peer in meeting.links:  # it has dialled again
                    meeting.links.pop(peer).close()
                arrival.tls.settimeout(seconds + _PATIENCE_SECONDS)
                with contextlib.suppress(OSError):
                    arrival.tls.send(WELCOME)
                meeting.links[peer] = arrival.tls
    for peer in (peer for peer in higher if peer not in meeting.links):
        if peer in in_run:
            meeting.problems[peer] = f"party {peer} has started a run, no doctor; start the doctor there"
            continue
        others = f"; {'; '.join(strangers)}" if strangers else ""
        meeting.problems[peer] = (
            f"party {peer} did not come within {seconds:g} s{others}; see what its own doctor says: it dials this host"
        )


def _fingerprint(certificate: bytes) -> str:
    """The beginning, as people compare it."""
    return hashlib.sha256(certificate).digest()[:6].hex(":").upper() + "..."
