"""What a prover that binds itself to one thing at R and to another at L would hear, if the honest parties did not
compare all parts of a challenge before they use it: R's secret component, by the proof in which R is the prover, L is
its R, and the cheat is its L (docs/security.md, Binding).

Shares are set rather than dealt, so that all that the cheat holds is the same whatever the secret is.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.proof import transcript
from mpc_tamper.engines.rep3.protocol.proof.entries import Merging
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver
from mpc_tamper.engines.rep3.protocol.share import RepShare
from tests.support.active_runs import run

WORDS = 2  # so few that the sums over subsets are followed by one level, the masked one
corrupt = pytest.mark.parametrize("corrupt_party", range(3))


def program(corrupt_party: int, secret: int, party: Party, opened: list[np.ndarray]) -> None:
    """Squares. The component that the cheat lacks is the secret; of those it holds, one is 1 and the other 0."""
    of_party = {(corrupt_party + 1) % 3: secret, corrupt_party: 1, (corrupt_party - 1) % 3: 0}
    own, previous = (np.full(WORDS, of_party[i % 3], np.uint64) for i in (party.party_id, party.party_id - 1))
    passive.mul(party, RepShare(own, previous), RepShare(own, previous))
    party.recorder.prove()


def heard(corrupt_party: int, secret: int) -> bool | None:
    """Whether what the cheat hears as L of the next party's proof satisfies its check. None: it hears nothing.

    At level 0 it shows R another hash than L. It goes on with L's challenge, as L shows it U and a part of the claim,
    but its V has the weights of R's challenge, as R's messages have: <U, V> and the claim then differ by a combination
    of sums over subsets of products with the secret, of which the cheat knows the factors.
    """
    told: list[bytes] = []  # its own part of challenge 1, as L and as R have it
    shown: list[str] = []

    class Listening(IntegerProver):
        def fold(self, number: int, challenge: bytes) -> None:
            if number == 0:  # V by R's challenge, the claim by L's
                self._entries.merge(transcript.challenge([challenge, *told]))
            super().fold(number, challenge)
            if number == 0:
                self._entries._merging = Merging.of(challenge)

    def lying(party: Party) -> None:
        channel, exchange = party.channel, party.channel.exchange

        def two_faced(tag, send, receive):
            if tag == "proof/level.0":
                false = bytearray(send[channel.next])
                false[-1] ^= 1
                send = send | {channel.next: memoryview(bytes(false))}
            exchange(tag, send, receive)
            if tag.startswith("proof/level") or tag == "proof/opening":
                shown.append(tag)
            if tag == "proof/challenge" and shown:
                (of_r, rest), (_, of_l) = (transcript.halves(receive[p]) for p in (channel.next, channel.previous))
                told[2:] = [] if told else [of_l, of_r]
                receive[channel.next][:] = of_l + rest

        channel.exchange = two_faced

    ends = run(
        partial(program, corrupt_party, secret),
        corrupt_party=corrupt_party,
        deviate=lying,
        active_class=type("Cheating", (Active,), {"integer_prover": Listening}),
        insecure_fixed_seed=7,
    )
    assert all(ends[party].error is not None for party in range(3) if party != corrupt_party)
    if "proof/opening" not in shown:
        return None
    return f"party {corrupt_party} rejects the proof of party {(corrupt_party + 1) % 3}" not in str(
        ends[corrupt_party].error
    )


@corrupt
@pytest.mark.parametrize("secret", [0, 1])
def test_a_prover_with_two_faces_hears_nothing(corrupt_party, secret):
    assert heard(corrupt_party, secret) is None


@corrupt
def test_it_would_hear_whether_the_secret_is_zero_if_parts_were_not_compared(corrupt_party, monkeypatch):
    monkeypatch.setattr(transcript, "disputed", lambda parts: [])
    assert heard(corrupt_party, 0) is True
    assert heard(corrupt_party, 1) is False
