"""Records as runs for a tracker: the committed results."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_tamper.core.errors import DataError
from mpc_tamper.report.export.tracked import Tracked, tracked
from tests.support.places import ROOT


@pytest.fixture(scope="module")
def runs() -> list[Tracked]:
    return list(tracked(ROOT / "results"))


def test_every_cell_that_was_run_is_a_run_and_its_seeds_are_below(runs: list[Tracked]) -> None:
    cells = {run.name: run for run in runs if run.tags["kind"] == "cell" and run.tags["file"] == "matrix.jsonl"}
    cell = cells["mnist_0_1: backdoor_1 against accuracy"]
    assert cell.tags["verdict"] == "pass"
    assert cell.tags["outcome"] == "delivered"
    assert cell.metrics["attack_success_rate"] == cell.record["attack_success_rate"]
    assert cell.params["settings.strength"] == cell.record["settings"]["strength"]
    assert cell.params["parameters.iterations"] == 100
    assert len(cell.tags["commit"]) >= 40
    name, file = "digits_0_1: backdoor_1 against none", "matrix-own.jsonl"
    (own,) = [run for run in runs if (run.name, run.tags["file"]) == (name, file)]
    assert [run.tags["seed"] for run in own.below] == [str(run["seed"]) for run in own.record["per_seed"]]
    assert own.metrics["clean_accuracy_min"] <= own.metrics["clean_accuracy"] <= own.metrics["clean_accuracy_max"]


def test_records_have_their_files_and_a_run_for_each_line(runs: list[Tracked]) -> None:
    records = {run.name: run for run in runs if run.tags["kind"] == "record"}
    assert {"table1", "table1-mlp", "leak-row", "leak-membership", "costs", "accuracy", "matrix"} <= set(records)
    table = records["table1"]
    assert {file.name for file in table.files} >= {"table1.json", "table1.md", "table1.csv", "figure1.png"}
    assert [run.metrics["test_accuracy"] for run in table.below] == [r["test_accuracy"] for r in table.record["rows"]]
    assert {run.tags["commit"] for run in table.below} == {table.record["environment"]["commit"]}
    assert records["costs"].below[0].metrics["predicted_seconds.WAN"] > 0
    passed = [run.tags.get("verdict") for run in records["leak-membership"].below]
    assert "fail" in passed
    assert [len(run.below) for run in (records["matrix"], records["accuracy"])] == [0, 19]


def test_digests_are_of_a_record_in_its_place(runs: list[Tracked]) -> None:
    digests = [run.digest() for run in runs]
    assert len(set(digests)) == len(digests)
    assert runs[0].digest() == next(tracked(ROOT / "results")).digest()
    assert runs[0].digest("above") != runs[0].digest()


def test_a_folder_without_records(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected records of mpc-tamper \(table1.json, .*, got none"):
        list(tracked(tmp_path))
