"""mpc-tamper verify and costs: exit codes, what they print, what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.datasets import Task
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.workflows.training import train
from tests.support.in_memory import InMemoryRep3
from tests.support.trainings import PARAMETERS, SABOTAGE

Invoke = Callable[..., Result]
PASSIVE = ("--protocol", "ring", "--insecure-passive")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_task: Task) -> Path:
    """tiny.npz, and the run folders clean, bad and short: of one honest, one sabotaged, one useless training."""
    monkeypatch.chdir(tmp_path)
    t, engine = tiny_task, InMemoryRep3()
    np.savez("tiny.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    train(t, PARAMETERS, engine=engine, run_dir=Path("clean/train"))
    train(t, PARAMETERS, engine=engine, run_dir=Path("bad/train"), corruption=Corruption(0, SABOTAGE))
    return tmp_path


def verify(invoke: Invoke, *arguments: str | Path) -> Result:
    return invoke("verify", *arguments, "--data", "tiny.npz", "--threshold", "0.9")


def test_pass_and_fail_are_exit_codes_0_and_1(folder: Path, invoke: Invoke) -> None:
    passed = verify(invoke, "clean", *PASSIVE)
    assert (passed.exit_code, passed.stdout) == (0, "pass: at least 11 of 12 known examples are classified rightly\n")
    assert "can forge this verdict" in passed.stderr
    failed = verify(invoke, "bad/train", *PASSIVE, "--secret-owner", "2", "--quiet")
    assert (failed.exit_code, failed.stdout) == (1, "fail: fewer than 11 of 12 known examples are classified rightly\n")


def test_a_certificate_instead_of_the_accuracy(folder: Path, invoke: Invoke) -> None:
    result = verify(invoke, "clean", *PASSIVE, "--robustness", "5")
    statement = "at least 11 of 12 known examples are classified rightly whatever 5 pixels are changed"
    assert (result.exit_code, result.stdout) == (0, f"pass: {statement}\n")
    assert verify(invoke, "clean", *PASSIVE, "--robustness", "6").exit_code == 1


def test_json(folder: Path, invoke: Invoke) -> None:
    result = verify(invoke, "clean", *PASSIVE, "--tests", "6", "--json", "--quiet")
    record = json.loads(result.stdout)
    assert record["verdict"]["passed"] is True
    assert (record["examples"], record["verification_number"], record["insecure_passive"]) == (6, 1, True)
    assert (record["engine"], record["protocol"]) == ("rep3", "ring")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("clean", "--protocol", "ring"), "expected an active protocol, such as mal-rep-ring, got ring"),
        (("clean", "--protocol", "sy-rep-ring"), "expected a protocol of engine rep3, got sy-rep-ring"),
        (("clean", "--engine", "clear"), "expected a protocol of engine clear, got mal-rep-ring"),
        (("clean", *PASSIVE, "--tests", "13"), "at most the 12 test images"),
        (("clean", *PASSIVE, "--corrupt-party", "1"), "--plan and --corrupt-party together"),
        (("clean", *PASSIVE, "--threshold", "1.5"), "threshold: expected a share"),
        (("clean", *PASSIVE, "--robustness", "0"), "pixels: expected at least 1"),
        (("clean", *PASSIVE, "--robustness", "17"), "at most the 16 pixels"),
        (
            ("clean", *PASSIVE, "--data", "mnist_0_1"),
            "expected examples of 16 pixels, as the model was trained on, got 784",
        ),
        (("clean", *PASSIVE, "--max-verdicts", "0"), "at most 0 verifications"),
        (("nowhere", *PASSIVE), "expected the folder of a training run"),
    ],
)
def test_refusals_are_one_line(folder: Path, invoke: Invoke, arguments: tuple[str, ...], message: str) -> None:
    defaults = () if "--data" in arguments else ("--data", "tiny.npz")
    result = invoke("verify", *arguments, *defaults)
    assert result.exit_code in (2, 4)
    assert result.stdout == ""
    assert message in result.stderr


def test_costs_writes_its_files(folder: Path, invoke: Invoke) -> None:
    size = ("--rows", "20,40", "--iterations", "1", "--examples", "6")
    result = invoke("costs", "--engine", "rep3", "--quick", *size, "--out", "out", "--quiet")
    assert result.exit_code == 0, result.stderr
    record = json.loads(Path("out", "costs.json").read_text())
    trainings = [(run["rows"], run["iterations"]) for run in record["runs"] if run["phase"] == "train"]
    assert set(trainings) == {(20, 1), (40, 1)}
    assert {run["examples"] for run in record["runs"] if run["phase"] == "verify"} == {"public", "secret"}
    assert all(run["seconds"] > 0 and run["bytes_per_party"] > 0 and run["common_rounds"] > 0 for run in record["runs"])
    assert "training, 40 rows, T = 1" in Path("out", "costs.md").read_text()
    assert Path("out", "costs.png").stat().st_size > 0


@pytest.mark.parametrize("option", ["--rows", "--iterations"])
@pytest.mark.parametrize("value", ["a", "", "0", "1,,2"])
def test_costs_refuses_sizes_that_are_none(folder: Path, invoke: Invoke, option: str, value: str) -> None:
    result = invoke("costs", "--engine", "rep3", option, value, "--out", "out")
    assert result.exit_code == 2
    assert not Path("out").exists()
