"""What L's verdict tells a corrupt R, and what V tells anybody without kappa_{i-1}: nothing, as V has a random row v_0.

Shares are set rather than dealt, so that all that R holds is the same whatever the secret is. Each test has a twin
without v_0, in which the secret shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.proof.bits import BitProver, BitVerifier
from mpc_tamper.engines.rep3.protocol.proof.integers import IntegerProver, IntegerVerifier
from mpc_tamper.engines.rep3.protocol.proof.record import Role
from mpc_tamper.engines.rep3.protocol.proof.transcript import HASH_BYTES
from mpc_tamper.engines.rep3.protocol.rounds import alone
from mpc_tamper.engines.rep3.protocol.share import RepShare
from tests.support.active_runs import run

WORDS = 40
FIRST = np.zeros(1, np.intp)  # of one plane
Gates = Callable[[Party, RepShare], object]
PROOFS = {
    "integers": (IntegerProver, IntegerVerifier, lambda party, x: passive.mul(party, x, x)),
    "bits": (
        BitProver,
        BitVerifier,
        lambda party, x: alone(party, passive.and_planes(party, x.reshape(1, WORDS), FIRST, FIRST, 64 * WORDS, "")),
    ),
}
proof = pytest.mark.parametrize("name", PROOFS)


def without_v_0(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The prover's row and L's are zero."""

    class Zeros:
        def draw(self, count: int) -> np.ndarray:
            return np.zeros(count, np.uint64)

    prover, verifier, _ = PROOFS[name]
    enter_prover, enter_verifier = prover.__init__, verifier.__init__

    def prover_without(self, statement, entries, pads, masks) -> None:
        enter_prover(self, statement, entries, pads, Zeros())

    def verifier_without(self, *arguments) -> None:
        *others, pads = arguments
        enter_verifier(self, *others, Zeros() if Role.LEFT in arguments else pads)

    monkeypatch.setattr(prover, "__init__", prover_without)
    monkeypatch.setattr(verifier, "__init__", verifier_without)


def program(gates: Gates, hidden: int, secret: int, party: Party, opened: list[np.ndarray]) -> None:
    """All shares of component `hidden` are the secret, all others 0."""
    components = [np.full(WORDS, secret if i == hidden else 0, np.uint64) for i in range(3)]
    gates(party, RepShare(components[party.party_id], components[party.party_id - 1]))
    party.recorder.prove()


# The verdict on a false U


def showing(changed: int, change: int, party: Party) -> None:
    """As R, the party flips bits of one byte of U."""
    exchange = party.channel.exchange

    def lying(tag, send, receive):
        if tag == "proof/opening":
            [(peer, payload)] = send.items()
            false = bytearray(payload)
            false[changed] ^= change
            send = {peer: memoryview(bytes(false))}
        exchange(tag, send, receive)

    party.channel.exchange = lying


def verdicts(name: str, secret: int, count: int) -> list[bool]:
    """Whether L accepts U + 2^127 e_0, or U + e_0 over bits. Keys and the shares of R are the same for each secret."""
    changed, change = (HASH_BYTES + 15, 0x80) if name == "integers" else (0, 1)
    accepted = []
    for seed in range(count):
        right = seed % 3
        prover, left = (right - 1) % 3, (right + 1) % 3
        ends = run(
            partial(program, PROOFS[name][2], (prover - 1) % 3, secret),
            corrupt_party=right,
            deviate=partial(showing, changed, change),
            insecure_fixed_seed=seed,
        )
        error = ends[left].error
        assert error is None or (isinstance(error, ProofRejected) and "inner product" in str(error))
        accepted.append(error is None)
    return accepted


RUNS = 18


def test_half_of_the_false_openings_modulo_2_to_128_are_accepted_whatever_the_secret():
    """2^127 e_0 is caught where element 0 of V is odd, a coin of v_0. The keys are fixed, and with them 18 tosses; of
    others, fewer than 2 or more than 16 would be heads once in 7000 times."""
    for secret in (0, 1):
        assert 2 <= sum(verdicts("integers", secret, RUNS)) <= RUNS - 2


def test_no_false_opening_over_bits_is_accepted_whatever_the_secret():
    for secret in (0, 2**64 - 1):
        assert not any(verdicts("bits", secret, RUNS // 3))


@proof
def test_the_verdict_would_tell_the_secret_without_v_0(name, monkeypatch):
    without_v_0(monkeypatch, name)
    assert all(verdicts(name, 0, RUNS // 3))
    # Over integers the element of V that counts is odd in fewer than half of the runs, by its weight and beta.
    assert not all(verdicts(name, 1 if name == "integers" else 2**64 - 1, RUNS))


# V itself


def ones_of_v(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, int]:
    """How often each bit of V is 1 where all shares are 0, and in how many openings."""
    seen: list[np.ndarray] = []
    verifier, accepts = PROOFS[name][1], PROOFS[name][1].accepts

    def watched(self, opening: bytes) -> bool:
        seen.append(np.unpackbits(self.vector.reshape(-1).view(np.uint8)))
        return accepts(self, opening)

    monkeypatch.setattr(verifier, "accepts", watched)
    for seed in range(RUNS):
        ends = run(partial(program, PROOFS[name][2], 0, 0), insecure_fixed_seed=seed)
        assert [end.error for end in ends] == [None] * 3
    return np.sum(seen, axis=0), len(seen)


@proof
def test_v_is_uniform_bit_by_bit(name, monkeypatch):
    ones, count = ones_of_v(name, monkeypatch)
    assert count == 3 * RUNS
    assert np.abs(ones - count / 2).max() < 6.3 * np.sqrt(count / 4)


@proof
def test_it_would_be_zero_without_v_0(name, monkeypatch):
    without_v_0(monkeypatch, name)
    ones, _ = ones_of_v(name, monkeypatch)
    assert not ones.any()
