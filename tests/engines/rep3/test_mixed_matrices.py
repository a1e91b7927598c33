"""Batches that mix matrices of few and of many columns, several products of one matrix, transposes, elementwise gates,
and sizes of 0 and 1: what is right is accepted, and an error in any of them is not, whatever the others hold."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np
import pytest

from mpc_tamper.core.errors import ProofRejected
from mpc_tamper.engines.kernels.threads import on_threads
from mpc_tamper.engines.rep3 import kernels
from mpc_tamper.engines.rep3.kernels import SUBSETS
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import End, run, shared

INNER = 3
# (rows, inner, columns of each product of one and the same matrix): 1, 48 and 49 at once, and by several products.
SHAPES = [
    (5, INNER, (1,)),
    (1, INNER, (SUBSETS,)),
    (5, INNER, (SUBSETS + 1,)),
    (4, INNER, (SUBSETS - 1, 1)),
    (4, INNER, (SUBSETS, 1)),
    (7, 1, (2, 30, 30)),
    (0, INNER, (2,)),
    (2, 0, (2,)),
    (2, INNER, (0, 3)),
    (2, INNER, (0,)),
]
PRODUCTS = [(rows, width) for _ in range(2) for rows, _, columns in SHAPES for width in columns]
Errors = dict[int, list[tuple[int, int, int]]]  # of each product: row, column and what is added there
corrupt = pytest.mark.parametrize("corrupt_party", range(3))
kinds = pytest.mark.parametrize("private", [True, False], ids=["private input", "shared"])


@pytest.fixture(autouse=True, params=["whole", "cut, on threads"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is long is cut, and threads share the pieces: here of any length, too."""
    if request.param == "whole":
        yield
        return
    kernel = importlib.import_module(f"{kernels.__name__}.matrices")
    monkeypatch.setattr(kernel, "_ENTRIES", 1)
    monkeypatch.setattr(kernel, "_COLUMNS", 2)
    with on_threads(3):
        yield


def numbers(rows: int, columns: int) -> np.ndarray:
    """Of all sizes."""
    return (np.arange(rows * columns, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(rows, columns)


def matrix(party: Party, rows: int, columns: int, *, private: bool) -> RepShare:
    """A private input, of which a component is known to be zero, or the squares of one."""
    x = shared(party, 1, numbers(rows, columns)).reshape(rows, columns)
    if not private:
        x = passive.mul(party, x, x)
        party.recorder.lend(x)  # so that products of it are proved together
    return x


def ends_of(corrupt_party: int, errors: Errors, *, private: bool) -> list[End]:
    """Everything in one batch."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        right, found = party.add_errors, []
        for transposed in (False, True):
            product = passive.trans_matmul if transposed else passive.matmul
            for rows, inner, columns in SHAPES:
                x = matrix(party, *((inner, rows) if transposed else (rows, inner)), private=private)
                for width in columns:
                    y = matrix(party, inner, width, private=False)
                    wrong = errors.get(len(found), []) if party.party_id == corrupt_party else []

                    def add(z: np.ndarray, wrong: list[tuple[int, int, int]] = wrong) -> None:
                        for row, column, value in wrong:
                            z[row, column : column + 1] += np.uint64(value)

                    party.add_errors = add
                    found.append(product(party, x, y))
                    party.add_errors = right
        found.append(passive.mul(party, found[0], found[0]))
        groups = party.recorder._record.matrices.values()
        assert [group.vectors for group in groups] == 2 * [sum(columns) for _, _, columns in SHAPES]
        opened.extend(open_to_all(party, z) for z in found)

    return run(program, corrupt_party=corrupt_party)


def in_clear(*, private: bool) -> list[np.ndarray]:
    found = []
    for transposed in (False, True):
        for rows, inner, columns in SHAPES:
            x = numbers(*((inner, rows) if transposed else (rows, inner)))
            x = x if private else x * x
            found += [(x.T if transposed else x) @ numbers(inner, width) ** 2 for width in columns]
    return [*found, found[0] * found[0]]


@kinds
def test_they_are_accepted(private):
    for end in ends_of(0, {}, private=private):
        assert end.error is None
        assert all(np.array_equal(*pair) for pair in zip(end.opened, in_clear(private=private), strict=True))


def rejected(corrupt_party: int, errors: Errors, *, private: bool) -> bool:
    ends = ends_of(corrupt_party, errors, private=private)
    honest = [ends[party] for party in range(3) if party != corrupt_party]
    assert all(end.opened == [] for end in honest)
    return any(isinstance(end.error, ProofRejected) for end in honest)


@corrupt
@kinds
def test_an_error_in_the_last_entry_of_any_product(corrupt_party, private):
    for index, (rows, width) in enumerate(PRODUCTS):
        if rows * width and (index + corrupt_party) % 3 == 0:  # each product of one party, and by turns
            assert rejected(corrupt_party, {index: [(rows - 1, width - 1, 1 << 63)]}, private=private), index


@corrupt
@kinds
def test_errors_that_add_up_to_zero_in_the_same_place_of_all_products(corrupt_party, private):
    """Over all matrices of a batch, in columns that stand for themselves and in others; within a column and a row."""
    large = [index for index, (rows, width) in enumerate(PRODUCTS) if rows > 1 and width > 1]
    across = {index: [(1, 1, 1 << 63)] for index in large[: len(large) // 2 * 2]}
    within = {index: [(0, 0, 1), (1, 0, 2**64 - 1), (0, 1, 2**64 - 1), (1, 1, 1)] for index in large}
    for errors in (across, within):
        assert rejected(corrupt_party, errors, private=private)


@pytest.mark.parametrize("owner", range(3))
@pytest.mark.parametrize("corrupt_party", [None, 0, 1, 2])
def test_private_matrices_of_each_owner(owner, corrupt_party):
    """The component that is known to be zero, and the term that another party's message holds, depend on the owner.
    The corrupt party adds 3 to the last entry of a product."""

    def program(party: Party, opened: list[np.ndarray]) -> None:
        x = shared(party, owner, numbers(4, INNER)).reshape(4, INNER)
        y = [matrix(party, *shape, private=False) for shape in ((INNER, 2), (4, 2))]
        party.steps.start(4)
        found = [passive.matmul(party, x, y[0]), passive.trans_matmul(party, x, y[1])]
        party.steps.stop(4)
        for gates in party.recorder._record.matrices.values():
            assert gates.zero == tuple(i == (owner + 1) % 3 for i in range(3))
        opened.extend(open_to_all(party, z) for z in found)

    x, squares = numbers(4, INNER), [numbers(INNER, 2) ** 2, numbers(4, 2) ** 2]
    for index in (7, 8 + 5):  # the last entry of each product
        plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, index, 3)])
        ends = run(program, corrupt_party=corrupt_party, plan=plan)
        for end in ends:
            if corrupt_party is None:
                assert end.error is None
                assert np.array_equal(end.opened[0], x @ squares[0])
                assert np.array_equal(end.opened[1], x.T @ squares[1])
            else:
                assert end.opened == []
        rejected = [party for party, end in enumerate(ends) if isinstance(end.error, ProofRejected)]
        assert corrupt_party is None or set(rejected) - {corrupt_party}
