"""Provers that tell their two verifiers different things, and verifiers that show false hashes: L compares them.
Provers that want a challenge before they have sent everything: nobody answers before R has it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.prss import Prss
from mpc_tamper.engines.rep3.transport.channel import Channel
from tests.support.active_runs import End, run, shared

corrupt = pytest.mark.parametrize("corrupt_party", range(3))


def hidden_from_comparison(party: Party, changed: dict[tuple[str, int], int]) -> None:
    """The party flips a byte, an index, of its messages named (tag, receiver), and goes on whatever challenges it gets:
    with those of the next party, its R."""
    channel = party.channel
    exchange = channel.exchange

    def lying(tag, send, receive):
        for peer, payload in send.items():
            if (tag, peer) in changed:
                false = bytearray(payload)
                false[changed[tag, peer]] ^= 1
                send = send | {peer: memoryview(bytes(false))}
        exchange(tag, send, receive)
        if tag == "proof/challenge":
            receive[channel.previous][:] = receive[channel.next]

    channel.exchange = lying


def long_products(party: Party, opened: list[np.ndarray]) -> None:
    """A proof of three levels."""
    x = shared(party, 0, np.arange(2000, dtype=np.uint64))
    opened.append(open_to_all(party, passive.mul(party, x, x)))


def inputs(party: Party, opened: list[np.ndarray]) -> None:
    """Of every party, each opened by itself."""
    opened += [open_to_all(party, shared(party, owner, np.arange(9, dtype=np.uint64))) for owner in range(3)]


class Soon(Active):
    """Closes a batch after each gate."""

    def __init__(self, channel: Channel, prss: Prss, session: bytes) -> None:
        super().__init__(channel, prss, session, record_bytes=1)


def assert_binding_fails(ends: list[End], judge: int, prover: int) -> None:
    assert f"check 'binding' of batch 0 failed: party {judge} rejects the proof of party {prover}" in str(
        ends[judge].error
    )
    assert all(end.opened == [] for end in ends)


@corrupt
@pytest.mark.parametrize("tag", ["proof/level.0", "proof/level.1", "proof/level.2"])
def test_a_prover_that_shows_its_verifiers_different_hashes(corrupt_party, tag):
    """A false h_l to R: the challenges differ, which this prover does not mind."""
    right, left = (corrupt_party + 1) % 3, (corrupt_party - 1) % 3
    message = tag, right
    ends = run(
        long_products, corrupt_party=corrupt_party, deviate=lambda party: hidden_from_comparison(party, {message: -1})
    )
    assert_binding_fails(ends, judge=left, prover=corrupt_party)


@corrupt
@pytest.mark.parametrize("number", range(3))
def test_false_hashes_shown_by_r(corrupt_party, number):
    """h_1 .. h_3 end what R shows L. An honest prover is rejected: that one of the two cheats is all that L knows."""
    prover, left = (corrupt_party - 1) % 3, (corrupt_party + 1) % 3
    changed = {("proof/opening", left): -1 - 32 * number}
    ends = run(long_products, corrupt_party=corrupt_party, deviate=lambda party: hidden_from_comparison(party, changed))
    assert_binding_fails(ends, judge=left, prover=prover)


@corrupt
@pytest.mark.parametrize("byte", [0, 5, 6, 7, 14], ids=["word", "its end", "prover", "batch", "the batch's end"])
def test_an_r_that_closes_something_else(corrupt_party, byte):
    left = (corrupt_party + 1) % 3
    changed = {("proof/closed", left): byte}
    ends = run(long_products, corrupt_party=corrupt_party, deviate=lambda party: hidden_from_comparison(party, changed))
    assert_binding_fails(ends, judge=left, prover=(corrupt_party - 1) % 3)


@corrupt
@pytest.mark.parametrize(
    ("awaited", "waits", "program", "kind"),
    [
        ("mul", True, long_products, Active),
        ("mul", False, long_products, Active),
        ("mul", True, long_products, Soon),
        ("input", True, inputs, Active),
        ("input", True, inputs, Soon),
    ],
)
def test_l_answers_no_prover_before_r_has_everything(corrupt_party, awaited, waits, program, kind):
    """R sends its last message and reads the prover's only later. An L that did not wait for R's word would have told
    the prover challenge 0 by then, and so the weights that its message is tested with."""
    right, left = (corrupt_party + 1) % 3, (corrupt_party - 1) % 3
    answered = threading.Event()
    seen: list[bool] = []

    def delayed(party: Party, opened: list[np.ndarray]) -> None:
        exchange, outgoing = party.channel.exchange, party.channel._outgoing

        def late(tag, send, receive):
            if tag != awaited or corrupt_party not in receive or seen:
                return exchange(tag, send, receive)
            exchange(tag, send, {})
            seen.append(answered.wait(0.2 if waits else 20))
            exchange(tag, {}, receive)

        def hasty(tag, send, receive):
            if tag == "proof/closed" and not waits:
                receive[right][:] = transcript.pack_closed(corrupt_party, 0)
                receive = {}
            exchange(tag, send, receive)

        def watched(peer, tag, payload):
            if (tag, peer) == ("proof/challenge", corrupt_party):
                answered.set()
            return outgoing(peer, tag, payload)

        if party.party_id == right:
            party.channel.exchange = late
        if party.party_id == left:
            party.channel.exchange, party.channel._outgoing = hasty, watched
        program(party, opened)

    ends = run(delayed, every_class=kind)
    assert seen == [not waits]
    assert [end.error is None for end in ends] == [waits] * 3
