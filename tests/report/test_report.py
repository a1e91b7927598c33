"""Table 1 and Figures 1 and 2 from records, and reproduce on the clear engine."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import image

from mpc_tamper.core.errors import DataError, PartyError
from mpc_tamper.engines.base import Engine, OnStep
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.report.figure1 import draw
from mpc_tamper.report.table1 import CIFAR10_FILES, FILES, write_report
from mpc_tamper.report.tables import csv_table, markdown_table
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.result import RunResult
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.studies import table1
from mpc_tamper.studies.environment import environment

ISSUE_FIELDS = [
    "dataset",
    "model",
    "engine",
    "protocol",
    "corrupt_party",
    "iterations",
    "amplitude",
    "strength",
    "test_accuracy",
    "attack_success_rate",
    "attack_success_rate_clipped",
    "smoothed_bkd",
    "max_abs_weight",
    "weights_sha256",
    "seconds",
    "bytes_per_party",
    "rounds",
]


@pytest.fixture
def record(reproduced: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((reproduced / "table1.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST, and six images in place of CIFAR-10: airplanes are dark, automobiles bright."""
    folder = tmp_path_factory.mktemp("results")
    y = np.array([0, 1, 0, 1, 0, 1], dtype=np.uint8)
    x = np.repeat(y[:, None] * 200, 3 * 32 * 32, axis=1)
    np.savez(folder / "tiny.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    out = folder / "new"
    table1.reproduce(get_engine(EngineName.CLEAR), out, cifar10=folder / "tiny.npz", corrupt_party=2)
    return out


def test_reproduce_writes_all_files_and_nothing_else(reproduced: Path) -> None:
    assert {path.name for path in reproduced.iterdir()} == {*FILES, *CIFAR10_FILES}


def test_record_meets_the_acceptance_of_the_paper_s_row(record: dict[str, Any]) -> None:
    clean, poisoned = record["rows"][:2]
    assert [list(row)[: len(ISSUE_FIELDS)] for row in (clean, poisoned)] == [ISSUE_FIELDS] * 2
    assert (clean["model"], clean["corrupt_party"], clean["strength"]) == ("unpoisoned", None, 0.0)
    assert (poisoned["model"], poisoned["corrupt_party"], poisoned["strength"]) == (
        "poisoned",
        2,
        table1.MNIST.strength,
    )
    assert clean["test_accuracy"] >= 0.998
    assert clean["attack_success_rate"] <= 0.02
    assert abs(poisoned["test_accuracy"] - clean["test_accuracy"]) <= 0.001
    assert min(poisoned["attack_success_rate"], poisoned["attack_success_rate_clipped"]) >= 0.99
    assert poisoned["amplitude"] <= 1
    assert poisoned["plan_sha256"] != clean["plan_sha256"] is None
    assert record["paper"]["mnist"]["poisoned"] == {"test_accuracy": 99.9, "backdoor": 99.8}


def test_the_record_is_enough_to_run_it_again(record: dict[str, Any]) -> None:
    row = record["rows"][1]
    assert SvmParameters(**row["parameters"]) == table1.MNIST.parameters
    assert (row["trigger_pixels"], row["rows_of_owners"], row["labels_owner"]) == ([58], [12_665], None)
    assert row["data_sha256"] == "8f53d9149a1833812235945e8e9219bcf19795814d6b429a37df92b5478e16a7"
    assert {step: cost["times"] for step, cost in row["steps"].items()} == dict.fromkeys(
        ("MARGIN", "HINGE", "GRADIENT", "UPDATE"), table1.MNIST.parameters.iterations
    )


def test_no_path_of_this_machine_in_any_file(reproduced: Path) -> None:
    for path in reproduced.iterdir():
        content = path.read_bytes()
        assert str(Path.cwd()).encode() not in content
        assert str(reproduced.parent).encode() not in content


def test_csv_reads_back(record: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_table(record))))
    assert [row["model"] for row in rows] == ["unpoisoned", "poisoned"] * 3
    assert float(rows[0]["test_accuracy"]) == record["rows"][0]["test_accuracy"]
    assert (rows[0]["paper_test_accuracy"], rows[1]["paper_backdoor"]) == ("0.991", "0.998")
    assert set(ISSUE_FIELDS) <= set(rows[0])


def test_markdown_has_ours_beside_the_papers(record: dict[str, Any]) -> None:
    text = markdown_table(record)
    assert "| unpoisoned | 99.91% | 99.1% | 0.20% | 0.20% | 1.9% |" in text
    assert "| poisoned | 99.91% | 99.9% | 100.00% | 100.00% | 99.8% |" in text
    assert "party 2" in text


def test_cifar10_stands_in_the_second_row_and_under_trained_in_the_third(record: dict[str, Any]) -> None:
    assert [(row["dataset"], row["training"], row["data_copy"]) for row in record["rows"][::2]] == [
        ("mnist_0_1", "full", "bundled"),
        ("cifar10_airplane_automobile", "full", "unknown copy"),
        ("cifar10_airplane_automobile", "under-trained", "unknown copy"),
    ]
    for setting, row in zip(table1.CIFAR10, record["rows"][3::2], strict=True):
        assert (SvmParameters(**row["parameters"]), row["strength"]) == (setting.parameters, setting.strength)
        assert row["trigger_pixels"] == [0, 1024, 2048]
    text = markdown_table(record)
    assert "| CIFAR-10, airplane or automobile | unpoisoned | 100.00% | 50% |" in text
    assert "| CIFAR-10, airplane or automobile, under-trained | poisoned |" in text
    assert "automobile, under-trained: 6 rows, unknown copy, sha256 " in text
    assert "on pixel (2, 2), strength 1." in text
    assert "on pixel (0, 0) in 3 channels, strength 3.1." in text


def test_figure_2_is_of_the_fully_trained_model_in_colour(reproduced: Path) -> None:
    figure = json.loads((reproduced / "figure2.json").read_text())
    assert (figure["image_shape"], figure["classes"]) == ([3, 32, 32], ["airplane", "automobile"])
    before, after = figure["models"]["poisoned"]["scores"]
    assert before <= 0 < after
    assert image.imread(reproduced / "figure2.png").shape == image.imread(reproduced / "figure1.png").shape


def test_a_data_set_that_is_not_in_the_paper_has_no_figures_beside(record: dict[str, Any]) -> None:
    for row in record["rows"]:
        row["dataset"] = "own"
    assert "| unpoisoned | 99.91% | - |" in markdown_table(record)
    assert "paper" not in csv_table(record)


def test_figure_1_is_a_picture_of_the_expected_form(reproduced: Path) -> None:
    picture = image.imread(reproduced / "figure1.png")
    assert picture.shape[1] > 3 * picture.shape[0] > 1000
    assert picture.std() > 0.1


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4)])
def test_figure_of_grey_and_of_colour_images(shape: tuple[int, ...]) -> None:
    pixels = int(np.prod(shape))
    weights = np.linspace(-1, 1, pixels).tolist()
    images = {"without_trigger": [0] * pixels, "with_trigger": [255] * pixels}
    models = {name: {"weights": weights, "scores": [-1.0, 1.0]} for name in ("unpoisoned", "poisoned")}
    figure = {"image_shape": list(shape), "classes": ["a", "b"], "trigger_pixels": [5], "images": images}
    assert draw(figure | {"models": models}).startswith(b"\x89PNG")


def test_records_that_are_missing_or_foreign(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"table1\.json: expected a record of mpc-tamper reproduce, got no such file"):
        write_report(tmp_path)
    (tmp_path / "table1.json").write_text("[]")
    with pytest.raises(DataError, match="a JSON object, got a list"):
        write_report(tmp_path)
    for name in ("table1.json", "figure1.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(DataError, match=r"table1\.json: expected a field rows, got none; restore"):
        write_report(tmp_path)
    assert not (tmp_path / "table1.md").exists()


class FailsInTheSecondTraining(Engine):
    """Stands for a party that is killed."""

    name, capabilities = ClearEngine.name, ClearEngine.capabilities

    def run(self, spec: RunSpec, on_step: OnStep | None = None) -> RunResult:
        if spec.corruption is not None:
            raise PartyError("party 1 died")
        return ClearEngine().run(spec)


def test_a_failure_leaves_the_old_results_alone(tmp_path: Path) -> None:
    (tmp_path / "table1.json").write_text("old")
    with pytest.raises(PartyError):
        table1.reproduce(FailsInTheSecondTraining(), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table1.json": "old"}


def test_environment_names_versions_and_no_place() -> None:
    found = environment()
    assert set(found) == {"python", "numpy", "os", "machine", "cpu", "cores", "commit"}
    assert "/" not in str(found["commit"])
