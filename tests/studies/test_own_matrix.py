"""A matrix of one's own data: calibrated checks, several seeds, attacks that adapt, and several processes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.report.matrix import csv_table, markdown
from mpc_tamper.report.matrix_record import read_matrix
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix.matrix import rerun_cells, run_matrix
from mpc_tamper.studies.matrix.study import Study
from mpc_tamper.testing import small_task
from tests.support.in_memory import InMemoryRep3
from tests.support.own_study import study, table
from tests.support.places import ROOT
from tests.support.sweeps import lasting

CLEAR = get_engine(EngineName.CLEAR)
CHECKS = ("none", "accuracy", "certificate_1")


@pytest.fixture(scope="module")
def calibrated() -> Study:
    return study(table())


def run(made: Study, folder: Path, attacks: tuple[str, ...], engine: Any = CLEAR, seeds: int = 2) -> dict[str, Any]:
    run_matrix([made], folder, engine=engine, attacks=attacks, defences=CHECKS, seeds=range(seeds), name="matrix-own")
    return read_matrix(folder / "matrix-own.jsonl")


def test_honest_models_pass_and_triggers_of_k_features_do_not(calibrated: Study, tmp_path: Path) -> None:
    record = run(calibrated, tmp_path, ("none", "backdoor_1", "adaptive_backdoor_1"))
    cells = {(cell["attack"], cell["defence"]): cell for cell in record["cells"]}
    assert len(cells) == 9
    for check in CHECKS[1:]:
        assert (cells["none", check]["passed"], cells["none", check]["seeds"]) == (2, 2)
    assert cells["backdoor_1", "certificate_1"]["passed"] == 0
    assert cells["backdoor_1", "none"]["attack_success_rate_clipped"] > 0.9
    adaptive = cells["adaptive_backdoor_1", "certificate_1"]
    assert adaptive["passed"] == 2  # it knows the check and its threshold,
    assert adaptive["attack_success_rate_clipped"] < 0.5  # and this is what is left
    for cell in cells.values():
        runs = cell["per_seed"]
        assert [each["seed"] for each in runs] == [0, 1]
        assert cell["clean_accuracy"] == np.mean([each["clean_accuracy"] for each in runs])
        assert cell["robust_accuracy"] == pytest.approx(1 - cell["attack_success_rate_clipped"])  # of two classes
        assert len({each["weights_sha256"] for each in runs}) == 2
    named = cells["backdoor_1", "none"]["per_seed"][0]
    assert named["trigger_features"] == [f"f{feature}" for feature in named["trigger_pixels"]]
    facts = record["datasets"]["rows"]
    assert facts["calibration"]["success_measured_on"] == "test rows"
    assert facts["calibration"]["strengths_chosen_on"] == "known examples"
    text = markdown(record)
    assert "rejected 0 of 2" in text
    assert "**rejected 2 of 2**" in text
    assert "| 1-feature certificate |" in text
    assert "[95% interval over test rows (Wilson)]" in text
    assert "robust_accuracy_low" in csv_table(record).splitlines()[0]


def test_three_parties_come_to_the_verdicts_and_weights_of_the_clear_engine(calibrated: Study, tmp_path: Path) -> None:
    attacks = ("backdoor_1",)
    here = run(calibrated, tmp_path / "clear", attacks, seeds=1)["cells"]
    there = run(calibrated, tmp_path / "rep3", attacks, InMemoryRep3(), seeds=1)["cells"]
    for one, other in zip(here, there, strict=True):
        for field in ("attack", "defence", "verdict", "clean_accuracy", "attack_success_rate", "robust_accuracy"):
            assert one[field] == other[field]
        assert one["per_seed"][0]["weights_sha256"] == other["per_seed"][0]["weights_sha256"]


def test_the_committed_cells_of_three_parties_are_those_of_the_clear_engine() -> None:
    on_clear, on_rep3 = (
        {
            (cell["dataset"], cell["attack"], cell["defence"], run["seed"]): run
            for cell in read_matrix(ROOT / "results" / f"{name}.jsonl")["cells"]
            for run in cell.get("per_seed", ())
        }
        for name in ("matrix-own", "matrix-own-rep3")
    )
    assert len(on_rep3) == 24
    for key, run in on_rep3.items():
        assert run["engine"] == "rep3"
        for field in ("weights_sha256", "verdict", "clean_accuracy", "attack_success_rate_clipped", "robust_accuracy"):
            assert run[field] == on_clear[key][field], (key, field)


def test_cells_run_again_give_the_same(calibrated: Study, tmp_path: Path) -> None:
    run(calibrated, tmp_path, ("none", "sabotage"))
    again = list(rerun_cells(tmp_path / "matrix-own.jsonl", table(), CLEAR, sample=3))
    assert [differences for _, differences in again] == [{}] * 3
    assert {cell["seed"] for cell, _ in again} == {0, 1}
    other = replace(table(), sha256="1" * 64)
    with pytest.raises(ParameterError, match="expected the data, parameters and thresholds"):
        list(rerun_cells(tmp_path / "matrix-own.jsonl", other, CLEAR))


def test_more_seeds_go_on_where_fewer_stopped(calibrated: Study, tmp_path: Path) -> None:
    run(calibrated, tmp_path, ("none",), seeds=1)
    before = (tmp_path / "matrix-own.jsonl").read_bytes()
    record = run(calibrated, tmp_path, ("none",), seeds=2)
    assert (tmp_path / "matrix-own.jsonl").read_bytes().startswith(before)
    assert {cell["seeds"] for cell in record["cells"]} == {2}


PROCESS = """
import sys
from pathlib import Path
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix.matrix import rerun_cells, run_matrix
from tests.support.own_study import study, table

made = study(table())
print("ready", flush=True)
sys.stdin.readline()
run_matrix([made], Path(sys.argv[1]), engine=get_engine(EngineName.CLEAR), attacks=sys.argv[2].split(","),
           defences=["none", "accuracy"], seeds=range(2), name="matrix-own")
"""


def test_two_processes_at_one_folder_lose_nothing(tmp_path: Path) -> None:
    """Both begin at once, on cells of their own and on one that both want."""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path / "both"), attacks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        for attacks in ("none,sabotage", "overflow,none")
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.communicate("go\n", timeout=240)
        assert process.returncode == 0
    made = study(table())
    run_matrix(
        [made], tmp_path / "one", engine=CLEAR, attacks=["none", "sabotage", "overflow"],
        defences=["none", "accuracy"], seeds=range(2), name="matrix-own",
    )  # fmt: skip
    alone, together = (read_matrix(tmp_path / name / "matrix-own.jsonl") for name in ("one", "both"))
    assert len(alone["cells"]) == len(together["cells"]) == 6
    assert together["torn"] is None
    for one, other in zip(alone["cells"], together["cells"], strict=True):
        for mine, theirs in zip(one["per_seed"], other["per_seed"], strict=True):
            assert lasting(mine) == lasting(theirs)
    reports = [(tmp_path / name / "matrix-own.md").read_text(encoding="utf-8") for name in ("one", "both")]
    assert reports[0] == reports[1]


def test_the_command_line_calibrates_data_of_its_own(tmp_path: Path, invoke: Callable[..., Result]) -> None:
    task = small_task(rows=120, tests=40)
    parts = {name: getattr(task, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "mine.npz", **parts)
    options = ("--data", tmp_path / "mine.npz", "--engine", "clear", "--out", tmp_path, "-q")
    chosen = ("--attack", "none", "--defence", "accuracy", "--defence", "certificate_16")
    result = invoke("matrix", *options, *chosen, "--calibrate", "--calibration-models", "5", "--seeds", "2")
    assert result.exit_code == 0
    assert "rejected 0 of 2" in result.stdout
    lines = [json.loads(line) for line in (tmp_path / "matrix-own.jsonl").read_text().splitlines()]
    assert lines[0]["calibration"]["models"] == 5
    for wrong in (("--seeds", "2"), ("--calibrate", "--quick")):
        result = invoke("matrix", *options, *wrong)
        assert result.exit_code == 2
        assert "expected --" in result.stderr
