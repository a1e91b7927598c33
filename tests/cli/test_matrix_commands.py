"""mpc-tamper matrix and rerun: what they print and write, exit codes, what they refuse."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.page import data_of

Invoke = Callable[..., Result]
QUICK = ("--quick", "--quiet", "--engine", "clear", "--attack", "none", "--attack", "backdoor_1", "--defence", "none")


@pytest.mark.slow
def test_a_quick_matrix_and_its_rerun(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke("matrix", *QUICK, "--defence", "low_variance", "--out", tmp_path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "| Backdoor, 1 pixel | 100.00% / 100.00% |" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {
        *("matrix.jsonl", "matrix.md", "matrix.csv", "matrix-weights.npz"),
        *("matrix-mnist_0_1.png", "gallery-mnist_0_1.png"),
    }
    record = tmp_path / "matrix.jsonl"
    kinds = [json.loads(line)["kind"] for line in record.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["study", "environment", "configuration", *["cell"] * 4]

    same = invoke("rerun", record, "--engine", "clear", "--threads", 3, "--defence", "low_variance", "--quiet")
    assert (same.exit_code, same.stdout) == (
        0,
        "mnist_0_1 none low_variance: the same\nmnist_0_1 backdoor_1 low_variance: the same\n",
    )
    monkeypatch.chdir(tmp_path.parent)
    assert invoke("report", tmp_path).exit_code == 0
    cells = data_of((tmp_path / "report.html").read_text(encoding="utf-8"))["cells"]
    (command,) = [each["command"] for each in cells if "backdoor_1 --defence low_variance" in each["command"]]
    assert command.endswith("--engine clear")
    as_the_page_says = invoke(*shlex.split(command)[1:], "--quiet")
    assert as_the_page_says.stdout == "mnist_0_1 backdoor_1 low_variance: the same\n"

    text = record.read_text(encoding="utf-8")
    record.write_text(text.replace('"rounds": ', '"rounds": 1'), encoding="utf-8")  # an older version's costs
    older = invoke("rerun", record, "--engine", "clear", "--attack", "none", "--quiet")
    assert (older.exit_code, "rounds: 1" in older.stdout) == (0, True)
    plan = '"plans": {"train": "'
    assert plan in text
    record.write_text(text.replace(plan, f"{plan}x"), encoding="utf-8")
    other = invoke("rerun", record, "--engine", "clear", "--attack", "backdoor_1", "--sample", "1", "--quiet")
    assert other.exit_code == 1
    assert other.stdout.startswith("mnist_0_1 backdoor_1 none: plans: {'train': 'x")


def test_refusals(invoke: Invoke, tmp_path: Path) -> None:
    unknown = invoke("matrix", *QUICK, "--attack", "luck", "--out", tmp_path)
    assert unknown.exit_code == 2
    assert "attack: expected one of none, backdoor_1, " in unknown.stderr
    absent = invoke("rerun", tmp_path / "matrix.jsonl")
    assert absent.exit_code == 2
    assert "run it first" in absent.stderr
    both = invoke("matrix", *QUICK, "--rows", "500", "--out", tmp_path)
    assert (both.exit_code, "expected --quick or --rows, got both" in both.stderr) == (2, True)
    (tmp_path / "file").touch()
    assert invoke("matrix", *QUICK, "--out", tmp_path / "file").exit_code == 2
