"""Zero knowledge: what each verifier receives in a proof is uniform, whatever the secrets."""

import random

import numpy as np
import pytest

from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.primitives.comparison import less_than_zero
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.prss import KEY_BYTES
from mpc_tamper.engines.rep3.protocol.rounds import alone
from tests.support.active_runs import shared

pytestmark = pytest.mark.slow

RUNS = 205
PUBLIC = ("proof/closed", "proof/accept")  # what they hold is known beforehand
SIGMAS = 5.2  # of a binomial: about 400,000 positions are looked at, in which the drawn keys reach less
LENGTH = 40


def program(secret: np.ndarray):
    def run(party: Party) -> dict[tuple[int, str], np.ndarray]:
        log = party.channel.record_received()
        x, y = shared(party, 0, secret), shared(party, 1, secret[::-1].copy())
        z = passive.mul(party, x, y)
        alone(party, less_than_zero(party, z[:8], 5))
        matrix = x.reshape(5, 8)
        passive.trans_matmul(party, matrix, passive.matmul(party, matrix, z[:8].reshape(8, 1)))
        assert party.recorder is not None
        party.recorder.prove()
        received: dict[tuple[int, str], list[bytes]] = {}
        for sender, tag, payload in log:
            if tag.startswith("proof/") and tag not in PUBLIC:
                received.setdefault((sender, tag), []).append(payload)
        return {k: np.unpackbits(np.frombuffer(b"".join(v), np.uint8)) for k, v in received.items()}

    return run


@pytest.fixture(scope="module", params=["all zero", "all ones", "random"])
def counts(request: pytest.FixtureRequest) -> list[dict[tuple[int, str], np.ndarray]]:
    """Per party and message, how often each bit was 1 in RUNS runs on the same secrets."""
    secret = {
        "all zero": np.zeros(LENGTH, np.uint64),
        "all ones": np.full(LENGTH, 2**64 - 1, np.uint64),
        "random": np.random.default_rng(3).integers(0, 2**64, LENGTH, np.uint64),
    }[request.param]
    totals: list[dict[tuple[int, str], np.ndarray]] = [{}, {}, {}]
    source = random.Random(request.param)  # the same in every run of the tests
    for _ in range(RUNS):
        keys = [source.randbytes(KEY_BYTES) for _ in range(3)]
        ends = run_in_threads(program(secret), active=True, insecure_keys=keys)
        for total, received in zip(totals, ends, strict=True):
            for key, bits in received.items():
                total[key] = total.get(key, 0) + bits.astype(np.int64)
    return totals


def test_every_message_of_a_proof_is_uniform_bit_by_bit(counts):
    for party, total in enumerate(counts):
        for key, ones in total.items():
            sigmas = np.abs(ones - RUNS / 2) / np.sqrt(RUNS / 4)
            assert sigmas.max() < SIGMAS, (party, key, int(sigmas.argmax()), float(sigmas.max()))


def test_every_kind_of_message_was_looked_at(counts):
    for party, total in enumerate(counts):
        kinds = {((sender - party) % 3, tag) for sender, tag in total}
        assert (2, "proof/opening") in kinds  # as L, from R
        assert {(1, "proof/level.0"), (2, "proof/level.0")} <= kinds  # L gets values, R their hash
        assert {(1, "proof/challenge"), (2, "proof/challenge")} <= kinds  # as prover
