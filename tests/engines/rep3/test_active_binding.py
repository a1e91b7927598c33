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
    """The party flips a byte, an index, of its messages named (tag, receiver), and goes on whatever the others say of
    challenges: as if both had said what it computes itself, and the next party, its R, of its own."""
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
            right, left = transcript.halves(bytes(send[channel.next]))
            of_mine, _ = transcript.halves(receive[channel.next])
            receive[channel.next][:] = of_mine + right
            receive[channel.previous][:] = left + of_mine

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


class Watched(Active):
    """Remembers what is sent of the proofs, by party and tag."""

    sent: list[tuple[int, str]]

    def __init__(self, channel: Channel, prss: Prss, session: bytes) -> None:
        super().__init__(channel, prss, session)
        outgoing = channel._outgoing

        def watched(peer, tag, payload):
            self.sent.append((channel.party_id, tag))
            return outgoing(peer, tag, payload)

        channel._outgoing = watched


def two_faced(corrupt_party: int, number: int) -> tuple[list[End], set[str]]:
    """A prover that binds itself to one thing at R and to another at L, at a level: the ends, and what the honest
    parties send."""
    changed = {(f"proof/level.{number}", (corrupt_party + 1) % 3): -1}
    sent: list[tuple[int, str]] = []
    ends = run(
        long_products,
        corrupt_party=corrupt_party,
        deviate=lambda party: hidden_from_comparison(party, changed),
        every_class=type("Watching", (Watched,), {"sent": sent}),
    )
    return ends, {tag for party, tag in sent if party != corrupt_party and tag.startswith("proof/")}


levels = pytest.mark.parametrize("number", range(3))


@corrupt
@levels
def test_a_prover_that_shows_its_verifiers_different_hashes(corrupt_party, number):
    """R and L find that its part of the challenge differs, and use none: nobody folds anything by it."""
    ends, sent = two_faced(corrupt_party, number)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert all(end.opened == [] for end in ends)
    assert any(f"the two verifiers of party {corrupt_party} have different" in str(end.error) for end in honest)
    assert sent == {"proof/closed", "proof/challenge", *(f"proof/level.{level}" for level in range(number + 1))}


@corrupt
@levels
def test_they_would_go_on_at_different_places_if_they_did_not_compare(corrupt_party, number, monkeypatch):
    """And L would show, as R of the next party's proof, a vector folded at another place than that at which the next
    party proved: what that tells the cheat, its L, is in test_disputed_challenges.py."""
    monkeypatch.setattr(transcript, "disputed", lambda parts: [])
    ends, sent = two_faced(corrupt_party, number)
    assert "proof/opening" in sent
    assert any(ends[party].error is not None for party in range(3) if party != corrupt_party)


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
