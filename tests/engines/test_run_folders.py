"""Two runs into one folder at a time: the second is refused before it changes anything, on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.files import held, held_if_used
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.spec import RunSpec

ENGINES = [
    EngineName.CLEAR,
    EngineName.REP3,
    pytest.param(EngineName.MP_SPDZ, marks=pytest.mark.mp_spdz),
]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.mpc"
    path.write_text("x = sint.Array(1)\nx.assign_all(3)\nx.write_to_file()\n")
    return path


@pytest.mark.parametrize("name", ENGINES)
def test_a_folder_that_another_run_uses_is_refused_and_left_alone(
    name: EngineName, program: Path, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    place.mkdir()
    with held(place), pytest.raises(UsageError, match="expected a folder that no other run uses, got one in use"):
        get_engine(name).run(RunSpec(program, run_dir=place))
    assert not list(place.rglob("*.data"))
    get_engine(name).run(RunSpec(program, run_dir=place))
    assert list(place.rglob("*.data"))


def test_a_run_on_plain_values_that_leaves_nothing_leaves_no_folder(tmp_path: Path) -> None:
    program = tmp_path / "program.mpc"
    program.write_text("print_ln('%s', 3)\n")
    run = get_engine(EngineName.CLEAR).run(RunSpec(program, run_dir=tmp_path / "above" / "run"))
    assert run.lines == ("3",)
    assert not (tmp_path / "above").exists()


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    with held_if_used(tmp_path):
        pass
    assert tmp_path.is_dir()
