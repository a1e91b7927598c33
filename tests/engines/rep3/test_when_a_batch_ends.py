"""How large a record may grow before it is proved: the same at all parties, whoever owns what they multiply."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.engines.mapped import Storage
from mpc_tamper.engines.rep3.protocol import active, passive
from mpc_tamper.engines.rep3.protocol.active import Active
from mpc_tamper.engines.rep3.protocol.context import Party
from mpc_tamper.engines.rep3.protocol.opening import open_to_all
from mpc_tamper.engines.rep3.protocol.proof.record import MatrixGates
from mpc_tamper.engines.rep3.protocol.share import RepShare, zeros
from tests.support.active_runs import run, shared

SMALL = 1 << 10
ROWS, COLUMNS, VECTORS = 12, 5, 2
WHOLE = 2 * 8 * ROWS * COLUMNS  # bytes of both components of x
KEPT = 2 * 8 * (ROWS + COLUMNS) * VECTORS  # of y and of what is sent, whether x or its transpose is multiplied
KEPT_OF_PART = 2 * 8 * (4 + COLUMNS) * VECTORS


class Capped(Active):
    def __init__(self, channel, prss, session) -> None:  # type: ignore[no-untyped-def]
        super().__init__(channel, prss, session, record_bytes=SMALL + 300)


@pytest.fixture(autouse=True)
def small_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active, "_SMALL_BYTES", SMALL)


def notes_of(party: Party, owner: int) -> list[tuple[int, int, int]]:
    """Batches, bytes and limit after each of: x; its transpose; its first rows; x again, which is no other matrix; a
    copy, which is kept; x, lent."""
    recorder, notes = party.recorder, []
    assert isinstance(recorder, Active)
    x = shared(party, owner, np.arange(ROWS * COLUMNS, dtype=np.uint64)).reshape(ROWS, COLUMNS)
    numbers = np.arange(ROWS * VECTORS, dtype=np.uint64)
    tall, long = (shared(party, 0, numbers[: n * VECTORS]).reshape(n, VECTORS) for n in (COLUMNS, ROWS))
    lent = x.copy()

    def note() -> None:
        notes.append((recorder.batches, recorder._record.kept_bytes, recorder._record.limit))

    for product in (
        lambda: passive.matmul(party, x, tall),
        lambda: passive.trans_matmul(party, x, long),
        lambda: passive.matmul(party, x[:4], tall),
        lambda: passive.matmul(party, x, tall),
        lambda: passive.matmul(party, x.copy(), tall),
    ):
        product()
        note()
    assert recorder.lend(lent)
    open_to_all(party, passive.matmul(party, lent, tall))
    note()
    return notes


@pytest.mark.parametrize("owner", range(3))
def test_a_record_grows_with_the_matrices_that_its_proof_reads_where_they_lie(owner: int) -> None:
    found = []
    for end in run(lambda party, _: found.append(notes_of(party, owner))):
        assert end.error is None
    first = SMALL + WHOLE // 4
    want = [
        (0, KEPT, first),
        (0, 2 * KEPT, first + WHOLE // 4),
        (0, 2 * KEPT + KEPT_OF_PART, first + WHOLE // 4 + 2 * 8 * 4 * COLUMNS // 4),
        (1, 0, SMALL),  # proved, and begun anew
        (2, 0, SMALL),  # with a copy it is too large at once
        (3, 0, SMALL),  # what is lent is counted when it is frozen, and proved at the latest before an opening
    ]
    assert found == 3 * [want]


def test_but_not_beyond_what_a_party_may_keep() -> None:
    found = []
    for end in run(lambda party, _: found.append(notes_of(party, 1)), every_class=Capped):
        assert end.error is None
    assert [limit for _, _, limit in found[0][:2]] == [SMALL + WHOLE // 4, SMALL + 300]
    assert found == 3 * [found[0]]


def test_a_matrix_is_mapped_where_one_component_is(tmp_path: Path) -> None:
    """The next party of an input's owner has a zero that takes no memory as its own component."""
    large = Storage(tmp_path, 0).zeros((1 << 7, 1 << 7))
    nothing = zeros((1 << 7, 1 << 7))
    assert MatrixGates(RepShare(nothing, large), transposed=False).mapped
    assert MatrixGates(RepShare(large, nothing), transposed=False).mapped
    assert not MatrixGates(RepShare(nothing, nothing), transposed=False).mapped
