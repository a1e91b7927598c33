"""R hears a hash of what L receives, of which it knows the pads: without a salt that it lacks it could try every secret
that it thinks possible. Here it knows that all shares are 0, and with them the message."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mpc_tamper.engines.rep3.kernels import SUBSETS, ring_128
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.proof import bilinear
from mpc_tamper.engines.rep3.protocol.proof.transcript import SALT_WORDS
from mpc_tamper.engines.rep3.protocol.prss import KEY_BYTES, Purpose, Stream
from mpc_tamper.engines.rep3.protocol.share import RepShare
from tests.support.active_runs import run

SEED = 7


def kappa(party: int) -> bytes:
    return (3 * SEED + party % 3).to_bytes(KEY_BYTES, "little")  # as agree_on_keys has it


def zeros(party: Party, opened: list[np.ndarray]) -> None:
    x = RepShare(np.zeros(2, np.uint64), np.zeros(2, np.uint64))
    passive.mul(party, x, x)
    party.recorder.prove()


@pytest.mark.parametrize("prover", range(3))
def test_r_cannot_compute_the_hash_of_a_message_that_it_knows(prover):
    heard: list[bytes] = []

    def deviate(party: Party) -> None:
        exchange = party.channel.exchange

        def listening(tag, send, receive):
            exchange(tag, send, receive)
            if tag == "proof/level.0":
                heard.append(bytes(receive[prover]))

        party.channel.exchange = listening

    ends = run(zeros, corrupt_party=(prover + 1) % 3, deviate=deviate, insecure_fixed_seed=SEED)
    assert [end.error for end in ends] == [None] * 3
    pads = bilinear.draw(Stream(kappa(prover), Purpose.PROOF_RIGHT), SUBSETS)
    message = ring_128.differences(np.zeros_like(pads), pads).astype("<u8").tobytes()

    def hashes(*parties: int) -> set[bytes]:
        """With what each purpose of these parties' keys begins with as the salt."""
        salts = {Stream(kappa(party), purpose).draw(SALT_WORDS).tobytes() for party in parties for purpose in Purpose}
        return {hashlib.sha256(salt + message).digest() for salt in salts | {b"", bytes(8 * SALT_WORDS)}}

    assert heard[0] in hashes(prover - 1)  # the message is this one, and the salt from a key that R lacks
    assert heard[0] not in hashes(prover, prover + 1)
