"""The delaying relay: bytes as they are, late by what the network says; nothing left behind."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc_tamper.core.errors import PeerLost, TamperError
from mpc_tamper.engines import relay as relay_module
from mpc_tamper.engines.hosts import Address
from mpc_tamper.engines.relay import Relay, through
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.runs.network import LAN, WAN, Network
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.studies.costs.model import predict

FAST = Network("fast", 0.0, 1e12)
PRODUCT = "x = sint.get_input_from(0)\nfor _ in range(4):\n    x = x * x\nprint_ln('%s', x.reveal())\n"


@contextlib.contextmanager
def connected(network: Network) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection through a relay."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        relay = stack.enter_context(Relay(network, Address(*listener.getsockname())))
        near = stack.enter_context(socket.create_connection(relay.address))
        far, _ = listener.accept()
        stack.enter_context(far)
        near.settimeout(120)
        far.settimeout(120)
        yield near, far


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := sock.recv(count - len(data))):
        data += part
    return data


def test_bytes_pass_both_ways_unchanged_and_in_order() -> None:
    message = bytes(range(256)) * 4000
    with connected(FAST) as (near, far):
        for sender, receiver in ((near, far), (far, near)):
            writer = threading.Thread(target=sender.sendall, args=(message,))
            writer.start()
            assert receive(receiver, len(message)) == message
            writer.join()


def test_a_message_takes_the_latency_one_way() -> None:
    with connected(Network("slow", 0.1, 1e12)) as (near, far):
        began = time.monotonic()
        near.sendall(b"a")
        assert receive(far, 1) == b"a"
        assert time.monotonic() - began >= 0.1


def test_messages_sent_together_wait_together() -> None:
    """Latency delays, it does not thin out: two hundred messages in a row come 0.5 s late, not 100 s."""
    with connected(Network("slow", 0.5, 1e12)) as (near, far):
        began = time.monotonic()
        for i in range(200):
            near.sendall(bytes([i]))
            time.sleep(0.002)
        assert receive(far, 200) == bytes(range(200))
        assert 0.5 <= time.monotonic() - began < 60


def test_bandwidth_is_shared_by_what_is_sent() -> None:
    with connected(Network("narrow", 0.0, 8e6)) as (near, far):  # a megabyte a second
        began = time.monotonic()
        writer = threading.Thread(target=near.sendall, args=(bytes(300_000),))
        writer.start()
        assert len(receive(far, 300_000)) == 300_000
        assert time.monotonic() - began >= 0.29
        writer.join()


def test_the_end_of_a_stream_is_passed_on_after_its_bytes() -> None:
    with connected(Network("slow", 0.05, 1e9)) as (near, far):
        near.sendall(b"last")
        near.shutdown(socket.SHUT_WR)
        assert receive(far, 100) == b"last"
        far.sendall(b"answer")
        assert receive(near, 6) == b"answer"


def test_no_thread_and_no_port_is_left() -> None:
    before = threading.active_count()
    with connected(Network("slow", 0.2, 1e6)) as (near, _):
        near.sendall(bytes(10_000))
    assert threading.active_count() == before


def test_a_target_that_does_not_listen_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
    with Relay(FAST, address) as relay, socket.create_connection(relay.address) as near:
        near.settimeout(120)
        assert near.recv(1) == b""


def test_three_parties_through_the_relay(tmp_path: Path) -> None:
    """An input, four multiplications and an opening, each at least as long as a message is on its way."""
    (tmp_path / "product.mpc").write_text(PRODUCT)
    (tmp_path / "input.txt").write_text("3")
    inputs = {0: InputFiles(text=tmp_path / "input.txt")}
    engine = Rep3Engine(route=functools.partial(through, Network("slow", 0.1, 1e9)))
    result = engine.run(RunSpec(tmp_path / "product.mpc", inputs=inputs, run_dir=tmp_path / "run"))
    assert result.lines == ("43046721",)
    assert result.seconds >= 0.5


def test_a_relay_that_goes_nowhere_is_an_error_of_the_run(tmp_path: Path) -> None:
    @contextlib.contextmanager
    def nowhere(addresses: tuple[Address, Address, Address]) -> Iterator[tuple[Address, Address, Address]]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            closed = Address(*listener.getsockname())
        yield closed, closed, closed

    (tmp_path / "product.mpc").write_text("print_ln('never')\n")
    spec = RunSpec(tmp_path / "product.mpc", run_dir=tmp_path / "run", timeout_seconds=2)
    with pytest.raises((TamperError, PeerLost)):
        Rep3Engine(route=nowhere).run(spec)


def test_the_model() -> None:
    assert predict(LAN, seconds=1.0, bytes_per_party=125_000_000, rounds=500) == pytest.approx(1 + 0.5 + 1)
    assert predict(WAN, seconds=0.0, bytes_per_party=12_500_000, rounds=100) == pytest.approx(4 + 1)
