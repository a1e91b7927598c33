"""The matrix of attacks and defences from made-up records: tables, heat map, gallery."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from mpc_tamper.core.errors import DataError
from mpc_tamper.report.heat_map import LOOKS, harm
from mpc_tamper.report.matrix import csv_table, markdown, write_matrix_report
from mpc_tamper.report.matrix_cells import Outcome, grids, outcome, percent
from mpc_tamper.report.matrix_record import cell_line, fact_line
from mpc_tamper.report.matrix_weights import OpenedModel, OpenedModels, write_weights
from mpc_tamper.studies.environment import environment


def cell(attack: str, defence: str, *, accuracy: float | None = 0.99, asr: float | None = 0.5, **more: Any) -> Any:
    return {
        "dataset": "tiny",
        "attack": attack,
        "defence": defence,
        "clean_accuracy": accuracy,
        "attack_success_rate": asr,
        "verdict": None,
        "aborted": False,
        "engine": "rep3",
        "protocol": "ring",
        "seconds": 2.0,
        "bytes_per_party": 3_000_000,
        "rounds": 1200,
        "settings": {"strength": 0.5},
        "trigger_pixels": [5],
    } | more


@pytest.fixture
def record() -> dict[str, Any]:
    dataset = {"rows": 24, "parameters": {"iterations": 3}, "source": "made up", "data_sha256": "0" * 64}
    return {
        "environments": [environment()],
        "datasets": {"tiny": dataset, "not_yet": dataset},
        "cells": [
            cell("none", "none", asr=0.002),
            cell("none", "accuracy", verdict="fail", seconds=3.0),
            cell("none", "active", protocol="mal-rep-ring", seconds=4.2),
            cell("backdoor_1", "none", asr=1.0),
            cell("backdoor_1", "accuracy", asr=1.0, verdict="pass"),
            cell("backdoor_1", "active", accuracy=None, asr=None, aborted=True),
            cell("brand_new", "accuracy", verdict="fail"),
        ],
    }


@pytest.fixture
def weights() -> dict[str, OpenedModels]:
    """Colour images, and an attack whose weight is far beyond the scale."""
    models = {
        "none": OpenedModel(np.array([0.1, -0.1] * 24), np.array([5, 21, 37]), 255),
        "brand_new": OpenedModel(np.array([2.0**46, *[0.0] * 47]), np.array([0, 1]), 255),
    }
    return {"tiny": OpenedModels(np.arange(48, dtype=np.uint8).reshape(3, 4, 4), models)}


def written(folder: Path, record: Any, weights: Any = None) -> tuple[str, ...]:
    studies = {name: fact_line("study", {"dataset": name, **facts}) for name, facts in record["datasets"].items()}
    ran_on = fact_line("environment", record["environments"][0])
    lines = [*studies.values(), ran_on, *(cell_line(studies[c["dataset"]], ran_on, c) for c in record["cells"])]
    (folder / "matrix.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if weights is not None:
        write_weights(folder / "matrix-weights.npz", weights)
    return write_matrix_report(folder)


def test_outcomes(record: dict[str, Any]) -> None:
    assert [str(outcome(c)) for c in record["cells"]] == [
        "delivered", "false alarm", "delivered", "delivered", "delivered", "aborted", "rejected"
    ]  # fmt: skip
    assert outcome(cell("none", "active", aborted=True)) is Outcome.FALSE_ALARM
    assert outcome(None) is Outcome.NOT_RUN
    assert {Outcome.DELIVERED, *LOOKS} == set(Outcome)


def test_a_model_is_as_bad_as_its_worse_side() -> None:
    assert harm(cell("sabotage", "none", accuracy=0.25, asr=0.5)) == 0.75
    assert harm(cell("backdoor_1", "none", accuracy=0.75, asr=1.0)) == 1.0


def test_percentages_say_all_and_none_of_all_and_none_alone() -> None:
    assert [percent(p) for p in (0.0, 0.0002, 0.5, 0.9999, 1.0)] == ["0%", "<0.1%", "50.0%", ">99.9%", "100%"]


def test_rows_and_columns_stand_as_in_the_record(record: dict[str, Any]) -> None:
    (grid,) = grids(record)
    assert grid.attacks == ("none", "backdoor_1", "brand_new")
    assert grid.defences == ("none", "accuracy", "active")


def test_markdown(record: dict[str, Any]) -> None:
    lines = markdown(record).splitlines()
    assert "| attack | No defence | Accuracy threshold | Active training |" in lines
    assert "| No attack | 99.00% / 0.20% | 99.00% / 50.00%, **false alarm** | 99.00% / 50.00% |" in lines
    assert "| Backdoor, 1 pixel | 99.00% / 100.00% | 99.00% / 100.00%, passed | aborted |" in lines
    assert "| brand_new | not run | 99.00% / 50.00%, **rejected** | not run |" in lines
    assert "| Active training | mal-rep-ring | 4.2 (2.10) | 3.0 (1.00) | 1,200 (1.00) |" in lines


def test_what_cannot_be_is_told_from_what_was_not_run(record: dict[str, Any]) -> None:
    """These data leave a check no threshold: an attack that nobody tried against it is n/a as well, for that reason."""
    calibration = {"checks": {name: {"threshold": 0.3} for name in ("accuracy", "certificate_16")}}
    record["datasets"]["tiny"] |= {"calibration": calibration, "thresholds": {"accuracy": 0.9}}
    of_data = {"verdict": "n/a", "reason": "no threshold is of use"}
    record["cells"] += [
        {"dataset": "tiny", "attack": "none", "defence": "certificate_16", **of_data},
        {"dataset": "tiny", "attack": "none", "defence": "patch_scan", "verdict": "n/a", "reason": "no height"},
    ]
    (grid,) = grids(record)
    found = {defence: str(outcome(grid.cell("brand_new", defence))) for defence in grid.defences}
    assert found["certificate_16"] == "n/a"
    assert (found["none"], found["active"], found["patch_scan"]) == ("not run", "not run", "not run")
    assert grid.cell("brand_new", "certificate_16") == {
        "dataset": "tiny", "attack": "brand_new", "defence": "certificate_16", **of_data
    }  # fmt: skip


def test_csv_has_a_line_for_each_cell(record: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(record))))
    assert [(row["attack"], row["outcome"]) for row in rows][-2:] == [
        ("backdoor_1", "aborted"),
        ("brand_new", "rejected"),
    ]
    assert (rows[5]["clean_accuracy"], rows[6]["clean_accuracy"]) == ("", "0.99")
    assert json.loads(rows[0]["settings"]) == {"strength": 0.5}


def test_pictures_of_what_has_been_run(record: Any, weights: dict[str, OpenedModels], tmp_path: Path) -> None:
    assert written(tmp_path, record, weights) == ("matrix.csv", "matrix.md", "matrix-tiny.png", "gallery-tiny.png")
    for name in ("matrix-tiny.png", "gallery-tiny.png"):
        assert image.imread(tmp_path / name).std() > 0.1


def test_no_gallery_without_weights(record: dict[str, Any], tmp_path: Path) -> None:
    assert written(tmp_path, record) == ("matrix.csv", "matrix.md", "matrix-tiny.png")


def test_a_foreign_record_writes_nothing(record: dict[str, Any], tmp_path: Path) -> None:
    del record["cells"][0]["verdict"]
    with pytest.raises(DataError, match=r"line \d: expected a field verdict, got none; restore or remove this line"):
        written(tmp_path, record)
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.jsonl"]
