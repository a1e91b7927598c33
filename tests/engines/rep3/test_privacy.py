"""What a party receives before an opening is uniform to it, whatever the secrets: every message is masked by a pad that
its receiver lacks. Late verification relies on it (Araki et al., CCS'16; ePrint 2026/234 shows what breaks without).

For each receiver and each purpose of pads, one stream alone is fresh in each run: that of the key that the receiver
lacks. All else is fixed, secrets and shares included. A message that this stream does not mask would be constant.
"""

import random

import numpy as np
import pytest

from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.primitives.shift import right_shift
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.inputs import share_input
from mpc_tamper.engines.rep3.protocol.prss import KEY_BYTES, Purpose, Stream
from mpc_tamper.engines.rep3.protocol.rounds import alone
from tests.support.shifts import shifted

RUNS = 140
SIGMAS = 5.0  # of a binomial: about 100,000 positions are looked at, in which the drawn keys reach less
MASKED_BY = {
    Purpose.INPUT: {"input"},
    Purpose.ZERO: {"mul", "dot", "matmul", "trans_matmul"},
    Purpose.ZERO_BITS: {"csa", "generate", *(f"prefix.{level}" for level in range(5))},
    Purpose.B2A: {"b2a.beta", "b2a.z"},
}
FIXED_KEYS = [bytes([i]) * KEY_BYTES for i in range(3)]

Bits = dict[tuple[int, str], np.ndarray]


def received(secret: np.ndarray, receiver: int, purpose: Purpose, fresh_key: bytes) -> Bits:
    """The bits of all that the receiver gets in one run of every operation, by sender and tag in order."""

    def program(party: Party) -> Bits:
        if party.party_id == (receiver + 1) % 3:
            party.prss.own[purpose] = Stream(fresh_key, purpose)
        elif party.party_id == (receiver + 2) % 3:
            party.prss.previous[purpose] = Stream(fresh_key, purpose)
        log = party.channel.record_received()
        x, y, z = (share_input(party, owner, (64,), lambda count: secret[:count]) for owner in range(3))
        bits = alone(party, less_than_zero(party, passive.mul(party, x, y), 64))
        alone(party, less_than_zero(party, shifted(party, y, (0, 2**62)), 64))
        matrix, other = x.reshape(8, 8), z.reshape(8, 8)
        product = passive.matmul(party, matrix, bits.reshape(8, 8)[:, :1].copy())
        back = passive.trans_matmul(party, other, product)
        passive.dot(party, matrix + other, other)
        alone(party, right_shift(party, back.reshape(-1), 13))
        found: dict[tuple[int, str], list[bytes]] = {}
        for sender, tag, payload in log:
            found.setdefault((sender, tag), []).append(payload)
        return {k: np.unpackbits(np.frombuffer(b"".join(v), np.uint8)) for k, v in found.items()}

    return run_in_threads(program, insecure_keys=FIXED_KEYS)[receiver]


@pytest.mark.slow
@pytest.mark.parametrize("receiver", range(3))
@pytest.mark.parametrize("purpose", list(MASKED_BY), ids=lambda purpose: purpose.name)
def test_every_message_is_uniform_to_its_receiver(receiver, purpose):
    secret = np.random.default_rng(3).integers(0, 2**64, 64, np.uint64)
    secret[:8] = 0
    keys = random.Random(f"{receiver} {purpose.name}")  # the same in every run of the tests
    ones: Bits = {}
    for _ in range(RUNS):
        for key, bits in received(secret, receiver, purpose, keys.randbytes(KEY_BYTES)).items():
            ones[key] = ones.get(key, 0) + bits.astype(np.int64)
    assert {tag for _, tag in ones} == set().union(*MASKED_BY.values())
    assert {sender for sender, _ in ones} == {(receiver - 1) % 3}
    for (_, tag), counts in ones.items():
        if tag in MASKED_BY[purpose]:
            sigmas = np.abs(counts - RUNS / 2) / np.sqrt(RUNS / 4)
            assert sigmas.max() < SIGMAS, tag


@pytest.mark.parametrize("receiver", range(3))
def test_nothing_but_the_fresh_stream_is_random(receiver):
    """So that a message which looks uniform above owes it to that stream."""
    secret = np.arange(64, dtype=np.uint64)
    first, second = (received(secret, receiver, Purpose.ZERO, bytes(KEY_BYTES)) for _ in range(2))
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_pads_never_repeat():
    """Two products of the same shares are masked apart: their messages differ in about half of the bits."""

    def program(party: Party) -> list[bytes]:
        log = party.channel.record_received()
        x = share_input(party, 0, (512,), lambda count: np.zeros(count, np.uint64))
        passive.mul(party, x, x)
        passive.mul(party, x, x)
        return [payload for _, tag, payload in log if tag == "mul"]

    for first, second in run_in_threads(program):
        difference = np.unpackbits(np.frombuffer(first, np.uint8) ^ np.frombuffer(second, np.uint8))
        assert abs(difference.mean() - 0.5) < 0.03


def test_keys_are_fresh_in_each_run_and_known_to_two_parties():
    def pads(party: Party) -> tuple[bytes, bytes]:
        own, previous = (each[Purpose.ZERO].draw(4).tobytes() for each in (party.prss.own, party.prss.previous))
        return own, previous

    runs = [run_in_threads(pads) for _ in range(2)]
    for run in runs:
        assert all(run[i][0] == run[(i + 1) % 3][1] for i in range(3))
    assert len({pad for run in runs for party in run for pad in party}) == 6
