"""The matrix of a network: by default what is meant for the model, in files of its own, with what a defence chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.rows import part_of
from mpc_tamper.defences.registry import DEFENCES, NETWORK_DEFENCES, NETWORK_DEFENCES_OF_TEN, network_defences
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.report.matrix_record import MATRIX_LINES, read_matrix
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix.matrix import HONEST, meant_attacks, meant_defences, run_matrix
from mpc_tamper.studies.matrix.study import Study
from tests.support.digits import stripes
from tests.support.images import framed_task
from tests.support.in_memory import InMemoryRep3

SVM, MLP = get_model("linear_svm"), get_model("mlp")
PARAMETERS = MlpParameters(hidden=6, epochs=2, batch_size=16, learning_rate=0.3)


def study(classes: int = 2) -> Study:
    return Study(stripes(classes, 40, 24), "made for tests", PARAMETERS, network_defences(0.4, {1: 0.55}), MLP)


def test_a_model_and_its_classes_choose_the_table() -> None:
    assert Study.of(framed_task()).defences is DEFENCES
    assert Study.of(framed_task(), model=MLP).defences is NETWORK_DEFENCES
    assert Study.of(stripes(3), model=MLP).defences is NETWORK_DEFENCES_OF_TEN
    coloured = replace(framed_task(), image_shape=(3, 6, 8))
    for model in (SVM, MLP):
        assert Study.of(coloured, model=model).defences["accuracy"].check.least(100) < 90  # type: ignore[union-attr]


def test_parameters_of_studies() -> None:
    assert Study.of(framed_task(), model=MLP).parameters == MlpParameters(hidden=16, epochs=2)
    assert Study.of(stripes(3), model=MLP).parameters == MlpParameters(hidden=32, epochs=5)


def test_only_what_a_model_can_do_is_run_by_default() -> None:
    for model in (SVM, MLP):
        chosen = meant_attacks(model)
        assert chosen[0] == HONEST
        assert {name for name in ATTACKS if not model.lacking(ATTACKS[name].needs)} == set(chosen[1:])
    assert meant_defences(Study.of(framed_task())) == list(DEFENCES)
    assert meant_defences(study()) == list(network_defences(0.4, {1: 0.55}))


@pytest.mark.slow
def test_every_defence_has_a_cell(tmp_path: Path) -> None:
    run_matrix([study()], tmp_path, engine=InMemoryRep3(), attacks=("none",), name="matrix-mlp")
    cells = {cell["defence"]: cell for cell in read_matrix(tmp_path / "matrix-mlp.jsonl")["cells"]}
    assert set(cells) == set(study().defences)
    assert cells["fine_pruning"]["stages"] == ["train", "prune", "tune"]
    assert {cell["verdict"] for name, cell in cells.items() if "certificate" in name or "scan" in name} <= {
        "pass",
        "fail",
    }
    assert cells["none"]["weights_sha256"] == cells["active"]["weights_sha256"]


def test_cells_say_on_which_rows_and_go_to_files_of_their_own(tmp_path: Path) -> None:
    defences = ("none", "fine_pruning", "input_pruning", "clipping")
    clear = get_engine(EngineName.CLEAR)
    for _ in range(2):  # the second time everything is there
        run_matrix([study()], tmp_path, engine=clear, attacks=("none",), defences=defences, name="matrix-mlp")
    cells = {cell["defence"]: cell for cell in read_matrix(tmp_path / "matrix-mlp.jsonl")["cells"]}
    assert list(cells) == ["none", "clipping", "fine_pruning", "input_pruning"]
    assert "rows" not in cells["none"]
    assert cells["fine_pruning"]["rows"] == 30
    assert cells["fine_pruning"]["defence_settings"] == {"clean_rows": 10, "tuning_epochs": 6, "pruned_share": 0.25}
    assert cells["input_pruning"]["defence_settings"] == {"clean_rows": 10, "least_use": 0.01}
    assert cells["clipping"]["verdict"] == "n/a"
    assert cells["clipping"]["reason"] == "there is no clipping for stripes_2-mlp"
    assert {path.name for path in tmp_path.iterdir()} == {
        "matrix-mlp.jsonl",
        "matrix-mlp.csv",
        "matrix-mlp.md",
        "matrix-mlp-weights.npz",
        "matrix-stripes_2-mlp.png",
        "gallery-stripes_2-mlp.png",
    }
    assert "40 training rows, 2 epochs" in (tmp_path / "matrix-mlp.md").read_text(encoding="utf-8")


def test_the_command_leaves_the_files_of_the_default_model_alone(tmp_path: Path, invoke: Callable[..., Result]) -> None:
    task = stripes(2, 40, 24)
    np.savez(tmp_path / "s.npz", x_train=task.x_train, y_train=task.y_train, x_test=task.x_test, y_test=task.y_test)
    out = tmp_path / "out"
    out.mkdir()
    (out / MATRIX_LINES).write_text("another's\n", encoding="utf-8")
    arguments = ("--data", tmp_path / "s.npz", "--engine", "clear", "--quick", "--out", out, "--attack", "none")
    result = invoke("matrix", "--model", "mlp", *arguments, "--defence", "tuning")
    assert result.exit_code == 0
    assert (out / MATRIX_LINES).read_text(encoding="utf-8") == "another's\n"
    assert [cell["defence"] for cell in read_matrix(out / "matrix-mlp.jsonl")["cells"]] == ["tuning"]


def test_a_study_of_another_seed_and_fewer_tests_is_found_again_from_its_record() -> None:
    task = stripes(3, 60, 30)
    study = Study.of(part_of(task, 48, 24), "made for tests", model=MLP, random_state=5)
    assert study.parameters == replace(MLP.suggested((4, 4), 3), random_state=5)
    again = Study.again(task, {study.name: study.record()}, "made for tests", MLP)
    assert again.record() == study.record()
    with pytest.raises(ParameterError, match="linear_svm draws nothing"):
        Study.of(framed_task(), random_state=1)
