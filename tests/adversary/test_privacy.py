"""What a party receives before an opening is uniform, whatever the secrets: every message is masked by a pad that the
receiver lacks. Late verification relies on it (Araki et al., CCS'16; ePrint 2026/234 shows what breaks without)."""

import numpy as np
import pytest

from orchestrator.engines.rep3.local_parties import run_in_threads
from orchestrator.engines.rep3.primitives.comparison import less_than_zero
from orchestrator.engines.rep3.primitives.shift import right_shift
from orchestrator.engines.rep3.protocol import passive
from orchestrator.engines.rep3.protocol.context import Party
from orchestrator.engines.rep3.protocol.inputs import share_input

RUNS = 400
SIGMAS = 6.0  # of a binomial: 2e-9 per position; about 60,000 positions are looked at


def messages(secret: np.ndarray) -> list[dict[tuple[int, str], np.ndarray]]:
    """Per party, the bits of all it receives in one run of every operation, by sender and tag in order."""

    def program(party: Party) -> dict[tuple[int, str], np.ndarray]:
        log = party.channel.record_received()
        x = share_input(party, 0, (64,), lambda count: secret[:count])
        y = share_input(party, 1, (64,), lambda count: secret[::-1][:count])
        bits = less_than_zero(party, passive.mul(party, x, y), 64)
        matrix = x.reshape(8, 8)
        product = passive.matmul(party, matrix, bits.reshape(8, 8)[:, :1].copy())
        back = passive.trans_matmul(party, matrix, product)
        right_shift(party, back.reshape(-1), 13)
        received: dict[tuple[int, str], list[bytes]] = {}
        for sender, tag, payload in log:
            received.setdefault((sender, tag), []).append(payload)
        return {k: np.unpackbits(np.frombuffer(b"".join(v), np.uint8)) for k, v in received.items()}

    return list(run_in_threads(program))


@pytest.fixture(scope="module", params=["all zero", "all ones", "random"])
def counts(request: pytest.FixtureRequest) -> list[dict[tuple[int, str], np.ndarray]]:
    """Per party and message, how often each bit was 1 in RUNS runs on the same secrets."""
    secret = {
        "all zero": np.zeros(64, np.uint64),
        "all ones": np.full(64, 2**64 - 1, np.uint64),
        "random": np.random.default_rng(3).integers(0, 2**64, 64, np.uint64),
    }[request.param]
    totals: list[dict[tuple[int, str], np.ndarray]] = [{}, {}, {}]
    for _ in range(RUNS):
        for total, received in zip(totals, messages(secret), strict=True):
            for key, bits in received.items():
                total[key] = total.get(key, 0) + bits.astype(np.int64)
    return totals


def test_every_message_is_uniform_bit_by_bit(counts):
    for party, total in enumerate(counts):
        for key, ones in total.items():
            sigmas = np.abs(ones - RUNS / 2) / np.sqrt(RUNS / 4)
            assert sigmas.max() < SIGMAS, (party, key, int(sigmas.argmax()), float(sigmas.max()))


def test_every_kind_of_message_was_looked_at(counts):
    tags = {tag for _, tag in counts[0]}
    assert {"mul", "matmul", "trans_matmul", "csa", "generate", "prefix.0", "b2a.beta", "b2a.z"} <= tags
    assert any(tag == "input" for total in counts for _, tag in total)
    assert all(sender == (party - 1) % 3 for party, total in enumerate(counts) for sender, _ in total)


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
