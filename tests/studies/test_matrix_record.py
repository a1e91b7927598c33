"""The files of a matrix: lines that name their study, several writers, cells that cannot be, weights."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.report.matrix import csv_table, markdown, write_matrix_report
from mpc_tamper.report.matrix_cells import Outcome, outcome
from mpc_tamper.report.matrix_record import MATRIX_LINES, assemble, cell_line, fact_line, read_matrix
from mpc_tamper.report.matrix_weights import MATRIX_WEIGHTS, OpenedModel, OpenedModels, read_weights, write_weights
from mpc_tamper.studies.environment import environment
from mpc_tamper.studies.matrix.record import MatrixRecord, not_applicable

FACTS = {"rows": 24, "parameters": {"iterations": 3, "rate": 0.1}, "source": "made up", "data_sha256": "0" * 64}
STUDIES = {"tiny": FACTS, "other": FACTS | {"rows": 12}}
PICTURE = {"image_shape": [2, 2], "test_image": [0, 255, 7, 9], "weights": [0.1, -1e-300, 2.0**46, 0.0]}
REASON = "the attack needs gates at a hinge, which this model has not"


def cell(attack: str, defence: str, dataset: str = "tiny", **more: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "attack": attack,
        "defence": defence,
        "clean_accuracy": 0.1 + 0.2,
        "attack_success_rate": 0.5,
        "verdict": None,
        "aborted": False,
        "engine": "rep3",
        "protocol": "ring",
        "seconds": 2.0,
        "bytes_per_party": 3_000_000,
        "rounds": 1200,
        "trigger_pixels": [1],
        "trigger_level": 255,
        "commit": "c0ffee",
    } | more


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / MATRIX_LINES).read_text(encoding="utf-8").splitlines()]


def test_lines_are_in_the_order_of_writing_and_cells_in_that_of_the_tables(tmp_path: Path) -> None:
    record = MatrixRecord.open(tmp_path, STUDIES)
    assert not list(tmp_path.iterdir())
    written = [
        cell("new", "none"),
        cell("backdoor_1", "pca"),
        cell("backdoor_1", "none"),
        cell("none", "none", "other"),
    ]
    sizes = [0]
    for each in written:
        before = (tmp_path / MATRIX_LINES).read_bytes() if sizes[-1] else b""
        record.add(each)
        after = (tmp_path / MATRIX_LINES).read_bytes()
        assert after.startswith(before)
        sizes.append(len(after))
    assert [line["kind"] for line in lines(tmp_path)] == ["study", "environment", *["cell"] * 3, "study", "cell"]
    found = read_matrix(tmp_path / MATRIX_LINES)
    assert found["cells"] == [written[place] for place in (2, 1, 0, 3)]
    assert found["datasets"] == STUDIES
    assert found["environments"] == [environment() | {"commit": "c0ffee"}]
    assert found["torn"] is None


def test_a_cell_that_is_written_again_counts(tmp_path: Path) -> None:
    record = MatrixRecord.open(tmp_path, STUDIES)
    for commit in ("old", "new"):
        record.add(cell("none", "none", commit=commit))
    found = read_matrix(tmp_path / MATRIX_LINES)
    assert [each["commit"] for each in found["cells"]] == ["new"]
    assert [each["commit"] for each in found["environments"]] == ["new"]


def test_two_writers_keep_each_others_cells_and_weights(tmp_path: Path) -> None:
    one, two = MatrixRecord.open(tmp_path, STUDIES), MatrixRecord.open(tmp_path, STUDIES)
    one.add(cell("none", "none"), PICTURE)
    two.add(cell("backdoor_1", "none"), PICTURE)
    one.add(cell("sabotage", "none"), PICTURE)
    assert [line["kind"] for line in lines(tmp_path)] == ["study", "environment", *["cell"] * 3]
    assert list(read_weights(tmp_path / MATRIX_WEIGHTS)["tiny"].models) == ["none", "backdoor_1", "sabotage"]
    third = MatrixRecord.open(tmp_path, STUDIES)
    assert all(third.has("tiny", attack, "none") for attack in ("none", "backdoor_1", "sabotage"))


@pytest.mark.parametrize("facts", [FACTS | {"rows": 25}, FACTS | {"model": "new"}, {"rows": 24}])
def test_writers_of_other_studies_do_not_mix(tmp_path: Path, facts: dict[str, Any]) -> None:
    late = MatrixRecord.open(tmp_path, {"tiny": facts})
    MatrixRecord.open(tmp_path, STUDIES).add(cell("none", "none"))
    before = (tmp_path / MATRIX_LINES).read_bytes()
    for refused in (lambda: late.add(cell("none", "pca")), lambda: MatrixRecord.open(tmp_path, {"tiny": facts})):
        with pytest.raises(ParameterError, match=r"expected cells of tiny with the same .* choose another --out"):
            refused()
    assert (tmp_path / MATRIX_LINES).read_bytes() == before


def test_a_torn_line_is_said_and_its_cell_run_again(tmp_path: Path) -> None:
    record, path, said = MatrixRecord.open(tmp_path, STUDIES), tmp_path / MATRIX_LINES, list[str]()
    record.add(cell("none", "none"))
    record.add(cell("sabotage", "none"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    again = MatrixRecord.open(tmp_path, STUDIES, lambda text, fraction=None: said.append(text))
    assert said[0].endswith("is left out; its cell is run again")
    assert (again.has("tiny", "none", "none"), again.has("tiny", "sabotage", "none")) == (True, False)
    again.add(cell("sabotage", "none"))
    assert path.read_bytes() == whole


STUDY, RAN_ON = fact_line("study", {"dataset": "tiny", **FACTS}), fact_line("environment", {"os": "Linux"})


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ([STUDY | {"rows": 23}], "line 1: .* it was edited"),
        ([STUDY, cell_line(STUDY, RAN_ON, cell("none", "none"))], f"line 2: .*'{RAN_ON['environment']}' is missing"),
        ([STUDY, RAN_ON, cell_line(STUDY, RAN_ON, cell("none", "none", "big"))], "line 3: .*a cell of big that names"),
        ([{"kind": "poem"}], "line 1: .*'poem' is missing or unknown"),
        ([{}], "line 1: .*'kind' is missing or unknown"),
        ([STUDY, fact_line("study", {"dataset": "tiny"})], "expected one study of tiny, got two"),
    ],
)
def test_lines_that_do_not_fit(damaged: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(DataError, match=said):
        assemble(damaged, Path("matrix.jsonl"))


def test_what_a_model_lacks_is_no_result_and_no_alarm(tmp_path: Path) -> None:
    record = MatrixRecord.open(tmp_path, STUDIES)
    for missing in (("none", "pca"), ("gradient_scaling", "none"), ("gradient_scaling", "pca")):
        record.add(not_applicable("tiny", *missing, REASON) | {"commit": "0"})
    record.report()  # of nothing but such cells
    assert "engine none" in (tmp_path / "matrix.md").read_text(encoding="utf-8")
    record.add(cell("none", "none"), PICTURE)
    assert record.has("tiny", "none", "none")
    assert not record.has("tiny", "gradient_scaling", "pca")  # another engine may be able to: it is looked at again
    record.report()
    found = read_matrix(tmp_path / MATRIX_LINES)
    assert [str(outcome(each)) for each in found["cells"]] == ["delivered", "n/a", "n/a", "n/a"]
    assert [each["commit"] for each in found["environments"]] == ["c0ffee"]
    text = markdown(found).splitlines()
    assert "| No attack | 30.00% / 50.00% | n/a |" in text
    assert text.count(f"- n/a: {REASON}.") == 1
    rows = list(csv.DictReader(io.StringIO(csv_table(found))))
    assert [(row["outcome"], row["reason"]) for row in rows[:2]] == [("delivered", ""), ("n/a", REASON)]
    assert list(rows[0])[: len(cell("none", "none"))] == list(cell("none", "none"))
    grey = image.imread(tmp_path / "matrix-tiny.png")[..., :3]
    assert (np.abs(grey - 0xD9 / 255).max(axis=2) < 0.01).mean() > 0.1


def test_an_honest_run_that_aborts_has_no_costs(tmp_path: Path) -> None:
    record = MatrixRecord.open(tmp_path, STUDIES)
    nothing = dict.fromkeys(("clean_accuracy", "attack_success_rate", "seconds", "bytes_per_party", "rounds"))
    record.add(cell("none", "none"))
    record.add(cell("none", "active", aborted=True, **nothing))
    assert outcome(read_matrix(tmp_path / MATRIX_LINES)["cells"][1]) is Outcome.FALSE_ALARM
    assert write_matrix_report(tmp_path) == ("matrix.csv", "matrix.md", "matrix-tiny.png")


def test_weights_come_back_to_the_last_bit(tmp_path: Path) -> None:
    MatrixRecord.open(tmp_path, STUDIES).add(cell("none", "none"), PICTURE)
    opened = read_weights(tmp_path / MATRIX_WEIGHTS)["tiny"]
    assert opened.test_image.tolist() == [[0, 255], [7, 9]]
    model = opened.models["none"]
    assert model.weights.tolist() == PICTURE["weights"]
    assert (model.trigger_pixels.tolist(), model.trigger_level) == ([1], 255)


def test_a_file_that_holds_no_weights(tmp_path: Path) -> None:
    path = tmp_path / MATRIX_WEIGHTS
    assert read_weights(path) == {}
    model = OpenedModel(np.zeros(4), np.array([1]), 255)
    write_weights(path, {"tiny": OpenedModels(np.zeros((2, 2), np.uint8), {"none": model})})
    whole = path.read_bytes()
    for content in (b"", b"PK\x03\x04", whole[: len(whole) // 2], b'{"tiny": {}}'):
        path.write_bytes(content)
        with pytest.raises(DataError, match="expected the weights that mpc-tamper matrix writes"):
            read_weights(path)
    for arrays in ({"tiny/none": np.zeros(4)}, {"plain": np.zeros(4)}, {"tiny/test_image": np.array([object()])}):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match="Move it away"):
            read_weights(path)
