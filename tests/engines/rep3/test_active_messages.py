"""Every message of an active run, found by recording one, is flipped, dropped, replayed, truncated or delayed: the
honest parties abort before any output that it could touch, and never accept a wrong one."""

from __future__ import annotations

import select
from collections.abc import Callable

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.transport.channel import Channel
from mpc_tamper.engines.rep3.transport.link import PEER_CLOSED
from tests.support.active_runs import run, small_program

TIMEOUT = 0.2  # seconds, where a message does not come, or not in time; whatever comes is judged at once
Message = tuple[int, str, int]  # number of the exchange, its tag, receiver


class Tampering:
    """Stands before a party's channel. change(receiver, payload, earlier ones): what to send, None for nothing."""

    def __init__(self, place: Message | None, change: Callable | None = None, *, bound: bool = False) -> None:
        self.sent: list[Message] = []
        self._place, self._change, self._bound = place, change, bound
        self._earlier: list[tuple[int, bytes]] = []
        self._number = 0

    def __call__(self, party: Party) -> None:
        """bound: the cheater's own view of what it sent is the change; else the change happens on the wire."""
        channel = party.channel
        exchange, outgoing = channel.exchange, channel._outgoing

        def tamper(tag: str, peer: int, payload: memoryview) -> memoryview | None:
            place = (self._number, tag, peer)
            if place == self._place:
                if self._change is delay:
                    closed = select.poll()
                    closed.register(channel._links[peer].fileno(), PEER_CLOSED)
                    closed.poll(60_000)
                return self._change(peer, payload, self._earlier)
            self._earlier.append((peer, bytes(payload)))
            return payload

        def watched_exchange(tag, send, receive):
            self.sent += [(self._number, tag, peer) for peer in send]
            if self._bound:
                send = {peer: tamper(tag, peer, payload) for peer, payload in send.items()}
                send = {peer: payload for peer, payload in send.items() if payload is not None}
            exchange(tag, send, receive)
            self._number += 1

        def watched_outgoing(peer, tag, payload):
            changed = tamper(tag, peer, payload)
            if changed is None:
                dropped = outgoing(peer, tag, payload)
                dropped.parts.clear()
                return dropped
            return outgoing(peer, tag, changed)

        channel.exchange = watched_exchange
        if not self._bound:
            channel._outgoing = watched_outgoing


def flip(peer, payload, earlier):
    changed = bytearray(payload)
    changed[len(changed) // 2] ^= 0x10
    return memoryview(bytes(changed))


def flip_first_bit(peer, payload, earlier):
    return memoryview(bytes([payload[0] ^ 1]) + bytes(payload[1:]))


def drop(peer, payload, earlier):
    return None


def truncate(peer, payload, earlier):
    return payload[:-1]


def replay(peer, payload, earlier):
    """The last message of the same length to the same party, else anything else of this length."""
    same = [old for to, old in earlier if to == peer and len(old) == len(payload) and old != bytes(payload)]
    return memoryview(same[-1] if same else bytes(len(payload)))


def delay(peer, payload, earlier):
    """It comes when the receiver has given up."""
    return payload


class Beside(Active):
    """The first of its three batches is proved while the second one is recorded."""

    def __init__(self, channel: Channel, prss: Prss, session: bytes) -> None:
        super().__init__(channel, prss, session, record_bytes=500, beside=True)


def messages(corrupt_party: int, kind: type[Active] = Active) -> list[Message]:
    """Of an honest run: all that this party sends before it waits for the others to finish."""
    recorder = Tampering(None, bound=True)
    ends = run(small_program, corrupt_party=corrupt_party, deviate=recorder, active_class=kind, every_class=kind)
    assert [end.error for end in ends] == [None] * 3
    return [message for message in recorder.sent if message[1] != "finish"]


@pytest.fixture(scope="module")
def honest() -> list[np.ndarray]:
    return run(small_program)[0].opened


def check(corrupt_party: int, message: Message, honest, kind: type[Active] = Active, **tampering) -> None:
    """Both honest parties end with an error, and what they opened before is right."""
    recorder = Tampering(message, **tampering)
    timeout = TIMEOUT if tampering["change"] in (drop, delay) else 60.0
    kinds = {"active_class": kind, "every_class": kind}
    ends = run(small_program, corrupt_party=corrupt_party, deviate=recorder, timeout_seconds=timeout, **kinds)
    before = sum(tag == "open" for number, tag, _ in set(recorder.sent) if number < message[0]) // 2
    receiver_opened_too_much = False
    for party in ((corrupt_party + 1) % 3, (corrupt_party + 2) % 3):
        end = ends[party]
        for got, want in zip(end.opened, honest, strict=False):
            assert np.array_equal(got, want), message
        assert isinstance(end.error, PartyError), (message, party, end.error)
        if party == message[2]:
            receiver_opened_too_much = len(end.opened) > before
    assert not receiver_opened_too_much, message


CHANGES = [flip, flip_first_bit, drop, truncate, replay]


@pytest.mark.slow
@pytest.mark.parametrize("corrupt_party", range(3))
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_message_tampered_with(corrupt_party, change, honest):
    for message in messages(corrupt_party):
        check(corrupt_party, message, honest, change=change)


@pytest.mark.slow
@pytest.mark.parametrize("corrupt_party", range(3))
@pytest.mark.parametrize("change", [flip, flip_first_bit, replay], ids=lambda change: change.__name__)
def test_every_message_changed_by_a_party_that_binds_itself_to_the_change(corrupt_party, change, honest):
    for message in messages(corrupt_party):
        check(corrupt_party, message, honest, change=change, bound=True)


@pytest.mark.slow
@pytest.mark.parametrize("corrupt_party", range(3))
@pytest.mark.parametrize("bound", [False, True], ids=["on the wire", "bound"])
def test_every_message_of_batches_that_are_proved_beside_the_program(corrupt_party, bound, honest):
    for message in messages(corrupt_party, Beside):
        check(corrupt_party, message, honest, Beside, change=flip, bound=bound)


@pytest.mark.slow
@pytest.mark.parametrize("corrupt_party", range(3))
def test_messages_delayed_past_the_time_out(corrupt_party, honest):
    by_tag = {tag: (number, tag, peer) for number, tag, peer in reversed(messages(corrupt_party))}
    for message in by_tag.values():
        check(corrupt_party, message, honest, change=delay)


def test_every_kind_of_message_is_found():
    tags = {tag.removeprefix("STEP/") for party in range(3) for _, tag, _ in messages(party)}
    assert {"input", "mul", "csa", "generate", "prefix.0", "b2a.beta", "b2a.z", "matmul", "trans_matmul"} <= tags
    assert {"proof/closed", "proof/challenge", "proof/level.0", "proof/opening", "proof/accept", "open"} <= tags
