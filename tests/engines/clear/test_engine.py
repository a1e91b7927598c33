"""The clear engine: operations against slow twins, errors at sites, share files, and what is refused before a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_tamper.core.errors import (
    DataError,
    ParameterError,
    PlanError,
    ProgramCrash,
    ShareFileError,
    TamperError,
    UsageError,
)
from mpc_tamper.core.files import write_atomically
from mpc_tamper.engines.clear.engine import HEADER as VALUES_HEADER
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.clear.machine import ClearMachine
from mpc_tamper.engines.inputs import read_text
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import HEADER, AdditiveErrorPlan
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec
from tests.support import naive

words = st.one_of(st.sampled_from([0, 1, 2**64 - 1, 2**63, 2**63 - 1]), st.integers(0, 2**64 - 1))
sizes = st.integers(1, 3)


@st.composite
def matrices(draw: st.DrawFn, shared_axis: int) -> tuple[list[list[int]], list[list[int]]]:
    """Two matrices that agree in axis 1 of the first (or 0) and axis 0 of the second."""
    a, b, c = draw(sizes), draw(sizes), draw(sizes)
    rows, columns = (a, b) if shared_axis == 1 else (b, a)

    def filled(m: int, n: int) -> list[list[int]]:
        return draw(st.lists(st.lists(words, min_size=n, max_size=n), min_size=m, max_size=m))

    return filled(rows, columns), filled(b, c)


def array(x: list[list[int]]) -> np.ndarray:
    return np.array(x, np.uint64)


@given(matrices(1), matrices(0))
def test_products(straight: tuple[list[list[int]], ...], crossed: tuple[list[list[int]], ...]) -> None:
    machine = ClearMachine({}, {})
    x, y = straight
    assert machine.matmul(array(x), array(y)).tolist() == naive.matmul(x, y)
    assert machine.dot(array(x), array(x)).tolist() == naive.dot(x, x)
    x, y = crossed
    assert machine.trans_matmul(array(x), array(y)).tolist() == naive.trans_matmul(x, y)


@given(st.lists(words, min_size=1, max_size=6), st.integers(2, 64), st.integers(0, 63))
def test_comparison_and_shift(x: list[int], k: int, t: int) -> None:
    machine, v = ClearMachine({}, {}), np.array(x, np.uint64)
    assert machine.less_than_zero(v, k).tolist() == [naive.less_than_zero(a, k) for a in x]
    assert machine.right_shift(v, t).tolist() == [naive.right_shift(a, t) for a in x]


PROGRAM = """
MULTIPLY = 1
PRODUCT = 2
v = sint([1, 2, 3])
M = sint.Matrix(2, 3)
M.assign([[1, 2, 3], [4, 5, 6]])
@for_range(2)
def _(i):
    start_timer(MULTIPLY)
    a = v * v
    b = v * v
    stop_timer(MULTIPLY)
    start_timer(PRODUCT)
    c = M.direct_trans_mul(M)
    stop_timer(PRODUCT)
    d = v * v
    print_ln('%s %s %s %s', a.reveal(), b.reveal(), c.reveal(), d.reveal())
"""
HONEST = "[1, 4, 9] [1, 4, 9] [17, 22, 27, 22, 29, 36, 27, 36, 45] [1, 4, 9]"


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., RunSpec]:
    """spec(source, **fields of RunSpec)"""

    def make(source: str = PROGRAM, **fields: object) -> RunSpec:
        path = tmp_path / "engine.mpc"
        path.write_text(source)
        return replace(RunSpec(path, run_dir=tmp_path / "run"), **fields)  # type: ignore[arg-type]

    return make


def run(spec: RunSpec) -> RunResult:
    return ClearEngine().run(spec)


def plan(*lines: str) -> AdditiveErrorPlan:
    return AdditiveErrorPlan.parse("\n".join([HEADER, *lines]))


@pytest.mark.parametrize("party", [0, 1, 2])
@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("MULTIPLY 1 2 100", [HONEST, HONEST.replace("9", "109", 1)]),
        ("1 0 4 -1", [HONEST.replace("[1, 4, 9] [1, 4, 9]", "[1, 4, 9] [1, 3, 9]"), HONEST]),
        ("PRODUCT * 1 -2", [HONEST.replace("22", "20", 1)] * 2),
        ("2 * * 1", [HONEST.replace("17, 22, 27, 22, 29, 36, 27, 36, 45", "18, 23, 28, 23, 30, 37, 28, 37, 46")] * 2),
    ],
)
def test_errors_at_operations(spec: Callable[..., RunSpec], line: str, printed: list[str], party: int) -> None:
    assert list(run(spec(corruption=Corruption(party, plan(line)))).lines) == printed


def test_steps_are_recorded(spec: Callable[..., RunSpec]) -> None:
    (report,) = run(spec()).parties
    names = [(step.site, step.occurrence) for step in report.steps]
    assert names == [("MULTIPLY", 0), ("PRODUCT", 0), ("MULTIPLY", 1), ("PRODUCT", 1)]
    assert all(step.cost.seconds >= 0 for step in report.steps)


def test_values_pass_from_run_to_run(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    first = spec("a = sint.Array(3)\na.assign([1, -2, 3])\na.write_to_file()")
    run(first)
    source = "a = sint.Array(3)\na.read_from_file(0)\nprint_ln('%s', a.reveal())"
    assert run(spec(source, run_dir=tmp_path / "second", shares_from=first.run_dir)).lines == ("[1, -2, 3]",)
    with pytest.raises(ShareFileError, match="fresh folder"):
        run(first)
    appending = spec("sint.write_to_file(sint(4))", shares_from=first.run_dir)
    run(appending)
    longer = source.replace("Array(3)", "Array(4)")
    assert run(spec(longer, run_dir=tmp_path / "third", shares_from=first.run_dir)).lines == ("[1, -2, 3, 4]",)


def test_values_that_were_edited(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    folder = tmp_path / "earlier" / "Persistence"
    for name, content in [("Clear-P0.data", b"shares"), ("Clear-P0.data", VALUES_HEADER + b"123")]:
        write_atomically(folder / name, content)
        with pytest.raises(ShareFileError, match="foreign"):
            run(spec(shares_from=folder.parent))
    (folder / "Clear-P0.data").rename(folder / "Transactions-P0.data")
    with pytest.raises(ShareFileError, match="belong to the engine"):
        run(spec(shares_from=folder.parent))


def test_a_failed_run_leaves_nothing(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    with pytest.raises(ProgramCrash):
        run(spec("sint.write_to_file(sint(4))\ncrash()"))
    assert not (tmp_path / "run").exists()


def test_refused_before_anything_runs(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    text, binary = tmp_path / "in.txt", tmp_path / "in.bin"
    text.write_text("1 2 three")
    binary.write_bytes(b"1234567")
    refused: list[tuple[dict[str, object], type[TamperError], str]] = [
        ({"program": tmp_path / "none.mpc"}, DataError, "none.mpc"),
        ({"inputs": {0: InputFiles(text=tmp_path / "none.txt")}}, DataError, "none.txt"),
        ({"inputs": {0: InputFiles(text=text)}}, DataError, "number 2"),
        ({"inputs": {0: InputFiles(binary=binary)}}, DataError, "7 bytes"),
        ({"inputs": {3: InputFiles()}}, DataError, "owner from 0 to 2"),
        ({"corruption": Corruption(1, plan("UPDATE 0 0 1"))}, PlanError, "it has: MULTIPLY, PRODUCT"),
        ({"corruption": Corruption(1, plan("MULTIPLY/csa 0 0 1"))}, PlanError, "--engine rep3"),
        ({"shares_from": tmp_path / "earlier"}, ShareFileError, "earlier run"),
        *(({"timeout_seconds": t}, ParameterError, "time-out") for t in (0.0, 86_401.0, 1e300, inf, nan)),
        ({"run_dir": text}, UsageError, "a folder"),
    ]
    for fields, error, words_of_message in refused:
        with pytest.raises(error, match=words_of_message):
            run(spec("crash()\nMULTIPLY = 1\nPRODUCT = 2\nstart_timer(MULTIPLY)\nstart_timer(PRODUCT)", **fields))


def test_a_plan_and_a_party_go_together() -> None:
    one = plan("MULTIPLY 0 0 1")
    for party, errors, words in ((None, one, "--corrupt-party"), (1, None, "--plan"), (3, one, "from 0 to 2")):
        with pytest.raises(PlanError, match=words):
            Corruption.of(party, errors)


def test_a_plan_that_met_no_output(spec: Callable[..., RunSpec]) -> None:
    for line in ("MULTIPLY 2 0 1", "MULTIPLY 0 6 1", "7 0 0 1"):
        with pytest.raises(PlanError, match="met no output"):
            run(spec(corruption=Corruption(0, plan(line))))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" 1\n-2\t3 ", [1, 2**64 - 2, 3]),
        ("18446744073709551615 -9223372036854775808", [2**64 - 1, 2**63]),
        ("+5 007", [5, 7]),
    ],
)
def test_text_inputs(tmp_path: Path, text: str, values: list[int]) -> None:
    path = tmp_path / "in.txt"
    path.write_text(text)
    assert read_text(path).tolist() == values


@pytest.mark.parametrize("text", ["1.5", "0x10", "1,2", "18446744073709551616", "-9223372036854775809", "\x00"])
def test_malformed_text_inputs(tmp_path: Path, text: str) -> None:
    path = tmp_path / "in.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"in\.txt"):
        read_text(path)


def test_inputs_end(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    text = tmp_path / "in.txt"
    text.write_text("1 2 3")
    with pytest.raises(DataError, match="4 integers"):
        run(spec("sint.get_input_from(0, size=4)", inputs={0: InputFiles(text=text)}))
    with pytest.raises(DataError, match="binary input of owner 0"):
        run(spec("sint.get_input_from(0, binary=True)", inputs={0: InputFiles(text=text)}))
