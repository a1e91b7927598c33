"""Which recorded matrices are one and the same, and the blocks in which a proof takes many of them."""

from __future__ import annotations

import numpy as np
import pytest

from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof import matrices
from mpc_tamper.engines.rep3.protocol.proof.record import identity
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from tests.support.active_runs import accepted_by_honest, run, shared

SHAPES = [(5, 4, 3), (3, 7, 49), (6, 2, 1), (4, 9, 50)]


@pytest.fixture
def a_block_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrices, "_BLOCK_WORDS", 1)


def products(party: Party, opened: list[np.ndarray]) -> None:
    party.steps.start(4)
    found = []
    for owner, (rows, inner, columns) in enumerate(SHAPES):
        x = shared(party, owner % 3, np.arange(rows * inner, dtype=np.uint64)).reshape(rows, inner)
        y = shared(party, 0, np.arange(inner * columns, dtype=np.uint64)).reshape(inner, columns)
        found.append(passive.matmul(party, x, y))
    party.steps.stop(4)
    opened += [open_to_all(party, z) for z in found]


@pytest.mark.usefixtures("a_block_each")
def test_combinations_of_a_block_follow_those_of_the_block_before_it() -> None:
    for end in run(products):
        assert end.error is None
        for z, (rows, inner, columns) in zip(end.opened, SHAPES, strict=True):
            x, y = np.arange(rows * inner).reshape(rows, inner), np.arange(inner * columns).reshape(inner, columns)
            assert np.array_equal(z, x @ y)


@pytest.mark.usefixtures("a_block_each")
@pytest.mark.parametrize("corrupt_party", range(3))
@pytest.mark.parametrize("product", range(len(SHAPES)))
def test_an_error_in_any_block_is_rejected(corrupt_party: int, product: int) -> None:
    last = sum(rows * columns for rows, _, columns in SHAPES[: product + 1]) - 1
    plan = AdditiveErrorPlan.from_errors([AdditiveError("STEP", 0, last, 1 << 63)])
    assert not accepted_by_honest(run(products, corrupt_party=corrupt_party, plan=plan), corrupt_party)


def test_what_tells_matrices_apart() -> None:
    """At one address: another shape, other distances, another owner; or another address of either component."""
    x, y = np.zeros((2, 6, 4), np.uint64)
    same = [RepShare(x[:2, :2], y[:2, :2], 0) for _ in range(2)]
    others = [
        RepShare(x[:2, :3], y[:2, :3], 0),
        RepShare(x[::2][:2, :2], y[:2, :2], 0),
        RepShare(x[:2, :2], y[::2][:2, :2], 0),
        RepShare(x[:2, :2], y[:2, :2], 1),
        RepShare(x[:2, :2], y[:2, :2]),
        RepShare(x[1:3, :2], y[:2, :2], 0),
        RepShare(x[:2, :2], y[1:3, :2], 0),
    ]
    assert identity(same[0]) == identity(same[1])
    assert len({identity(each) for each in (same[0], *others)}) == 1 + len(others)


def test_a_view_that_cannot_be_written_to_is_copied_where_its_base_can() -> None:
    def program(party: Party, opened: list[np.ndarray]) -> None:
        base = shared(party, 0, np.arange(6, dtype=np.uint64)).copy().reshape(2, 3)
        view = base[:]
        view.own.flags.writeable = view.previous.flags.writeable = False
        z = passive.matmul(party, view, base[:1].reshape(3, 1))
        base.own[:], base.previous[:] = 1, 2
        opened.append(open_to_all(party, z))

    ends = run(program)
    assert [end.error for end in ends] == [None] * 3
    assert ends[0].opened[0].reshape(-1).tolist() == [5, 14]
