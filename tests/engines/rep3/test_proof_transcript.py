"""What challenges depend on."""

import itertools

import pytest

from mpc_tamper.engines.rep3.protocol.proof.transcript import (
    CLOSED_BYTES,
    PART_BYTES,
    bind,
    challenge,
    challenge_part,
    disputed,
    pack_closed,
)

HASHES = [bytes([i]) * 32 for i in range(1, 5)]
PLACE = {"key": b"k" * 32, "session": b"a session", "prover": 1, "batch": 7}


def test_equal_transcripts_give_equal_challenges():
    assert challenge_part(**PLACE, hashes=HASHES) == challenge_part(**PLACE, hashes=list(HASHES))


@pytest.mark.parametrize(
    "change",
    [{"key": b"k" * 31 + b"l"}, {"session": b"a sessioo"}, {"prover": 2}, {"batch": 8}, {"batch": 7 + 2**16}],
    ids=lambda change: "-".join(change),
)
def test_a_challenge_depends_on_its_place(change):
    for level in range(len(HASHES) + 1):
        hashes = HASHES[:level]
        assert challenge_part(**PLACE, hashes=hashes) != challenge_part(**PLACE | change, hashes=hashes)


@pytest.mark.parametrize("level", range(1, 1 + len(HASHES)))
def test_a_challenge_depends_on_each_hash_so_far(level):
    """On h_1 .. h_l, by each one's first and last byte, and by their order."""
    hashes = HASHES[:level]
    found = {challenge_part(**PLACE, hashes=hashes)}
    for i, each in enumerate(hashes):
        for changed in (bytes([each[0] ^ 1]) + each[1:], each[:-1] + bytes([each[-1] ^ 1])):
            found.add(challenge_part(**PLACE, hashes=[*hashes[:i], changed, *hashes[i + 1 :]]))
    found.add(challenge_part(**PLACE, hashes=hashes[::-1]))
    assert len(found) == 1 + 2 * len(hashes) + (level > 1)


def test_levels_have_different_challenges():
    levels = range(len(HASHES) + 1)
    assert len({challenge_part(**PLACE, hashes=HASHES[:level]) for level in levels}) == len(levels)


def test_a_levels_number_counts_by_itself():
    """Not by the length of what is hashed alone: two hashes are not one of twice the length."""
    joined = HASHES[0] + HASHES[1]
    assert challenge_part(**PLACE, hashes=[joined]) != challenge_part(**PLACE, hashes=HASHES[:2])


def test_a_challenge_is_the_xor_of_its_parts():
    """Whichever part is the one that a party lacks, each of its bits decides one of the challenge."""
    parts = [bytes([i]) * PART_BYTES for i in (3, 5, 9)]
    assert {challenge(order) for order in itertools.permutations(parts)} == {bytes([15]) * PART_BYTES}
    for place in range(3):
        others = [*parts[:place], bytes(PART_BYTES), *parts[place + 1 :]]
        assert challenge(others) == bytes([15 ^ parts[place][0]]) * PART_BYTES


def test_a_part_is_disputed_if_any_of_its_bytes_is():
    said = {prover: (bytes([prover]) * PART_BYTES,) * 2 for prover in range(3)}
    assert disputed(said) == []
    for prover, (part, _) in said.items():
        for byte in range(PART_BYTES):
            other = part[:byte] + bytes([part[byte] ^ 0x80]) + part[byte + 1 :]
            assert disputed(said | {prover: (part, other)}) == disputed(said | {prover: (other, part)}) == [prover]
    assert disputed({prover: (part, bytes(PART_BYTES - 1)) for prover, (part, _) in said.items()}) == [0, 1, 2]


def test_a_hash_depends_on_salt_and_message():
    assert len({bind(b"s" * 16, b"message"), bind(b"t" * 16, b"message"), bind(b"s" * 16, b"massage")}) == 3


def test_the_word_of_a_receiver_names_prover_and_batch():
    words = {pack_closed(prover, batch) for prover in range(3) for batch in (0, 1, 1 << 16, 1 << 32, 2**64 - 1)}
    assert len(words) == 15
    assert {len(word) for word in words} == {CLOSED_BYTES}
