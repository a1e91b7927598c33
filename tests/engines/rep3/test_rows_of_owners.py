"""Matrices with rows of several owners: what is known to be zero is so, is not read, and changes no message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.engines.inputs import OwnerInput
from mpc_tamper.engines.mapped import Storage, mapping_of
from mpc_tamper.engines.rep3.in_process import run_in_threads
from mpc_tamper.engines.rep3.machine import Rep3Machine
from mpc_tamper.engines.rep3.protocol import opening, passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.share import InputWords, RepShare, public, zeros
from mpc_tamper.runs.spec import InputFiles
from tests.support.active_runs import shared

KEYS = [bytes([i]) * 32 for i in range(3)]
PRODUCTS = [passive.matmul, passive.trans_matmul, passive.dot, passive.mul]
SIZE = 40
POISON = np.uint64(0xDEAD)


def nothing(size: int) -> RepShare:
    return RepShare(np.zeros(size, np.uint64), np.zeros(size, np.uint64))


def an_input(owner: int, size: int, plain: np.ndarray | None = None) -> RepShare:
    return RepShare(zeros((size,)), zeros((size,)), owner, plain)


@st.composite
def writes(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    """What is written, where, and whose it is or where it comes from."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, SIZE - 1))
        stop = draw(st.integers(start, SIZE))
        kind = draw(st.sampled_from(["input", "input", "plain", "other", "moved", "every second"]))
        found.append((kind, start, stop, draw(st.integers(0, 2))))
    return found


@pytest.mark.parametrize("kept", [False, True], ids=["no memory for it", "half written"])
def test_nothing_is_known_of_words_whose_copy_could_not_be_kept(kept, monkeypatch):
    """A program may catch the error, and go on: they would be left out as the party's own."""
    x = nothing(SIZE)
    if kept:
        x[:10] = an_input(1, 10, np.full(10, 3, np.int16))
        failing = an_input(0, 9, np.full(8, 5, np.int16))  # which does not fit
    else:

        def refuse(*_: object, **__: object) -> np.ndarray:
            raise MemoryError

        monkeypatch.setattr(Storage, "zeros", refuse)
        failing = an_input(0, 9, np.full(9, 5, np.int16))
    with pytest.raises(ValueError if kept else MemoryError):
        x[5:14] = failing
    assert [x.words_of(owner) for owner in range(3)] == [[], [], []]


@settings(max_examples=300)
@given(writes(), st.integers(0, SIZE), st.integers(0, SIZE))
def test_it_is_known_which_words_are_inputs(steps, start, stop):
    x, owners, plain = nothing(SIZE), np.full(SIZE, -1), np.full(SIZE, -1)
    exact = True  # whether all that is true is known, too
    for number, (kind, first, last, owner) in enumerate(steps):
        part = slice(first, last)
        if kind in ("input", "plain"):
            known = np.full(last - first, number, np.int16) if kind == "plain" else None
            x[part] = an_input(owner, last - first, known)
            owners[part], plain[part] = owner, -1 if known is None else number
        elif kind == "other":
            x[part] = nothing(last - first)
            owners[part] = plain[part] = -1
        elif kind == "moved":
            kept = owners[: last - first].copy(), plain[: last - first].copy()
            moved = nothing(SIZE)
            moved[:] = x
            x[part] = moved[: last - first]
            owners[part], plain[part] = kept
        else:
            x[first:last:2] = nothing(len(range(first, last, 2)))
            owners[first:last:2] = plain[first:last:2] = -1
            exact = exact and first >= last
    exact = exact and all(first < last for _, first, last, _ in steps)
    whole, some = slice(None), slice(start, stop)
    for part, of in ((x, whole), (x[some], some), (x.reshape(4, -1), whole)):
        for owner in range(3):
            for only_plain in (False, True):
                found = np.zeros(owners[of].size, np.bool_)
                for words in part.words_of(owner, plain=only_plain):
                    found[words] = True
                true = (owners[of] == owner) & (plain[of] >= 0 if only_plain else True)
                assert not (found & ~true).any()
                if exact:
                    assert np.array_equal(found, true)
                if only_plain and found.any():
                    assert np.array_equal(part.plain.reshape(-1)[found], plain[of][found])


def test_inputs_that_come_in_parts_are_one():
    x = nothing(9)
    for start in (0, 3, 6):
        x[start : start + 3] = an_input(2, 3)
    assert x.inputs == (InputWords(0, 9, 2),)
    others = [x[::2], x.copy(), x + x, x - x, x ^ x, x.scale(np.uint64(2)), x.reshape(3, 3)[1:]]
    assert [(each.inputs, each.plain) for each in others] == [((), None)] * len(others)


@pytest.mark.parametrize("component", ["own", "previous"])
def test_what_is_written_stands_there(component):
    """A zero that has no memory over what is not zero, and a number that has none over zeros."""
    x, ones = nothing(9), np.broadcast_to(np.uint64(1), (3,))
    part = getattr(x, component)
    x[3:6] = RepShare(ones, ones)
    assert part.tolist() == [0] * 3 + [1] * 3 + [0] * 3
    x[4:7] = an_input(0, 3)
    assert part.tolist() == [0] * 3 + [1] + [0] * 5


def test_zeros_that_have_no_memory_are_not_written_over_zeros():
    class Watched(np.ndarray):
        writes = 0

        def __setitem__(self, key: object, value: object) -> None:
            self.writes += 1
            super().__setitem__(key, value)

    own, previous = (np.zeros(9, np.uint64).view(Watched) for _ in range(2))
    x = RepShare(own, previous)
    x[2:5] = an_input(0, 3)
    assert (own.writes, previous.writes) == (0, 0)
    x[2:5] = RepShare(zeros((3,)), np.zeros(3, np.uint64))
    assert (own.writes, previous.writes) == (0, 1)
    previous[4] = 1
    x[2:5] = an_input(0, 3)
    assert (own.writes, previous.writes, previous.any()) == (0, 3, False)


def test_a_write_that_is_refused_leaves_nothing_known():
    x = nothing(9)
    x[:] = an_input(2, 9)
    with pytest.raises(ValueError, match="broadcast"):
        x[:3] = an_input(1, 4)
    assert x.inputs == ()
    x.own.flags.writeable = x.previous.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        x[:3] = an_input(1, 3)


def rows_of_owners(party: Party, x: np.ndarray, owners: list[int | None]) -> RepShare:
    """x (rows, columns), equally many rows of each owner, or of nobody: shared by what it was before."""
    storage, width = party.storage, x.size // len(owners)
    joined = RepShare(storage.zeros((x.size,)), storage.zeros((x.size,)))
    for number, owner in enumerate(owners):
        part = slice(number * width, (number + 1) * width)
        words = x.reshape(-1)[part]
        joined[part] = shared(party, 0 if owner is None else owner, words)
        if owner is None:
            joined[part] = joined[part].copy()
    return joined.reshape(*x.shape)


def factors(product: Callable[..., RepShare], small: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, and what comes out."""
    rng = np.random.default_rng(7)
    x = rng.integers(-(2**15), 2**15, (12, 5)).view(np.uint64) if small else rng.integers(0, 2**64, (12, 5), np.uint64)
    shape = {passive.matmul: (5, 3), passive.trans_matmul: (12, 2)}.get(product, (12, 5))
    y = rng.integers(0, 2**64, shape, np.uint64)
    if product is passive.matmul:
        return x, y, x @ y
    if product is passive.trans_matmul:
        return x, y, x.T @ y
    return x, y, (x * y).sum(axis=1, dtype=np.uint64) if product is passive.dot else x * y


def multiplied(
    product: Callable[..., RepShare],
    owners: list[int | None],
    before: Callable[[RepShare], None] = lambda left: None,
    active: bool = False,
    storage: Storage | None = None,
    small: bool = False,
) -> list[tuple[np.ndarray, list[tuple[int, str, bytes]]]]:
    """What each party opens, and what it received of the product."""
    x, y, _ = factors(product, small)

    def program(party: Party) -> tuple[np.ndarray, list[tuple[int, str, bytes]]]:
        left = rows_of_owners(party, x, owners)
        right = passive.reshare(party, party.prss.zero_share(y.shape), "mask") + public(y, party.party_id)
        before(left)
        received = party.channel.record_received()
        found = product(party, left, right)
        of_product = list(received)
        return opening.open_to_all(party, found), of_product

    return list(run_in_threads(program, insecure_keys=KEYS, active=active, storage=storage))


@pytest.fixture(autouse=True)
def few_words_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passive, "_WORTH", 1)


def forget(left: RepShare) -> None:
    left.inputs = ()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("owners", [[0, 1, 2], [2, None, 0, 0], [1, 1], [None, 0, 2, 1, None, 1]])
def test_products_and_their_messages_are_what_they_always_are(product, active, small, owners):
    want = factors(product, small)[2]
    known, unknown = (
        multiplied(product, owners, before, active, small=small) for before in (lambda left: None, forget)
    )
    for (value, messages), (_, others) in zip(known, unknown, strict=True):
        assert np.array_equal(value, want)
        assert messages == others
        assert messages


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("small", [False, True])
def test_what_is_left_out_is_not_read(product, small):
    """Whatever stands there has no effect: where a component is zero, and x_{i-1} in rows that party i knows."""
    x, y, want = factors(product, small)

    def program(party: Party) -> tuple[np.ndarray, int]:
        left, poisoned = rows_of_owners(party, x, [0, 1, 2]), 0
        me = party.party_id
        places = [(left.own, words) for words in left.words_of(me - 1)]
        places += [(left.previous, words) for words in left.words_of(me + 1)]
        for part, words in places:
            assert not part.reshape(-1)[words].any()
        places += [(left.previous, words) for words in left.words_of(me, plain=True)]
        for part, words in places:
            part.reshape(-1)[words] = POISON
            poisoned += words.stop - words.start
        right = passive.reshare(party, party.prss.zero_share(y.shape), "mask") + public(y, me)
        return opening.open_to_all(party, product(party, left, right)), poisoned

    for value, poisoned in run_in_threads(program):
        assert np.array_equal(value, want)
        assert poisoned == (2 + small) * x.size // 3


def test_few_words_are_not_worth_a_call_of_their_own(monkeypatch):
    x = nothing(60).reshape(12, 5)
    words = [slice(0, 20), slice(23, 44), slice(44, 52)]
    assert passive._whole_rows(x, words) == [slice(0, 4), slice(5, 8), slice(9, 10)]
    monkeypatch.setattr(passive, "_WORTH", 16)
    assert passive._whole_rows(x, words) == [slice(0, 4)]
    assert passive._others(12, [slice(5, 8), slice(0, 4)]) == [slice(4, 5), slice(8, 12)]
    assert passive._others(12, [slice(0, 12)]) == []
    assert passive._others(12, []) == [slice(0, 12)]


@pytest.mark.parametrize("product", [passive.matmul, passive.trans_matmul])
@pytest.mark.parametrize("active", [False, True])
def test_rows_in_files(product, active, tmp_path, monkeypatch):
    monkeypatch.setattr("mpc_tamper.engines.mapped.SMALL_BYTES", 1)
    monkeypatch.setattr("mpc_tamper.engines.mapped.BLOCK_BYTES", 2 * 5 * 8)
    mapped = []

    def look(left: RepShare) -> None:
        mapped.append((mapping_of(left.own) is not None, left.plain is None, len(left.inputs)))

    found = multiplied(product, [2, 0, 1], look, active, storage=Storage(tmp_path, 0), small=True)
    assert all(np.array_equal(value, factors(product, small=True)[2]) for value, _ in found)
    assert mapped == [(True, True, 3)] * 3


@pytest.mark.parametrize("active", [False, True])
def test_rows_in_files_that_are_turned_round(active, tmp_path, monkeypatch):
    """A matrix may be a view of an input that is not row by row."""
    monkeypatch.setattr("mpc_tamper.engines.mapped.SMALL_BYTES", 1)
    monkeypatch.setattr("mpc_tamper.engines.mapped.BLOCK_BYTES", 2 * 5 * 8)
    x, y, _ = factors(passive.matmul)

    def program(party: Party) -> list[np.ndarray]:
        left = shared(party, 1, x.reshape(-1))[::-1].reshape(*x.shape)
        right = passive.reshare(party, party.prss.zero_share(y.shape), "mask") + public(y, party.party_id)
        found = [passive.matmul(party, left, right), passive.trans_matmul(party, left, left)]
        found.append(passive.matmul(party, left[:7, :3], right[:3]))
        return [opening.open_to_all(party, each) for each in found]

    turned = x.reshape(-1)[::-1].reshape(x.shape)
    for found in run_in_threads(program, active=active, storage=Storage(tmp_path, 0)):
        assert np.array_equal(found[0], turned @ y)
        assert np.array_equal(found[1], turned.T @ turned)
        assert np.array_equal(found[2], turned[:7, :3] @ y[:3])


PROGRAM = """
x = sint.Matrix(6, 4)
for owner in (0, 1, 2):
    x.get_part(2 * owner, 2).input_from(owner, binary=True)
w = sint.Matrix(4, 1)
w.assign_vector(sint(cint([1, 2, 3, 4])))


def once():
    print_ln('%s', x.direct_mul(w).reveal())
    print_ln('%s', x.get_part(1, 4).direct_trans_mul(x.get_part(1, 4)).get_vector(0, 4).reveal())


once()
x.assign_part_vector(2 * x.get_part_vector(2, 1), 2)
once()
"""


@pytest.mark.parametrize("active", [False, True])
def test_a_program_that_writes_to_its_rows(active, tmp_path, monkeypatch):
    """What is known follows what the program does, also where an active run has lent the matrix to its record."""
    path = tmp_path / "rows.mpc"
    path.write_text(PROGRAM)
    program = load_program(path)
    rows = np.arange(1, 25, dtype=np.int64).reshape(6, 4) ** 3 * np.array([1, -1, 1, -1])
    seen: list[list[tuple[int, int, int]]] = []
    matmul = passive.matmul

    def spy(party: Party, x: RepShare, y: RepShare) -> RepShare:
        seen.append([(each.start, each.stop, each.owner) for each in x.inputs])
        assert all(each.plain == (each.owner == party.party_id) for each in x.inputs)
        return matmul(party, x, y)

    monkeypatch.setattr(passive, "matmul", spy)

    def run(party: Party) -> list[str]:
        file = tmp_path / f"input-{party.party_id}"
        rows[2 * party.party_id : 2 * party.party_id + 2].astype("<i8").tofile(file)
        printed: list[str] = []
        inputs = OwnerInput(party.party_id, InputFiles(binary=file))
        run_program(program, (), Rep3Machine(party, inputs, Path(tmp_path), printed.append))
        return printed

    want = []
    for factor in (1, 2):
        changed = rows.copy()
        changed[2] *= factor
        want += [changed @ [1, 2, 3, 4], (changed[1:5].T @ changed[1:5])[0]]
    for printed in run_in_threads(run, active=active):
        lines = "".join(printed).splitlines()
        assert [[int(word) for word in line.strip("[]").split(", ")] for line in lines] == [list(each) for each in want]
    whole = [(8 * owner, 8 * owner + 8, owner) for owner in range(3)]
    assert seen[:3] == [whole] * 3
    assert seen[3:] == [[whole[0], (12, 16, 1), whole[2]]] * 3
