"""mpc-tamper doctor --hosts: over real sockets, each thing that can be wrong between three hosts is named."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpc_tamper.core.errors import TamperError
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.hosts import Address, Addresses, Host, Probe
from mpc_tamper.engines.rep3 import meeting, probe
from mpc_tamper.engines.rep3.probe import probe_addresses, probe_hosts
from mpc_tamper.engines.rep3.transport.tls import Identity, connect, listen
from tests.support.ports import free_ports
from tests.support.threads import in_threads

FACTS = {"version": "1"}
SOON, LATE = 0.4, 60.0  # seconds: for what does not come, and for what does
Change = Callable[[Host], Host]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers at all has the time to say what it does, however short a doctor waits for others to come."""
    monkeypatch.setattr(meeting, "_LEAST_ATTEMPT_SECONDS", LATE)


@pytest.fixture
def impatient(patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_LEAST_ATTEMPT_SECONDS", SOON)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates of three parties, and in other/ those of strangers."""
    folder = tmp_path_factory.mktemp("keys")
    for party in range(3):
        make_certificate(party, folder)
        make_certificate(party, folder / "other")
    return folder


@pytest.fixture
def addresses() -> Addresses:
    base = free_ports()
    return Address("127.0.0.1", base), Address("127.0.0.1", base + 1), Address("127.0.0.1", base + 2)


def without_party_0(addresses: Addresses, port: int = 14000) -> Addresses:
    """Nobody waits for a party whose name says nothing."""
    return Address("nowhere.invalid", port), addresses[1], addresses[2]


def host(party: int, addresses: Addresses, keys: Path) -> Host:
    first, second, third = (keys / f"party{i}.pem" for i in range(3))
    return Host(party, addresses, keys / f"party{party}.key", (first, second, third))


@pytest.fixture
def alone(addresses: Addresses, keys: Path) -> Callable[..., Probe]:
    """alone(1, ...) probes as party 1 where no other party does."""

    def run(party: int, seconds: float = SOON, change: Change = lambda host: host) -> Probe:
        return probe_hosts(change(host(party, addresses, keys)), FACTS, seconds)

    return run


def together(*works: Callable[[], Any]) -> list[Any]:
    results = in_threads(*works)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return list(results)


@contextlib.contextmanager
def answering(address: Address, answer: Callable[[socket.socket], object]) -> Iterator[None]:
    """Somebody who answers there, until the block ends."""
    with socket.create_server(address) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def in_tls(keys: Path, party: int) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys / f"party{party}.pem", keys / f"party{party}.key")

    def answer(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).recv(1)

    return answer


def test_three_hosts_that_are_well(addresses: Addresses, keys: Path) -> None:
    found = together(*(lambda i=i: probe_hosts(host(i, addresses, keys), FACTS, LATE) for i in range(3)))
    for party, each in enumerate(found):
        assert each.problems == ()
        assert [way.party for way in each.ways] == [i for i in range(3) if i != party]
        for way in each.ways:
            assert (way.named, way.reached, way.met) == (True, True, True)
            assert (way.round_trip_seconds or 0) > 0
            assert (way.bits_per_second or 0) > 0
            assert way.clock_seconds is not None
            assert abs(way.clock_seconds) < 5


def test_hosts_that_differ(addresses: Addresses, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the version and in the hosts file. The clocks are as far apart as any are."""
    monkeypatch.setattr(probe, "_MOST_CLOCK_SECONDS", -1.0)
    hosts = {i: host(i, without_party_0(addresses, i), keys) for i in (1, 2)}
    found = together(*(lambda i=i: probe_hosts(hosts[i], {"version": str(i)}, LATE) for i in (1, 2)))
    for party, each in zip((1, 2), found, strict=True):
        other = 3 - party
        said = " ".join(each.problems)
        assert f"party {other} has another version: expected {party}, got {other}; make it the same" in said
        assert f"party {other} has another hosts file: expected nowhere.invalid:{party} 127.0.0.1:" in said
        assert f"party {other}: expected clocks within -1 s, got one 0 s" in said
        assert "party 0" in each.problems[-1]


def test_nobody_there(alone: Callable[..., Probe], addresses: Addresses) -> None:
    found = alone(1)
    assert [(way.party, way.named, way.reached, way.met) for way in found.ways] == [
        (0, True, False, False),
        (2, True, None, False),
    ]
    refused, missing = found.problems
    assert refused.startswith(f"party 0: expected somebody at {addresses[0]}, got a refused connection")
    assert missing.startswith("party 2 did not come within 0.4 s; see what its own doctor says")


@pytest.mark.usefixtures("impatient")
def test_a_firewall_that_drops_everything(alone: Callable[..., Probe], addresses: Addresses) -> None:
    """As a listener whose queue is full does, for whoever comes then."""
    with socket.create_server(addresses[0], backlog=0), contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(addresses[0])
        found = alone(2, SOON, lambda host: replace(host, addresses=(addresses[0], addresses[0], addresses[2])))
    assert f"party 0: expected an answer from {addresses[0]}, got none in" in found.problems[0]
    assert "a firewall drops what is sent" in found.problems[0]


def test_a_name_that_is_none(alone: Callable[..., Probe], addresses: Addresses) -> None:
    nowhere = Address("nowhere.invalid", 14000), addresses[1], Address("nobody.invalid", 14000)
    found = alone(1, SOON, lambda host: replace(host, addresses=nowhere))
    assert [(way.named, way.reached) for way in found.ways] == [(False, None)] * 2
    assert "party 0: expected the name nowhere.invalid to have an address, got:" in found.problems[0]
    assert "party 2: expected the name nobody.invalid" in found.problems[1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), "somebody else answers at"),
        (lambda connection: None, "hangs up before TLS"),
    ],
    ids=["another service", "hangs up"],
)
def test_somebody_else_answers(
    alone: Callable[..., Probe],
    addresses: Addresses,
    answer: Callable[[socket.socket], object],
    message: str,
) -> None:
    with answering(addresses[0], answer):
        found = alone(1)
    assert message in found.problems[0]
    assert (found.ways[0].reached, found.ways[0].met) == (True, False)


@pytest.mark.usefixtures("impatient")
def test_somebody_who_says_nothing(alone: Callable[..., Probe], addresses: Addresses) -> None:
    with answering(addresses[0], lambda connection: connection.recv(1 << 16) and connection.recv(1)):
        found = alone(1)
    assert "somebody else answers at" in found.problems[0]
    assert "says nothing" in found.problems[0]
    assert (found.ways[0].reached, found.ways[0].met) == (True, False)


def test_another_certificate(alone: Callable[..., Probe], addresses: Addresses, keys: Path) -> None:
    with answering(addresses[0], in_tls(keys / "other", 0)):
        found = alone(1)
    assert f"party 0: {addresses[0]} shows another certificate than party0.pem: expected SHA-256 " in found.problems[0]


def test_lines_that_are_swapped(alone: Callable[..., Probe], addresses: Addresses, keys: Path) -> None:
    with answering(addresses[0], in_tls(keys, 2)):
        found = alone(1)
    assert f"party 0: party 2 answers at {addresses[0]}; correct the lines" in found.problems[0]


def test_a_host_whose_certificate_the_other_does_not_have(addresses: Addresses, keys: Path) -> None:
    """Party 1 made new ones and sent them to nobody."""
    renewed = replace(
        host(1, addresses, keys),
        key=keys / "other/party1.key",
        certificates=(keys / "party0.pem", keys / "other/party1.pem", keys / "party2.pem"),
    )
    first, second = together(
        lambda: probe_hosts(host(0, addresses, keys), FACTS, 4.0), lambda: probe_hosts(renewed, FACTS, 1.0)
    )
    assert "party 0 refuses the certificate of this host" in second.problems[0]
    assert "party 1 did not come within 4 s; somebody at 127.0.0.1 showed another certificate" in first.problems[0]


def test_a_port_in_use(alone: Callable[..., Probe], addresses: Addresses) -> None:
    with socket.create_server(addresses[1]):
        found = alone(1)
    assert f"party 1 cannot listen on {addresses[1]}" in found.problems[0]
    assert "another program has the port" in found.problems[0]
    assert [problem.partition(":")[0] for problem in found.problems[1:]] == ["party 0"]


def test_files_of_this_host(alone: Callable[..., Probe], keys: Path, tmp_path: Path) -> None:
    found = alone(1, SOON, lambda host: replace(host, key=keys / "other/party1.key"))
    assert "party1.key: expected the key that" in found.problems[0]
    assert "party 0: expected somebody at" in found.problems[1]
    assert len(found.problems) == 2
    open_to_all = tmp_path / "party1.key"
    open_to_all.write_bytes((keys / "party1.key").read_bytes())
    open_to_all.chmod(0o644)
    found = alone(1, SOON, lambda host: replace(host, key=open_to_all))
    assert found.problems[0] == f"{open_to_all} can be read by other users; chmod 600 {open_to_all}"
    found = alone(1, SOON, lambda host: replace(host, key=tmp_path / "none"))
    assert "none: expected this party's key: No such file" in found.problems[0]


def test_from_a_host_that_is_none_of_the_three(addresses: Addresses) -> None:
    with socket.create_server(addresses[0]):
        found = probe_addresses(addresses)
    assert [(way.named, way.reached, way.met) for way in found.ways] == [
        (True, True, None),
        (True, False, False),
        (True, None, None),
    ]
    assert len(found.problems) == 1


def run_party(
    party: int, addresses: Addresses, keys: Path, seconds: float, listens: threading.Event | None = None
) -> object:
    """What a run does before its first message; True where all three have met."""
    first, second, third = (keys / f"party{i}.pem" for i in range(3))
    identity = Identity(party, keys / f"party{party}.key", (first, second, third))
    with listen(party, addresses[party], "") as listener:
        if listens is not None:
            listens.set()
        channel = connect(identity, listener, addresses, timeout_seconds=LATE, connect_timeout_seconds=seconds)
        channel.finish()
        return True


def test_a_doctor_leaves_parties_alone_that_wait_for_each_other(addresses: Addresses, keys: Path) -> None:
    listens = threading.Event()

    def others() -> list[object]:
        assert listens.wait(LATE)
        found = probe_hosts(host(1, addresses, keys), FACTS, 1.0)
        assert "party 0 at 127.0.0.1:" in found.problems[0]
        assert "has the right certificate, but it is no doctor" in found.problems[0]
        return in_threads(*(lambda i=i: run_party(i, addresses, keys, LATE) for i in (1, 2)))

    assert together(lambda: run_party(0, addresses, keys, LATE, listens), others) == [True, [True, True]]


def test_a_party_that_starts_a_run_is_no_doctor(alone: Callable[..., Probe], addresses: Addresses, keys: Path) -> None:
    found, run = in_threads(lambda: alone(0, 4.0), lambda: run_party(1, addresses, keys, 1.0))
    assert isinstance(found, Probe)
    assert found.problems[0] == "party 1 has started a run, no doctor; start the doctor there"
    assert isinstance(run, TamperError)


def test_a_party_that_leaves_while_it_is_measured(
    addresses: Addresses, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(link: ssl.SSLSocket) -> None:
        link.close()
        raise OSError("gone")

    monkeypatch.setattr(probe, "_answer_pings", leave)
    two = without_party_0(addresses)
    found = together(*(lambda i=i: probe_hosts(host(i, two, keys), FACTS, LATE) for i in (1, 2)))
    for party, each in zip((1, 2), found, strict=True):
        assert f"party {3 - party} was met, and left while the way to it was measured" in each.problems[0]
