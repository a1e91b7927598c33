"""A prover that learns the subsets of matrix products in one batch and cheats in the next."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import matrices
from mpc_tamper.engines.rep3.protocol.prss import Stream
from tests.support.active_runs import End, kernel, run, shared, without_binding

corrupt = pytest.mark.parametrize("corrupt_party", range(3))


OUTER, MANY, FEW = 70, 66, 10  # rows of Z; columns, of which subsets are drawn or each is one by itself


def later_errors(
    corrupt_party: int, monkeypatch: pytest.MonkeyPatch, *, of_a: bool, transposed: bool, vectors: int
) -> tuple[list[End], np.ndarray]:
    """The corrupt prover learns a and b in batch 0, and adds E to the product of batch 1 with a^T E = 0 or E b = 0."""
    thread = threading.local()
    learnt: dict[int, np.ndarray] = {}
    product = passive.trans_matmul if transposed else passive.matmul
    draw = matrices.draw_subsets

    def watched(stream: Stream, outer: int, vectors: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = draw(stream, outer, vectors)
        if getattr(thread, "corrupt", False):
            for members in drawn:
                learnt.setdefault(len(members), members)
        return drawn

    monkeypatch.setattr(matrices, "draw_subsets", watched)

    class Learning(Active):
        def prove(self) -> None:
            thread.corrupt = True
            super().prove()

    def program(party: Party, opened: list[np.ndarray]) -> None:
        shape = (3, OUTER) if transposed else (OUTER, 3)
        x = shared(party, 0, np.arange(3 * OUTER, dtype=np.uint64)).reshape(*shape)
        y = shared(party, 1, np.arange(3 * vectors, dtype=np.uint64)).reshape(3, vectors)
        opened.append(open_to_all(party, product(party, x, y)))
        if party.party_id == corrupt_party:
            party.add_errors = add_errors
        opened.append(open_to_all(party, product(party, x, y)))

    def add_errors(z: np.ndarray) -> None:
        error = kernel(learnt[OUTER if of_a else vectors]) << np.uint64(63)
        if of_a:
            z[:, 5] += error
        else:
            z[5] += error

    ends = run(program, corrupt_party=corrupt_party, active_class=Learning)
    in_clear = np.arange(3 * OUTER, dtype=np.uint64).reshape((3, OUTER) if transposed else (OUTER, 3))
    return ends, (in_clear.T if transposed else in_clear) @ np.arange(3 * vectors, dtype=np.uint64).reshape(3, vectors)


cases = [(True, MANY), (False, MANY), (True, FEW)]
later = pytest.mark.parametrize(("of_a", "vectors"), cases, ids=["a", "b", "a, few columns"])
transposition = pytest.mark.parametrize("transposed", [False, True])


@corrupt
@later
@transposition
def test_errors_in_a_matrix_product_that_the_subsets_of_the_last_batch_would_miss(
    corrupt_party, of_a, vectors, transposed, monkeypatch
):
    ends, right = later_errors(corrupt_party, monkeypatch, of_a=of_a, transposed=transposed, vectors=vectors)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert all(len(end.opened) == 1 and np.array_equal(end.opened[0], right) for end in honest)
    rejections = [str(end.error) for end in honest if isinstance(end.error, ProofRejected)]
    assert rejections
    assert all(f"of batch 1 failed: party {(corrupt_party - 1) % 3} rejects" in text for text in rejections)


@corrupt
@later
@transposition
def test_they_would_be_missed_if_the_subsets_were_the_same_in_each_batch(
    corrupt_party, of_a, vectors, transposed, monkeypatch
):
    without_binding(monkeypatch)
    ends, right = later_errors(corrupt_party, monkeypatch, of_a=of_a, transposed=transposed, vectors=vectors)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert [end.error for end in honest] == [None, None]
    assert all(np.array_equal(end.opened[0], right) for end in honest)
    assert not any(np.array_equal(end.opened[1], right) for end in honest)


def equal_errors(corrupt_party: int) -> list[End]:
    """2^63 in the same place of two products of a batch, by matrices of so few columns that each stands for itself."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        squares = [shared(party, owner, np.arange(FEW * FEW, dtype=np.uint64)).reshape(FEW, FEW) for owner in (0, 1)]
        if party.party_id == corrupt_party:
            party.add_errors = add_errors
        products = [passive.matmul(party, x, squares[0]) for x in squares]
        opened.extend(open_to_all(party, z) for z in products)

    def add_errors(z: np.ndarray) -> None:
        z[2, 3] ^= np.uint64(1 << 63)  # which adds it

    ends = run(program, corrupt_party=corrupt_party)
    return [ends[party] for party in range(3) if party != corrupt_party]


@corrupt
def test_equal_errors_in_two_matrix_products(corrupt_party):
    honest = equal_errors(corrupt_party)
    assert all(end.opened == [] for end in honest)
    assert any(isinstance(end.error, ProofRejected) for end in honest)


@corrupt
def test_they_would_cancel_if_matrices_shared_the_subsets_of_their_rows(corrupt_party, monkeypatch):
    drawn = matrices.draw_subsets

    def shared_subsets(stream: Stream, outer: int, vectors: int) -> tuple[np.ndarray, np.ndarray]:
        return drawn(Stream(b"a key that all matrices share", b"a"), outer, vectors)

    monkeypatch.setattr(matrices, "draw_subsets", shared_subsets)
    assert [end.error for end in equal_errors(corrupt_party)] == [None, None]
