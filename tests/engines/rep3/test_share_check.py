"""The two holders of each component compare what they hold; three parties in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from mpc_tamper.core.errors import PartyError, ProtocolAbort
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.share import RepShare, zeros
from mpc_tamper.engines.rep3.protocol.share_check import check_agreement

COMPONENTS = np.random.default_rng(3).integers(0, 2**64, (3, 5), np.uint64)


def held_by(party_id: int) -> RepShare:
    return RepShare(COMPONENTS[party_id].copy(), COMPONENTS[party_id - 1].copy())


def questions(party: Party, share: RepShare, times: int = 1) -> list[tuple[int, str, bytes]]:
    """What the party receives while it checks its share so many times."""
    received = party.channel.record_received()
    for _ in range(times):
        check_agreement(party.channel, party.prss, share)
    return received


def test_equal_shares_agree_in_one_round_with_a_hash_to_each_peer() -> None:
    def program(party: Party) -> int:
        before = party.channel.rounds
        check_agreement(party.channel, party.prss, held_by(party.party_id))
        return party.channel.rounds - before

    assert run_in_threads(program) == (1, 1, 1)


@pytest.mark.parametrize("component", ["own", "previous"])
@pytest.mark.parametrize("editor", range(3))
def test_one_changed_bit_in_one_file_aborts(editor: int, component: str) -> None:
    def program(party: Party) -> None:
        share = held_by(party.party_id)
        if party.party_id == editor:
            getattr(share, component)[4] ^= np.uint64(1 << 63)
        check_agreement(party.channel, party.prss, share)

    with pytest.raises(ProtocolAbort, match="share agreement"):
        run_in_threads(program)


@pytest.mark.parametrize(
    "change",
    [
        lambda share: RepShare(share.previous, share.own),
        lambda share: RepShare(share.own[::-1], share.previous[::-1]),
        lambda share: RepShare(zeros((5,)), zeros((5,))),
        lambda share: share[:4],
    ],
    ids=["components exchanged", "order", "zero", "length"],
)
def test_a_foreign_file_aborts(change: Callable[[RepShare], RepShare]) -> None:
    def program(party: Party) -> None:
        share = held_by(party.party_id)
        check_agreement(party.channel, party.prss, change(share) if party.party_id == 2 else share)

    with pytest.raises(PartyError):
        run_in_threads(program)


def test_the_honest_party_notices_by_itself() -> None:
    """Whatever the corrupt party says it found: here it says nothing, having sent the hashes of an edited share."""

    def program(party: Party) -> str:
        share = held_by(party.party_id)
        if party.party_id == 1:
            share.own[0] += np.uint64(1)
        try:
            check_agreement(party.channel, party.prss, share)
        except ProtocolAbort as abort:
            return f"{abort.party}"
        return "agreed"

    # component 1 is held by parties 1 and 2; component 0, unchanged, by 0 and 1
    assert run_in_threads(program) == ("agreed", "2", "1")


def test_a_party_that_sends_the_received_hash_back_is_noticed() -> None:
    """The sender's number is in the hash."""

    def program(party: Party) -> bool:
        if party.party_id != 1:
            try:
                check_agreement(party.channel, party.prss, held_by(party.party_id))
            except ProtocolAbort:
                return False
            return True
        theirs = {peer: bytearray(32) for peer in (party.channel.next, party.channel.previous)}
        party.channel.exchange("share agreement", {}, {p: memoryview(b) for p, b in theirs.items()})
        party.channel.exchange("share agreement", {p: memoryview(bytes(b)) for p, b in theirs.items()}, {})
        return True

    assert run_in_threads(program) == (False, True, False)


def test_hashes_are_salted_anew_so_that_they_are_no_oracle() -> None:
    """The same small share, asked twice, in two runs: no hash occurs twice, and none is a hash of the values alone."""
    share = RepShare(np.zeros(1, np.uint64), np.zeros(1, np.uint64))
    hashes = []
    for _ in range(2):
        for received in run_in_threads(lambda party: questions(party, share, times=2)):
            hashes += [payload for _, tag, payload in received if tag == "share agreement"]
    assert len(hashes) == 24
    assert len(set(hashes)) == 24
    assert hashlib.sha256(bytes(8)).digest() not in hashes
