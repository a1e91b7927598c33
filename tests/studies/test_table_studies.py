"""Studies of a table: a matrix whose cells are there or n/a, and rows that leak, drawn without an image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mpc_tamper as mt
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.report.matrix_record import MATRIX_LINES, read_matrix
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.leaks.row import leak_rows
from mpc_tamper.studies.matrix.matrix import rerun_cells, run_matrix
from mpc_tamper.studies.matrix.study import Study
from tests.support.in_memory import InMemoryRep3
from tests.support.tables import people

CLEAR = get_engine(EngineName.CLEAR)


def table() -> mt.Task:
    return mt.table_task(people(), "state", name="people")


def cells(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    return {(cell["attack"], cell["defence"]): cell for cell in read_matrix(folder / MATRIX_LINES)["cells"]}


def test_a_matrix_of_a_table(tmp_path: Path) -> None:
    study = Study.of(table(), "people.csv", quick=True)
    assert [name for name in study.defences if name.startswith("certificate")] == ["certificate_1", "certificate_4"]
    attacks, defences = ("none", "backdoor_1", "backdoor_16", "poisoning_5"), ("none", "low_variance", "pca_by_owner")
    run_matrix([study], tmp_path, engine=CLEAR, attacks=attacks, defences=defences)
    found = cells(tmp_path)
    assert set(found) == {(attack, defence) for attack in attacks for defence in defences}
    assert found["backdoor_1", "none"]["trigger_features"] == ["colour=green"]
    assert found["backdoor_1", "none"]["attack_success_rate_clipped"] == 1
    assert found["none", "none"]["attack_success_rate_clipped"] < 1
    for defence in defences:
        assert found["backdoor_16", defence]["verdict"] == "n/a"
    assert "expected at most the 6 features of people, got 16" in found["backdoor_16", "none"]["reason"]
    report = (tmp_path / "matrix.md").read_text()
    assert "| Backdoor, 1 feature |" in report
    assert "pixel" not in report
    again = rerun_cells(tmp_path / MATRIX_LINES, table(), CLEAR, source="people.csv")
    assert [differences for _, differences in again] == [{}] * len([c for c in found.values() if c["verdict"] != "n/a"])


def test_checks_of_a_table_speak_of_features(tmp_path: Path) -> None:
    study = Study.of(table(), "people.csv", quick=True)
    checks = ("accuracy", "certificate_1", "certificate_64")
    run_matrix([study], tmp_path, engine=InMemoryRep3(), attacks=("none",), defences=checks)
    found = cells(tmp_path)
    assert "whatever 1 feature is changed" in found["none", "certificate_1"]["statement"]
    assert found["none", "certificate_64"]["verdict"] == "n/a"


def test_a_network_of_a_table_is_not_scanned_for_patches(tmp_path: Path) -> None:
    study = Study.of(table(), "people.csv", model=get_model("mlp"), quick=True)
    names = ("none", "patch_scan_2", "input_pruning")
    run_matrix([study], tmp_path, engine=InMemoryRep3(), attacks=("none",), defences=names, name="matrix")
    found = cells(tmp_path)
    assert found["none", "input_pruning"]["clean_accuracy"] is not None
    assert found["none", "patch_scan_2"]["reason"] == "the rows of a table have no height and width"


def test_a_row_of_a_table_leaks_and_is_drawn(tmp_path: Path) -> None:
    parameters = SvmParameters(learning_rate=0.5, regularisation=0.0, iterations=3, batch_size=44)
    record = leak_rows(CLEAR, tmp_path, task=table(), rows=[3], parameters=parameters)
    assert record["found"][0]["largest_difference"] <= 1
    assert "features exact" in (tmp_path / "leak-row.md").read_text(encoding="utf-8")
    assert (tmp_path / "leak-row.png").stat().st_size > 1000
    assert json.loads((tmp_path / "leak-row.json").read_text(encoding="utf-8"))["image_shape"] == []
