"""Provers that tell their two verifiers different things, and verifiers that show false hashes: L compares them."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from tests.support.active_runs import End, run, shared

corrupt = pytest.mark.parametrize("corrupt_party", range(3))


def hidden_from_comparison(party: Party, changed: dict[tuple[str, int], int]) -> None:
    """The party flips a byte, counted from the end, of its messages named (tag, receiver), and goes on whatever
    challenges it gets: with those of the next party, its R."""
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


def assert_binding_fails(ends: list[End], judge: int, prover: int) -> None:
    assert f"check 'binding' of batch 0 failed: party {judge} rejects the proof of party {prover}" in str(
        ends[judge].error
    )
    assert all(end.opened == [] for end in ends)


@corrupt
@pytest.mark.parametrize("tag", ["proof/bind", "proof/level.0", "proof/level.1", "proof/level.2"])
def test_a_prover_that_shows_its_verifiers_different_hashes(corrupt_party, tag):
    """A false h_0 to L, or a false h_l to R: the challenges differ, which this prover does not mind."""
    right, left = (corrupt_party + 1) % 3, (corrupt_party - 1) % 3
    message = tag, left if tag == "proof/bind" else right
    ends = run(
        long_products, corrupt_party=corrupt_party, deviate=lambda party: hidden_from_comparison(party, {message: -1})
    )
    assert_binding_fails(ends, judge=left, prover=corrupt_party)


@corrupt
@pytest.mark.parametrize("number", range(4))
def test_false_hashes_shown_by_r(corrupt_party, number):
    """h_0 .. h_3 end what R shows L. An honest prover is rejected: that one of the two cheats is all that L knows."""
    prover, left = (corrupt_party - 1) % 3, (corrupt_party + 1) % 3
    changed = {("proof/opening", left): -1 - 32 * number}
    ends = run(long_products, corrupt_party=corrupt_party, deviate=lambda party: hidden_from_comparison(party, changed))
    assert_binding_fails(ends, judge=left, prover=prover)
