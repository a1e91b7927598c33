"""Frames, channels and TLS: what is not the expected message from the expected party is refused, with a typed error."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from mpc_tamper.core.errors import FrameError, HandshakeError, PeerLost, PeerTimeout
from mpc_tamper.core.memory import LEAST_BYTES
from mpc_tamper.engines.frontend.program import load_program
from mpc_tamper.engines.rep3.handshake import Terms, agree, agree_on_keys
from mpc_tamper.engines.rep3.protocol.prss import Purpose
from mpc_tamper.engines.rep3.transport import frame
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import SocketLink
from mpc_tamper.engines.rep3.transport.memory import memory_channels
from tests.support.threads import in_threads

HEADER = struct.Struct("<6sHII")


@pytest.fixture
def wire() -> tuple[Channel, socket.socket]:
    """A channel of party 0 that listens to party 1, and the raw other end."""
    a, b = socket.socketpair()
    return Channel(0, {1: SocketLink(a)}, timeout_seconds=0.3), b


def receive(channel: Channel, tag: str, length: int) -> bytes:
    buffer = bytearray(length)
    channel.exchange(tag, {}, {1: memoryview(buffer)})
    return bytes(buffer)


def test_a_message_goes_through_and_is_counted():
    first, second, _ = memory_channels()
    buffer = bytearray(5)
    in_threads(
        lambda: first.exchange("greeting", {1: memoryview(b"hello")}, {}),
        lambda: second.exchange("greeting", {}, {0: memoryview(buffer)}),
    )
    assert bytes(buffer) == b"hello"
    assert (first.bytes_sent, first.rounds) == (5 + frame.HEADER_BYTES, 0)
    assert (second.bytes_sent, second.rounds) == (0, 1)


def test_three_parties_shift_more_than_the_sockets_hold():
    size = 8 << 20
    channels = memory_channels()
    buffers = [bytearray(size) for _ in range(3)]
    results = in_threads(
        *(lambda i=i: channels[i].shift("big", memoryview(bytes([i]) * size), memoryview(buffers[i])) for i in range(3))
    )
    assert results == [None] * 3
    assert [b[0] for b in buffers] == [2, 0, 1]
    assert all(b.count(b[0]) == size for b in buffers)


@pytest.mark.parametrize(
    ("tag", "sequence", "length", "message"),
    [
        ("other", 0, 4, "expected 'values'"),
        ("values", 1, 4, "expected number 0"),
        ("values", 0, 3, "truncated"),
        ("values", 0, 5, "oversized"),
        ("values", 0, 2**32 - 1, "oversized"),
    ],
)
def test_a_wrong_header_is_refused_before_its_payload(wire, tag, sequence, length, message):
    channel, raw = wire
    raw.sendall(HEADER.pack(frame.tag_bytes(tag)[:6], 0, sequence, length) + b"abcd")
    with pytest.raises(FrameError, match=message) as caught:
        receive(channel, "values", 4)
    assert caught.value.party == 1


def test_random_bytes_are_refused(wire):
    channel, raw = wire
    raw.sendall(bytes(range(64)))
    with pytest.raises(FrameError):
        receive(channel, "values", 4)


def test_a_replayed_message_is_refused(wire):
    channel, raw = wire
    message = frame.pack_header("values", 0, 4) + b"abcd"
    raw.sendall(message + message)
    assert receive(channel, "values", 4) == b"abcd"
    with pytest.raises(FrameError, match="sent message 0"):
        receive(channel, "values", 4)


def test_a_payload_cut_short_is_a_lost_peer(wire):
    channel, raw = wire
    raw.sendall(frame.pack_header("values", 0, 4) + b"ab")
    raw.close()
    with pytest.raises(PeerLost, match="party 1"):
        receive(channel, "values", 4)


def test_silence_is_a_timeout_that_names_the_party(wire):
    channel, _ = wire
    with pytest.raises(PeerTimeout, match=r"party 1 sent nothing for 0\.3 s"):
        receive(channel, "values", 4)


def test_who_has_come_to_the_end_and_left_does_not_keep_another_waiting():
    """Party 2 has finished; party 1 is stopped, or its last message is held up, and has its time-out."""
    first, second, third = memory_channels(timeout_seconds=0.3)
    nothing = memoryview(bytearray())

    def leave() -> None:
        third.exchange("finish", {0: nothing, 1: nothing}, {0: nothing})
        third.close()

    result, _ = in_threads(first.finish, leave)
    assert isinstance(result, PeerTimeout)
    assert result.party == 1
    second.close()


def test_an_abort_names_who_is_at_fault(wire):
    channel, raw = wire
    raw.sendall(frame.pack_abort(2))
    with pytest.raises(PeerLost, match="party 1 gave up because of party 2") as caught:
        receive(channel, "values", 4)
    assert caught.value.party == 2


def test_an_abort_cannot_accuse_a_party_that_does_not_exist(wire):
    channel, raw = wire
    raw.sendall(frame.pack_abort(2**32 - 1))
    with pytest.raises(PeerLost, match=r"party 1 gave up$") as caught:
        receive(channel, "values", 4)
    assert caught.value.party == 1


def test_a_peer_that_nothing_is_expected_from_is_missed_at_once():
    first, second, third = memory_channels(timeout_seconds=600)
    third.close()
    (result,) = in_threads(lambda: first.exchange("values", {}, {1: memoryview(bytearray(4))}))
    assert isinstance(result, PeerLost)
    assert result.party == 2
    second.close()


def test_parties_finish_together_whoever_is_first():
    channels = memory_channels()
    assert in_threads(*(c.finish for c in channels)) == [None] * 3


def test_a_message_too_long_for_the_header_is_refused():
    with pytest.raises(FrameError, match="2\\^32"):
        frame.pack_header("values", 0, 2**32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"program_sha256": "11" * 32}, "program and arguments"),
        ({"protocol": "other"}, "protocol"),
    ],
)
def test_a_party_that_runs_something_else_is_named(change, message):
    channels = memory_channels()
    same = {"program_sha256": "00" * 32, "protocol": "ring"}
    terms = [Terms(**same), Terms(**{**same, **change}), Terms(**same)]
    results = in_threads(*(lambda i=i: agree(channels[i], terms[i])[0] for i in range(3)))
    assert all(isinstance(r, HandshakeError) and message in str(r) for r in results)
    assert [r.party for r in results] == [1, 2, 1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("epochs=30", "rows=8"), "epochs: expected 20, got 30"),
        (("epochs=20", "rows=8", "extra"), "argument 2: expected none, got extra"),
        (("epochs=20",), "rows: expected 8, got none"),
        (
            tuple(f"a{i}=1" for i in range(9)),
            "epochs: expected 20, got none; rows: expected 8, got none; a0: expected n",
        ),
        (("x" * 5000,), "party 1 runs another program and arguments (sha256)"),  # more than is spelled out
    ],
)
def test_arguments_that_differ_are_named(tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    channels = memory_channels()
    path = tmp_path / "program.mpc"
    path.write_text("print_ln('a')\n")
    program = load_program(path)
    usual = Terms.of(program, ("epochs=20", "rows=8"), "ring")
    terms = [usual, Terms.of(program, args, "ring"), usual]
    results = in_threads(*(lambda i=i: agree(channels[i], terms[i])[0] for i in range(3)))
    assert all(isinstance(r, HandshakeError) for r in results)
    assert [r.party for r in results] == [1, 2, 1]
    assert message in str(results[0])
    assert str(results[0]) == str(results[2])


def test_another_program_is_told_from_other_arguments(tmp_path: Path) -> None:
    channels = memory_channels()
    programs = []
    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(f"print_ln('{name}')\n")
        programs.append(load_program(tmp_path / name))
    terms = [Terms.of(programs[i == 2], ("a=1",), "ring") for i in range(3)]
    results = in_threads(*(lambda i=i: agree(channels[i], terms[i])[0] for i in range(3)))
    assert ["runs another program: expected one of sha256" in str(r) for r in results] == [True] * 3
    assert [r.party for r in results] == [2, 2, 0]


def test_the_place_of_a_public_file_is_a_host_s_own(tmp_path: Path) -> None:
    """Its hash is compared. A file without one has to be of the same name."""
    path = tmp_path / "program.mpc"
    path.write_text("print_ln('a')\n")
    program = load_program(path)

    def terms(*args: str) -> Terms:
        return Terms.of(program, args, "ring")

    assert terms("file=/a", "sha256=00", "rows=1") == terms("file=/b", "sha256=00", "rows=1")
    assert terms("file=/a", "sha256=00") != terms("file=/a", "sha256=01")
    assert terms("file=/a") != terms("file=/b")


TERMS = Terms(program_sha256="00" * 32, protocol="ring")
HELLO_BYTES, SESSION_BYTES = 136, 32


def send(channel: Channel, tag: str, payload: bytes, peers: tuple[int, ...]) -> None:
    channel.exchange(tag, dict.fromkeys(peers, memoryview(payload)), {})


def take(channel: Channel, tag: str, length: int, peer: int) -> bytes:
    buffer = bytearray(length)
    channel.exchange(tag, {}, {peer: memoryview(buffer)})
    return bytes(buffer)


def test_all_parties_derive_one_session_and_each_run_another():
    def run() -> list[object]:
        channels = memory_channels()
        return in_threads(*(lambda i=i: agree(channels[i], TERMS)[0] for i in range(3)))

    first, second = run(), run()
    assert len(set(first)) == len(set(second)) == 1
    assert isinstance(first[0], bytes)
    assert len(first[0]) == SESSION_BYTES
    assert first[0] != second[0]


def test_a_hello_repeated_from_an_earlier_run_gives_another_session_and_other_keys():
    """Party 2 repeats in a second run, byte for byte, its hello and its key of the first."""
    channels = memory_channels(2)
    seen = channels[0].record_received()
    first = in_threads(*(lambda i=i: (agree(channels[i], TERMS)[0], agree_on_keys(channels[i])) for i in range(3)))
    old = {tag: payload for sender, tag, payload in seen if sender == 2}
    assert set(old) == {"hello", "session", "key"}

    channels = memory_channels(2)

    def replay() -> list[bytes]:
        """What the honest parties answer to the repeated hello."""
        send(channels[2], "hello", old["hello"], (0, 1))
        hellos = [take(channels[2], "hello", HELLO_BYTES, peer) for peer in (0, 1)]
        session = take(channels[2], "session", SESSION_BYTES, 0)
        assert session == take(channels[2], "session", SESSION_BYTES, 1)
        send(channels[2], "session", session, (0, 1))
        send(channels[2], "key", old["key"], (0,))
        take(channels[2], "key", len(old["key"]), 1)
        return [session, *hellos]

    honest = [lambda i=i: (agree(channels[i], TERMS)[0], agree_on_keys(channels[i])) for i in (0, 1)]
    second = in_threads(*honest, replay)
    assert second[0][0] == second[1][0] == second[2][0] != first[0][0]

    def pad(run: list[object], party: int, key: str) -> bytes:
        return getattr(run[party][1], key)[Purpose.ZERO].draw(4).tobytes()

    assert pad(first, 1, "previous") == pad(first, 0, "own")
    assert pad(second, 1, "previous") == pad(second, 0, "own")
    assert len({pad(run, 1, key) for run in (first, second) for key in ("own", "previous")}) == 4


def test_the_old_session_is_refused_too():
    channels = memory_channels(2)

    def replay() -> None:
        send(channels[2], "hello", b"".join(TERMS.fields().values()).ljust(HELLO_BYTES, b"r"), (0, 1))
        send(channels[2], "session", b"s" * SESSION_BYTES, (0, 1))
        for tag, length in (("hello", HELLO_BYTES), ("session", SESSION_BYTES)):
            for peer in (0, 1):
                take(channels[2], tag, length, peer)

    results = in_threads(*(lambda i=i: agree(channels[i], TERMS)[0] for i in (0, 1)), replay)
    assert all(isinstance(r, HandshakeError) and "party 2 takes part in another session" in str(r) for r in results[:2])


def test_parties_agree_on_what_the_one_with_least_has():
    """Little memory counts as more than that, and numbers that are too large as the largest."""
    channels = memory_channels()
    memory, threads = (None, 3 << 20, 1 << 60), (1 << 20, 2, 7)
    agreed = in_threads(*(lambda i=i: agree(channels[i], TERMS, memory[i], threads[i]) for i in range(3)))
    assert [(each.memory, each.threads) for each in agreed] == [(max(LEAST_BYTES, 3 << 20), 2)] * 3
    assert len({each.session for each in agreed}) == 1


@pytest.mark.parametrize("at", [HELLO_BYTES - 8, HELLO_BYTES - 2], ids=["memory", "threads"])
def test_nobody_tells_two_parties_different_things_of_itself(at: int) -> None:
    channels = memory_channels(2)

    def equivocate() -> None:
        hello = b"".join(TERMS.fields().values()).ljust(HELLO_BYTES, b"\1")
        for peer in (0, 1):
            send(channels[2], "hello", hello[:at] + bytes([1 + peer]) + hello[at + 1 :], (peer,))
        for peer in (0, 1):
            take(channels[2], "hello", HELLO_BYTES, peer)
            send(channels[2], "session", take(channels[2], "session", SESSION_BYTES, peer), (peer,))

    results = in_threads(*(lambda i=i: agree(channels[i], TERMS, None, 2) for i in (0, 1)), equivocate)
    assert all(isinstance(r, HandshakeError) and "another session" in str(r) for r in results[:2])


def test_different_hellos_to_two_parties_end_in_no_session():
    channels = memory_channels(2)

    def equivocate() -> None:
        agreed = b"".join(TERMS.fields().values())
        for peer in (0, 1):
            send(channels[2], "hello", agreed.ljust(HELLO_BYTES, b"%d" % peer), (peer,))
        for peer in (0, 1):
            take(channels[2], "hello", HELLO_BYTES, peer)
            send(channels[2], "session", take(channels[2], "session", SESSION_BYTES, peer), (peer,))

    results = in_threads(*(lambda i=i: agree(channels[i], TERMS)[0] for i in (0, 1)), equivocate)
    assert all(isinstance(r, HandshakeError) and "another session" in str(r) for r in results[:2])
    assert [r.party for r in results[:2]] == [None, None]


def test_an_abort_is_found_behind_messages_that_nobody_waits_for():
    first, second, third = memory_channels(5)
    third.exchange("later", {0: memoryview(b"0123456789" * 1000)}, {})
    third.abort(1)
    (result,) = in_threads(lambda: first.exchange("values", {}, {1: memoryview(bytearray(4))}))
    assert isinstance(result, PeerLost)
    assert (str(result), result.party) == ("party 2 gave up because of party 1", 1)
    second.close()


def test_an_abort_in_the_middle_of_a_message_is_found(wire):
    channel, raw = wire
    raw.sendall(frame.pack_header("values", 0, 100) + b"abcd" + frame.pack_abort(2))
    raw.close()
    with pytest.raises(PeerLost, match="party 1 gave up because of party 2"):
        receive(channel, "values", 100)
