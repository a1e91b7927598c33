"""pca.mpc refuses sizes that cannot be proved by itself: under `run` and `party` nobody else would."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError, ProgramError
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.frontend.program import load_program, run_program
from mpc_tamper.models.pca.bounds import check_size
from mpc_tamper.models.pca.parameters import PcaParameters

PROGRAM = load_program(bundle.program("pca.mpc"))


class Allocated(Exception):
    """The program has accepted its sizes, and asks for memory."""


class Refusing(ClearMachine):
    def share_public(self, values: object) -> object:  # type: ignore[override]
        raise Allocated


@settings(max_examples=60)
@given(rows=st.integers(1, 1 << 20), columns=st.integers(1, 1 << 18), components=st.integers(1, 14))
@example(rows=4000, columns=784, components=10)
@example(rows=10000, columns=3072, components=14)
@example(rows=80000, columns=3072, components=14)
@example(rows=64, columns=1 << 22, components=14)
def test_the_program_refuses_what_the_bounds_refuse(rows: int, columns: int, components: int) -> None:
    try:
        check_size(PcaParameters(components=components, iterations=3), rows, columns)
        proved = True
    except ParameterError:
        proved = False
    args = (f"rows={rows}", f"columns={columns}", "labels=owner", f"components={components}", "iterations=3")
    with pytest.raises((ProgramError, Allocated, DataError)) as caught:
        run_program(PROGRAM, args, Refusing(PROGRAM.sites, {}, None, None))
    assert isinstance(caught.value, ProgramError) != proved, caught.value


def test_the_message_says_what_to_do(tmp_path: Path) -> None:
    args = ("rows=64", f"columns={1 << 22}", "labels=owner", "components=14", "iterations=3")
    with pytest.raises(ProgramError, match=r"provably do not grow.* Take fewer rows"):
        run_program(PROGRAM, args, ClearMachine(PROGRAM.sites, {}, None, None))
