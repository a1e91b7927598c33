"""How three parties meet over TLS: whoever is not pinned is refused, and who does not come is named.

No party gives up before it has seen what a test is about, and none waits longer: each has a clock of its own.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from mpc_tamper.core.errors import HandshakeError, PeerLost, PeerTimeout
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.rep3.transport import tls as tls_module
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.reception import Reception
from mpc_tamper.engines.rep3.transport.tls import Identity, connect
from tests.support.threads import in_threads

LONG = 1000.0  # seconds until a party gives up, by its own clock


class Clocks:
    """Of the parties, each of which is a thread; it stands for the module `time` in the one under test."""

    def __init__(self) -> None:
        self._ahead: dict[int, float] = defaultdict(float)
        self.accepting: dict[int, threading.Event] = defaultdict(threading.Event)  # by party: it has dialled all others
        self._threads: dict[int, int] = {}
        self._everybody = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self._everybody + self._ahead[threading.get_ident()]

    def time_is_over(self, party: int | None = None) -> None:
        """For the party that accepts, or for the one that calls."""
        self._ahead[threading.get_ident() if party is None else self._threads[party]] += 2 * LONG

    def time_is_over_for_all(self) -> None:
        self._everybody += 2 * LONG

    def accepts(self, party: int) -> None:
        self._threads[party] = threading.get_ident()
        self.accepting[party].set()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """A party's time is over as soon as it has turned somebody away, or met somebody else than the one it dialled."""
    clocks = Clocks()
    accept, turn_away, somebody_else = tls_module._accept, Reception._turn_away, tls_module._somebody_else

    def accepts(identity, *args):
        clocks.accepts(identity.party_id)
        accept(identity, *args)

    def turns_away(reception, descriptor):
        turn_away(reception, descriptor)
        clocks.time_is_over()

    def meets_somebody_else(*args):
        clocks.time_is_over()
        return somebody_else(*args)

    monkeypatch.setattr(tls_module, "time", clocks)
    monkeypatch.setattr(tls_module, "_accept", accepts)
    monkeypatch.setattr(Reception, "_turn_away", turns_away)
    monkeypatch.setattr(tls_module, "_somebody_else", meets_somebody_else)
    return clocks


class Tls:
    """Certificates and listeners for three parties on this machine."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.certificates = zip(*(make_certificate(i, folder) for i in range(3)), strict=True)
        self.listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        self.addresses = [Address(*listener.getsockname()) for listener in self.listeners]

    def join(self, party_id: int, key: Path | None = None, certificate: Path | None = None, seconds: float = LONG):
        certificates = list(self.certificates)
        if certificate is not None:
            certificates[party_id] = certificate
        identity = Identity(party_id, key or self.keys[party_id], tuple(certificates))
        return connect(
            identity, self.listeners[party_id], self.addresses, timeout_seconds=seconds, connect_timeout_seconds=seconds
        )


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


def test_three_parties_connect_and_exchange_over_tls(tls):
    def party(i: int) -> bytes:
        channel, buffer = tls.join(i), bytearray(200_000)
        channel.shift("values", memoryview(bytes([i]) * 200_000), memoryview(buffer))
        channel.finish()
        return bytes(buffer)

    results = in_threads(*(lambda i=i: party(i) for i in range(3)))
    assert [r[0] for r in results] == [2, 0, 1]
    assert all(r == r[:1] * 200_000 for r in results)


def test_keys_are_readable_by_their_owner_only(tls):
    assert all(key.stat().st_mode & 0o077 == 0 for key in tls.keys)


def test_a_third_certificate_is_refused(tls, clocks, tmp_path):
    """Party 2 shows a certificate that the others have not pinned: all three say so, and none goes on."""
    key, certificate = make_certificate(2, tmp_path / "stranger")

    def stranger() -> None:
        assert clocks.accepting[1].wait(60)  # and has met party 0
        tls.join(2, key, certificate).finish()

    results = in_threads(lambda: tls.join(0), lambda: tls.join(1), stranger)
    first = [r for r in results[:2] if isinstance(r, PeerTimeout)]  # to give up; the other one may hear of it first
    assert first
    assert "another certificate" in str(first[0])
    assert all(isinstance(r, PeerTimeout | PeerLost) and r.party == 2 for r in results[:2])
    assert isinstance(results[2], HandshakeError | PeerLost)


def test_a_party_in_anothers_place_is_refused(tls):
    """Party 2's certificate is pinned, but not for party 1."""
    results = in_threads(
        lambda: tls.join(0, seconds=0.5),
        lambda: tls.join(1, tls.keys[2], tls.certificates[2], seconds=0.5),
    )
    assert all(isinstance(r, PeerTimeout | PeerLost) for r in results)


def test_a_server_with_another_certificate_is_refused(tls, clocks, tmp_path):
    key, certificate = make_certificate(0, tmp_path / "stranger")
    results = in_threads(lambda: tls.join(0, key, certificate), lambda: tls.join(1))
    assert isinstance(results[1], HandshakeError)
    assert "pinned certificate of party 0" in str(results[1])


def test_a_certificate_signed_by_the_pinned_key_is_refused(tls, clocks, tmp_path):
    """Trusted by TLS, as the pinned certificate is its issuer, and still not the one that is pinned."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    issuer = x509.load_pem_x509_certificate(tls.certificates[0].read_bytes())
    key = serialization.load_pem_private_key(tls.keys[0].read_bytes(), None)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .sign(key, hashes.SHA256())
    )
    signed = tmp_path / "signed.pem"
    signed.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    results = in_threads(lambda: tls.join(0, tls.keys[0], signed), lambda: tls.join(1))
    assert isinstance(results[1], HandshakeError)


def test_a_stranger_cannot_keep_the_parties_apart(tls):
    """Connections without TLS, and without a certificate, are turned away while the parties still meet."""
    with socket.create_connection(tls.addresses[0]) as plain:
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        results = in_threads(*(lambda i=i: tls.join(i) for i in range(3)))
    assert all(isinstance(r, Channel) for r in results), results


def test_nothing_but_tls_1_3_is_spoken(tls, clocks):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    def old_client() -> str:
        with socket.create_connection(tls.addresses[0]) as raw, context.wrap_socket(raw):
            return "connected"

    results = in_threads(old_client, lambda: tls.join(0))
    assert isinstance(results[0], ssl.SSLError | OSError)


def test_parties_meet_in_any_order_of_their_start(tls):
    def late(i: int, seconds: float) -> Channel:
        time.sleep(seconds)
        return tls.join(i)

    results = in_threads(lambda: late(0, 0.8), lambda: late(1, 0.4), lambda: late(2, 0))
    assert all(isinstance(r, Channel) for r in results), results


def test_a_forwarder_without_a_party_behind_it_is_tried_again(tls, monkeypatch):
    """It takes the connection and drops it at once: nobody is there yet."""
    dropped = 0
    clocks = Clocks()
    monkeypatch.setattr(tls_module, "time", clocks)

    def drop() -> None:
        nonlocal dropped
        with tls.listeners[0] as forwarder:
            for _ in range(3):
                forwarder.accept()[0].close()
                dropped += 1
        clocks.time_is_over_for_all()

    result, _ = in_threads(lambda: tls.join(1), drop)
    assert isinstance(result, PeerTimeout)
    assert (result.party, dropped) == (0, 3)


def test_a_party_that_leaves_before_all_have_met_is_named(tls, clocks):
    """Party 0 gives up on party 2; party 1, which would wait for long, hears of it."""

    def give_up() -> None:
        assert clocks.accepting[1].wait(60)  # and has met party 0
        clocks.time_is_over(0)
        socket.create_connection(tls.addresses[0]).close()  # party 0 looks up

    *results, _ = in_threads(lambda: tls.join(0), lambda: tls.join(1), give_up)
    assert isinstance(results[0], PeerTimeout)
    assert isinstance(results[1], PeerLost)
    assert (results[0].party, results[1].party) == (2, 2)


def test_a_party_that_never_listens_is_named(tls):
    tls.listeners[0].close()
    (result,) = in_threads(lambda: tls.join(1, seconds=0.5))
    assert isinstance(result, PeerTimeout)
    assert "party 0 does not listen" in str(result)
