"""The commands on real engines: what they print, what they write, what they leave behind."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.datasets import Task
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.models.linear_svm.scoring import OpenedSvm
from tests.support.processes import COMMAND, started, wait_for

Invoke = Callable[..., Result]

PRODUCT = """
PRODUCT = 1
x = sint.Array(3)
x.input_from(0)
start_timer(PRODUCT)
y = x.get_vector() * x.get_vector()
stop_timer(PRODUCT)
print_ln('%s', y.reveal())
"""
ENDLESS = """
x = sint(1)
@for_range(10 ** 9)
def _(i):
    x.update(x * x)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_task: Task) -> Path:
    """Commands run here; the tiny task is tiny.npz."""
    monkeypatch.chdir(tmp_path)
    t = tiny_task
    np.savez("tiny.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    Path("product.mpc").write_text(PRODUCT)
    Path("rows.txt").write_text("3 -4\n5")
    Path("rows.bin").write_bytes(np.array([3, -4, 5], dtype="<i8").tobytes())
    return tmp_path


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_run(folder: Path, invoke: Invoke, engine: str) -> None:
    result = invoke("run", "product.mpc", "--engine", engine, "--input", "0=rows.txt")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "[9, 16, 25]\n"
    assert "PRODUCT" in result.stderr


@pytest.mark.parametrize("corrupt_party", [0, 1, 2])
@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_run_under_a_plan(folder: Path, invoke: Invoke, engine: str, corrupt_party: int) -> None:
    Path("plan.txt").write_text("additive-error-plan 1\nPRODUCT 0 1 -20\nPRODUCT * 2 1\n")
    errors = ("--plan", "plan.txt", "--corrupt-party", corrupt_party)
    result = invoke("run", "product.mpc", "--engine", engine, "--input", "0=rows.txt", *errors, "--quiet")
    assert (result.stdout, result.stderr) == ("[9, -4, 26]\n", "")


def test_run_reads_binary_input_and_reports_in_json(folder: Path, invoke: Invoke) -> None:
    Path("product.mpc").write_text(PRODUCT.replace("input_from(0)", "input_from(2, binary=True)"))
    result = invoke("run", "product.mpc", "--input", "2=rows.bin", "--json", "--run-dir", "here")
    record = json.loads(result.stdout)
    assert record["lines"] == ["[9, 16, 25]"]
    assert [party["party_id"] for party in record["parties"]] == [0, 1, 2]
    assert record["parties"][0]["steps"]["PRODUCT"]["occurrences"] == 1
    assert record["run_dir"] == "here"


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_run_names_the_line_of_a_program_at_fault(folder: Path, invoke: Invoke, engine: str) -> None:
    Path("fault.mpc").write_text("x = sint(1)\ny = sgf2n(2)\n")
    result = invoke("run", "fault.mpc", "--engine", engine)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "fault.mpc" in result.stderr
    assert "sgf2n" in result.stderr


def test_train_writes_record_and_weights(folder: Path, invoke: Invoke) -> None:
    arguments = ("--data", "tiny.npz", "--iterations", 5, "--batch-size", 7, "--owners", 3, "--labels-owner", 1)
    records = {}
    for engine in ("clear", "rep3"):
        result = invoke("train", *arguments, "--open", "--engine", engine, "--out", engine, "--quiet")
        assert result.exit_code == 0, result.stderr
        assert result.stderr == ""
        assert "test accuracy                1.0000" in result.stdout
        records[engine] = json.loads(Path(engine, "record.json").read_text())
        weights = np.load(Path(engine, "weights.npy"), allow_pickle=False)
        assert weights.shape == (17,)
        assert OpenedSvm(weights).sha256() == records[engine]["weights_sha256"]
    assert records["clear"]["weights_sha256"] == records["rep3"]["weights_sha256"]
    assert records["rep3"]["rows_of_owners"] == [8, 8, 8]
    assert (records["rep3"]["labels_owner"], records["rep3"]["engine"]) == (1, "rep3")
    assert [path.name for path in Path("runs").glob("*/*")] == ["train", "train"]  # shares, nothing of the opening


def test_training_on_the_first_rows(folder: Path, invoke: Invoke, tiny_task: Task) -> None:
    t = tiny_task
    np.savez("short.npz", x_train=t.x_train[:9], y_train=t.y_train[:9], x_test=t.x_test, y_test=t.y_test)
    records = {}
    for name, rows in (("short", ()), ("tiny", ("--rows", 9))):
        result = invoke("train", "--data", f"{name}.npz", *rows, "--engine", "clear", "--open", "--json", "--quiet")
        records[name] = json.loads(result.stdout)
    assert records["tiny"]["rows_of_owners"] == [9]
    assert records["tiny"]["dataset"] == "tiny"
    assert records["tiny"]["weights_sha256"] == records["short"]["weights_sha256"]


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("target", [0, 1])
def test_attack_towards_either_class(folder: Path, invoke: Invoke, target: int, loss: str) -> None:
    options = ("--loss", loss, "--learning-rate", 0.05, "--iterations", 30, "--strength", 3)
    where = ("--pixel", "0,0", "--patch", "2,1,2,2", "--target", target, "--amplitude", 1)
    result = invoke("attack", "--data", "tiny.npz", "--engine", "clear", *options, *where, "--json", "--quiet")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["trigger_pixels"] == [0, 9, 10, 13, 14]
    assert record["attack_success_rate"] == 1
    assert (record["target"], record["corrupt_party"], record["strength"]) == (target, 1, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--data", "nix.npz"), "nix.npz: expected a readable .npz file"),
        (("train", "--learning-rate", "0"), "learning_rate: expected"),
        (("train", "--iterations", "0"), "iterations: expected"),
        (("train", "--batch-size", "25"), "batch_size: expected"),
        (("train", "--loss", "hinge", "--regularisation", "-1"), "regularisation: expected"),
        (("train", "--learning-rate", "1e12"), "expected"),
        (("train", "--learning-rate", "1e308"), "learning_rate: expected a number below 2^63, got 1e+308"),
        (("train", "--max-row-norm", "0.001"), "got 0.001. Raise it"),
        (("train", "--out", "rows.txt"), "rows.txt: expected a folder that can be written, got: Not a directory"),
        (("train", "--out", "rows.txt/x"), "rows.txt/x: expected a folder that can be written"),
        (("train", "--out", "/proc/x"), "/proc/x: expected a folder that can be written"),
        (("train", "--run-dir", "rows.txt/x"), "rows.txt/x/train: expected a folder that can be written"),
        (("train", "--run-dir", "/proc/x"), "/proc/x/train: expected a folder that can be written"),
        (("attack", "--out", "rows.txt"), "rows.txt: expected a folder that can be written"),
        (("attack", "--strength", "1e300"), "at GRADIENT, got 6.12e+303"),
        (("attack", "--pixel", "4,0"), "expected a patch within"),
        (("attack", "--pixel", "one"), "expected --pixel ROW,COL in integers, got 'one'"),
        (("attack", "--patch", "0,0,2"), "expected --patch ROW,COL,HEIGHT,WIDTH in integers"),
        (("attack", "--patch", "0,0,5,1"), "expected a patch of 1 x 1 to 4 x 4 pixels"),
        (("attack", "--patch", "0,0,0,1"), "expected a patch of 1 x 1 to 4 x 4 pixels"),
        (("attack", "--amplitude", "1.5"), "amplitude: expected"),
        (("attack", "--strength", "0"), "strength: expected"),
        (("attack", "--target", "2"), "target: expected class 0 or 1, got 2"),
        (("attack", "--target", "-1"), "target: expected a class from 0, got -1"),
        (("train", "--rows", "25"), "expected 2 to 24 training rows of tiny, got 25"),
        (("train", "--rows", "9", "--clients", "9"), "expected --clients or --rows, got both"),
        (("train", "--classes", "0,1"), "leave classes out"),
    ],
)
def test_bad_parameters_stop_before_anything_starts(
    folder: Path, invoke: Invoke, arguments: tuple[str, ...], message: str
) -> None:
    command, *rest = arguments
    data = () if "--data" in rest else ("--data", "tiny.npz")
    before = sorted(folder.rglob("*"))
    out = () if "--out" in rest else ("--out", "out")
    result = invoke(command, *data, *rest, "--engine", "rep3", *out)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert message in result.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("engine", ["clear", "rep3"])
@pytest.mark.parametrize("place", ["rows.txt", "rows.txt/x", "/proc/x"])
def test_run_folders_that_cannot_be_written(folder: Path, invoke: Invoke, engine: str, place: str) -> None:
    result = invoke("run", "product.mpc", "--engine", engine, "--input", "0=rows.txt", "--run-dir", place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: {place}: expected a folder" in result.stderr


@pytest.mark.parametrize(
    "arguments", [("reproduce",), ("bench",), ("costs", "--quick"), ("certificate", "--party", "0")], ids=lambda a: a[0]
)
@pytest.mark.parametrize("place", ["rows.txt", "rows.txt/x", "/proc/x"])
def test_result_folders_that_cannot_be_written(
    folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], place: str
) -> None:
    before = sorted(folder.rglob("*"))

    def measure(*_: object) -> None:
        pytest.fail("it was measured before it was known whether there is a place for the results")

    monkeypatch.setattr(Rep3Engine, "run", measure)
    result = invoke(*arguments, "--out", place)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: {place}: expected a folder that can be written" in result.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_shares_that_were_not_given_or_are_in_the_way(folder: Path, invoke: Invoke, engine: str) -> None:
    Path("write.mpc").write_text("sint.write_to_file(sint(4))\n")
    Path("read.mpc").write_text("stop, x = sint.read_from_file(0, 1)\nprint_ln('%s', x[0].reveal())\n")
    assert invoke("run", "write.mpc", "--engine", engine, "--run-dir", "first").exit_code == 0
    result = invoke("run", "write.mpc", "--engine", engine, "--run-dir", "first")
    assert (result.exit_code, "use a fresh folder" in result.stderr) == (2, True)
    result = invoke("run", "read.mpc", "--engine", engine, "--shares-from", "nowhere")
    assert (result.exit_code, "nowhere: expected the share files" in result.stderr) == (2, True)
    result = invoke("run", "read.mpc", "--engine", engine, "--run-dir", "second")
    assert (result.exit_code, "--shares-from" in result.stderr) == (4, True)
    assert result.stderr.count("second/Persistence") <= 1
    assert invoke("run", "read.mpc", "--engine", engine, "--shares-from", "first").stdout == "4\n"


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_a_plan_that_met_no_output_withholds_the_result(folder: Path, invoke: Invoke, engine: str) -> None:
    Path("plan.txt").write_text("additive-error-plan 1\nPRODUCT 7 0 1\n")
    errors = ("--plan", "plan.txt", "--corrupt-party", 1)
    result = invoke("run", "product.mpc", "--engine", engine, "--input", "0=rows.txt", *errors)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "met no output" in result.stderr


def test_reproduce_on_the_oracle(folder: Path, invoke: Invoke) -> None:
    result = invoke("reproduce", "--engine", "clear", "--out", "table", "--corrupt-party", "2", "--quiet")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert "| poisoned |" in result.stdout
    record = json.loads(Path("table", "table1.json").read_text())
    assert [row["model"] for row in record["rows"]] == ["unpoisoned", "poisoned"]
    assert record["rows"][1]["corrupt_party"] == 2
    for name in ("table1.csv", "table1.md", "figure1.png"):
        assert Path("table", name).stat().st_size > 0


def processes_of(run_dir: Path) -> list[int]:
    """Ids of the processes whose command line names the run's folder, or whose output goes to a file in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command, output = (entry / "cmdline").read_bytes(), (entry / "fd" / "1").readlink()
            except OSError:
                continue
            if str(run_dir).encode() in command or output.parent == run_dir:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to look for orphans")
def test_interrupt_leaves_no_process_behind(folder: Path) -> None:
    Path("endless.mpc").write_text(ENDLESS)
    run_dir = folder / "interrupted"
    with started([*COMMAND, "run", "endless.mpc", "--run-dir", run_dir], cwd=folder) as process:
        wait_for(lambda: len(processes_of(run_dir)) == 4 or process.poll() is not None)
        assert process.poll() is None, process.communicate(timeout=240)
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=240)
        assert (process.returncode, output, error) == (130, "", "interrupted\n")
        wait_for(lambda: not processes_of(run_dir))  # a party that was just being started ends by itself
