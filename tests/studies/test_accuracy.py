"""mpc-tamper accuracy: a line for each data set, and what the committed record says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.parameters import recorded
from mpc_tamper.report.accuracy import ACCURACY_CSV, ACCURACY_JSON, ACCURACY_MARKDOWN, csv_table, markdown_table
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.accuracy import data_sets, study_accuracy
from tests.support.places import ROOT

RESULTS = ROOT / "results"


def test_a_line_for_each_data_set_and_those_of_others_stay(tmp_path: Path) -> None:
    quick = SvmParameters(iterations=30)
    for name in ("iris", "wine"):
        record = study_accuracy(tmp_path, only=[name], engine=EngineName.CLEAR, splits=2, parameters=quick)
    assert [line["data_set"] for line in record["data_sets"]] == ["iris", "wine"]
    assert json.loads((tmp_path / ACCURACY_JSON).read_text()) == record
    iris = record["data_sets"][0]
    assert (iris["classes"], iris["features"], iris["rows"], iris["test_rows"], iris["splits"]) == (3, 4, 112, 38, 2)
    assert iris["linear_svc"] == max(iris["linear_svc_of_c"].values()) > 0.9
    assert iris["test_accuracy"] > 0.8
    assert "| iris * | 3 | 4 | 112 | 2 | clear |" in (tmp_path / ACCURACY_MARKDOWN).read_text()
    assert (tmp_path / ACCURACY_CSV).read_text().count("\n") == 3
    other = study_accuracy(tmp_path, only=["wine"], engine=EngineName.CLEAR, splits=1)
    assert [line["data_set"] for line in other["data_sets"]] == ["wine"]  # those were of other parameters


def test_splits_differ_and_are_the_same_again() -> None:
    kind = data_sets(None)["digits_3_8"]
    first, again, other = (kind.split(number) for number in (0, 0, 1))
    assert first.sha256 == again.sha256 != other.sha256
    assert first.classes == ("3", "8")
    assert first.x_train.min(axis=0).max() == 0
    assert set(np.unique(first.y_test).tolist()) == {0, 1}


def test_unknown_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"expected one of iris, .*, got 'fashion_10'; some need --fashion FOLDER"):
        study_accuracy(tmp_path, only=["fashion_10"])


def test_the_committed_record_is_of_the_defaults_and_within_a_point() -> None:
    record = json.loads((RESULTS / ACCURACY_JSON).read_text(encoding="utf-8"))
    assert record["parameters"] == json.loads(json.dumps(recorded(SvmParameters())))
    lines = {line["data_set"]: line for line in record["data_sets"]}
    assert set(lines) <= set(data_sets(Path("fashion")))
    behind = {name: 100 * (line["linear_svc"] - line["test_accuracy"]) for name, line in lines.items()}
    assert max(behind.values()) <= 1, behind
    held_out = [name for name, line in lines.items() if not line["chosen_on"]]
    worst = max(behind, key=lambda name: behind[name])
    text = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    assert (
        f"On all {len(lines)} data sets, {len(held_out)} of which were only measured, the default settings are at most "
        f"{behind[worst]:.2f} points behind ({worst})."
    ) in text
    assert (RESULTS / ACCURACY_MARKDOWN).read_text(encoding="utf-8") == markdown_table(record)
    assert (RESULTS / ACCURACY_CSV).read_text(encoding="utf-8") == csv_table(record)
    small = [line for line in lines.values() if line["rows"] <= 2000]
    assert len(lines) >= 6
    assert {line["engine"] for line in small} == {"rep3"}
