"""Rows larger than memory: the same weights, with the shares in files that nobody else sees and that nothing leaves."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError, PartyError, ProtocolAbort, UsageError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine, OnStep
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3 import run as rep3_run
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import InputFiles, RunSpec
from mpc_tamper.workflows.training import TrainedModel, train_and_open
from tests.support.images import halves
from tests.support.places import ROOT
from tests.support.processes import COMMAND, started, wait_for
from tests.support.trainings import SABOTAGE

REP3, CLEAR = get_engine(EngineName.REP3), get_engine(EngineName.CLEAR)
LARGE = 1 << 16
LITTLE = 1 << 20  # bytes, of which the shares of 1,500 x 101 words, 1.2 MB a component, take more
PROTOCOLS = [ProtocolName.RING, ProtocolName.MAL_REP_RING]
# Some hundred rounds, so that whoever is told of a step and looks finds the parties still at work.
SVM = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=15)
MLP = MlpParameters(hidden=3, epochs=5, batch_size=500)


@pytest.fixture(scope="module")
def task() -> Task:
    return halves("wide", side=10, rows=1500, test_rows=20)


def mapped_files(folder: Path) -> dict[str, int]:
    """Files without names in a folder that processes map, with one such process for each."""
    found = {}
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            for file in re.findall(rf"{re.escape(str(folder))}\S* \(deleted\)", maps.read_text()):
                found[file] = int(maps.parts[2])
    return found


class Watched:
    """An engine that looks for mapped files in its run's folder, and for large ones that have a name, at each step that
    it is told of."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.seen: set[str] = set()
        self.large: set[Path] = set()

    def __enter__(self) -> Watched:
        self._run = self.engine.run
        self.engine.run = self.run  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        del self.engine.run

    def run(self, spec: RunSpec, on_step: OnStep | None = None, on_remark: Any = None) -> RunResult:
        def told(site: str, occurrence: int) -> None:
            self.seen |= set(mapped_files(spec.run_dir))
            self.large |= {path for path in spec.run_dir.rglob("*") if path.is_file() and path.stat().st_size > LARGE}
            if on_step is not None:
                on_step(site, occurrence)

        return self._run(spec, told, on_remark)


def trained(
    task: Task, engine: Engine, run_dir: Path, protocol: ProtocolName = ProtocolName.RING, **options: Any
) -> TrainedModel:
    kind = options.pop("kind", "svm")
    parameters, model = (SVM, get_model()) if kind == "svm" else (MLP, get_model("mlp"))
    return train_and_open(task, parameters, model=model, engine=engine, protocol=protocol, run_dir=run_dir, **options)


@pytest.fixture(scope="module")
def honest(task: Task, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], str]:
    """Hashes of the weights by kind and number of owners, from all rows in memory."""
    found = {}
    for kind, owners in (("svm", 1), ("svm", 2), ("mlp", 1), ("mlp", 3)):
        place = tmp_path_factory.mktemp("clear") / "run"
        model = trained(task, CLEAR, place, kind=kind, owners=Owners.share_equally(len(task.x_train), owners))
        found[kind, owners] = model.opened.sha256()
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("kind", "owners"), [("svm", 1), ("svm", 2), ("mlp", 1), ("mlp", 3)])
def test_the_weights_are_those_of_rows_in_memory(
    task: Task, tmp_path: Path, honest: dict[tuple[str, int], str], kind: str, owners: int, protocol: ProtocolName
) -> None:
    split = Owners.share_equally(len(task.x_train), owners)
    with Watched(REP3.within(LITTLE)) as watched:
        model = trained(task, watched.engine, tmp_path / "run", protocol, kind=kind, owners=split)
    assert model.opened.sha256() == honest[kind, owners]
    assert watched.seen
    assert watched.large == set()
    assert mapped_files(tmp_path) == {}


def test_small_rows_stay_in_memory(task: Task, tmp_path: Path, honest: dict[tuple[str, int], str]) -> None:
    with Watched(REP3.within(1 << 30)) as watched:
        model = trained(task, watched.engine, tmp_path / "run")
    assert (model.opened.sha256(), watched.seen) == (honest["svm", 1], set())


def test_the_clear_engine_maps_too(task: Task, tmp_path: Path, honest: dict[tuple[str, int], str]) -> None:
    wide = replace(task, x_train=np.tile(task.x_train, (8, 1)), y_train=np.tile(task.y_train, 8))
    with Watched(CLEAR.within(LITTLE)) as watched:
        model = trained(wide, watched.engine, tmp_path / "small")
    assert watched.seen
    assert model.opened.sha256() == trained(wide, CLEAR, tmp_path / "large").opened.sha256()


@pytest.mark.parametrize("corrupt_party", [0, 1, 2])
def test_errors_enter_and_are_caught_as_in_memory(task: Task, tmp_path: Path, corrupt_party: int) -> None:
    corruption = Corruption(corrupt_party, SABOTAGE)
    expected = trained(task, CLEAR, tmp_path / "clear", corruption=corruption).opened.sha256()
    model = trained(task, REP3.within(LITTLE), tmp_path / "passive", corruption=corruption)
    assert model.opened.sha256() == expected
    with pytest.raises(ProtocolAbort):
        trained(task, REP3.within(LITTLE), tmp_path / "active", ProtocolName.MAL_REP_RING, corruption=corruption)
    assert mapped_files(tmp_path) == {}


ROWS, COLUMNS = 3000, 50
PRODUCTS = f"""
x = sint.Matrix({ROWS}, {COLUMNS})
x.SOURCE
w, e = sint.Matrix({COLUMNS}, 1), sint.Matrix({ROWS}, 1)
w.assign_all(3)
e.assign_all(5)
print_ln('%s %s', x.direct_mul(w).sum().reveal(), x.direct_trans_mul(e).sum().reveal())
x.get_part_vector(0, 2)
"""


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[dict[int, InputFiles], int]:
    """A binary input of owner 0, and the sum of its words."""
    words = np.random.default_rng(1).integers(-1000, 1000, ROWS * COLUMNS)
    (tmp_path / "rows.bin").write_bytes(words.astype("<i8").tobytes())
    return {0: InputFiles(binary=tmp_path / "rows.bin")}, int(words.sum())


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Path]:
    def write(source: str, text: str = PRODUCTS) -> Path:
        path = tmp_path / f"{len(source)}.mpc"
        path.write_text(text.replace("SOURCE", source))
        return path

    return write


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_share_files_are_read_written_and_changed_in_parts(
    tmp_path: Path,
    inputs: tuple[dict[int, InputFiles], int],
    program: Callable[[str, str], Path],
    protocol: ProtocolName,
) -> None:
    """The rows leave as shares of one run, and another takes them; a part of what came from a file may change."""
    files, total = inputs
    enter = "input_from(0, binary=True)\nx.write_to_file()\nx[0].assign_all(0)\nx[0] = x[0] + 0 * x[1]"
    first = RunSpec(program(enter, PRODUCTS), run_dir=tmp_path / "first", inputs=files, protocol=protocol)
    lines = REP3.within(LITTLE).run(first).lines
    head = int(np.fromfile(files[0].binary, "<i8", COLUMNS).sum())  # type: ignore[arg-type]
    assert lines == (f"{3 * (total - head)} {5 * (total - head)}",)
    take = RunSpec(
        program("read_from_file(0)", PRODUCTS),
        run_dir=tmp_path / "second",
        shares_from=first.run_dir,
        protocol=protocol,
    )
    with Watched(REP3.within(LITTLE)) as watched:
        assert watched.engine.run(take).lines == (f"{3 * total} {5 * total}",)
    assert mapped_files(tmp_path) == {}


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
from mpc_tamper.cli import main
sys.argv[0] = "mpc-tamper"
main.run()
"""


def test_a_disk_that_fills_up_ends_all_parties_in_a_line(
    tmp_path: Path, inputs: tuple[dict[int, InputFiles], int], program: Callable[[str], Path]
) -> None:
    """A limit on the size of files stands for the disk."""
    words = ("run", program("input_from(0, binary=True)"), "--input", f"0={inputs[0][0].binary}")
    places = ("--run-dir", tmp_path / "run", "--memory", "1M", "--quiet")
    with started([sys.executable, "-c", LIMITED, *words, *places]) as process:
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (4, "")
    assert re.fullmatch(r"error: party \d: File too large; .*\n", err)
    assert mapped_files(tmp_path) == {}


def test_room_on_the_disk_is_asked_for_beforehand(
    tmp_path: Path,
    inputs: tuple[dict[int, InputFiles], int],
    program: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = RunSpec(program("input_from(0, binary=True)"), run_dir=tmp_path / "run", inputs=inputs[0])
    asked: list[int] = []

    def refuse(folder: Path, size: int, what: str) -> None:
        asked.append(size)
        raise UsageError(f"{folder}: no room for {what}")

    monkeypatch.setattr(rep3_run, "check_space", refuse)
    with pytest.raises(UsageError, match="no room for the shares of rows that are larger than memory"):
        REP3.within(LITTLE).run(spec)
    assert asked == [34 * ROWS * COLUMNS]
    assert REP3.within(1 << 30).run(spec).lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_after_an_interrupt(
    tmp_path: Path, inputs: tuple[dict[int, InputFiles], int], program: Callable[[str, str], Path], number: int
) -> None:
    endless = "@while_do(lambda i: i >= 0, regint(0))\ndef _(i):\n    x.direct_mul(w).sum().reveal()\n    return i\n"
    path = program("input_from(0, binary=True)", PRODUCTS + endless)
    words = ("run", path, "--input", f"0={inputs[0][0].binary}", "--run-dir", tmp_path / "run", "--memory", "1M")
    with started([*COMMAND, *words]) as process:
        wait_for(lambda: mapped_files(tmp_path))
        process.send_signal(number)
        process.communicate(timeout=240)
        wait_for(lambda: not mapped_files(tmp_path))
    assert {each.name for each in (tmp_path / "run").rglob("*") if each.stat().st_size > LARGE} == set()


def test_a_party_that_is_killed_leaves_nothing(
    tmp_path: Path, inputs: tuple[dict[int, InputFiles], int], program: Callable[[str, str], Path]
) -> None:
    killed: list[int] = []

    def kill(site: str, occurrence: int) -> None:
        if not killed:
            killed.extend(mapped_files(tmp_path).values())
            os.kill(killed[0], signal.SIGKILL)

    text = "STEP = 1\n" + PRODUCTS + "start_timer(STEP)\nx.direct_mul(w).sum().reveal()\nstop_timer(STEP)\n" * 2000
    spec = RunSpec(program("input_from(0, binary=True)", text), run_dir=tmp_path / "run", inputs=inputs[0])
    with pytest.raises(PartyError, match="killed by SIGKILL"):
        REP3.within(LITTLE).run(spec, kill)
    assert killed
    assert mapped_files(tmp_path) == {}


def test_budgets_are_checked_and_other_engines_have_none() -> None:
    with pytest.raises(ParameterError, match="expected at least 1,048,576 bytes of memory"):
        REP3.within(1000)
    assert (REP3.within(LITTLE).memory, REP3.memory) == (LITTLE, None)
    assert REP3.within(LITTLE).seeded(3).memory == LITTLE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_kernel_holds_parties_to_a_quarter_of_their_rows(tmp_path: Path, protocol: ProtocolName) -> None:
    """Three parties in one process, which may add so much data to what it has at its start."""
    words = (sys.executable, "-m", "tests.support.under_a_limit", tmp_path, str(protocol))
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'orchestrator'}{os.pathsep}{ROOT}"}
    shown = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "with files: right\nwithout: not enough memory\n"
