"""A model of somebody else: one folder (tests/support/nearest_mean) and one line in the registry, no other edit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper import testing
from mpc_tamper.models import registry
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix.matrix import run_matrix
from mpc_tamper.studies.matrix.study import Study
from tests.support.images import framed_task
from tests.support.in_memory import InMemoryRep3

PLACE = "tests.support.nearest_mean.model"
LINE = {"nearest_mean": registry.Entry(f"{PLACE}:NearestMean", f"{PLACE}:MeanParameters")}
NAME = "nearest_mean"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MODELS", MappingProxyType({**registry.MODELS, **LINE}))


def means(task: mt.Task) -> np.ndarray:
    """(2, n) float64: of class 1, then of class 0."""
    return np.stack([task.x_train[task.y_train == c].mean(axis=0) for c in (1, 0)])


@pytest.mark.parametrize("engine", ["clear", "rep3"])
def test_it_is_trained_and_classifies_by_the_nearest_mean(tiny_task: mt.Task, engine: str) -> None:
    trained = mt.train(tiny_task, model=NAME, engine=engine).open()
    assert trained.secret.model.name == NAME
    distances = ((tiny_task.x_test[:, None, :] - means(tiny_task)) ** 2).sum(axis=2)
    assert trained.predict(tiny_task.x_test).tolist() == (distances[:, 0] < distances[:, 1]).astype(int).tolist()
    assert trained.record()["fixed_point"]["score_bound"] < 2**63


def test_it_is_verified(tiny_task: mt.Task, tmp_path: Path) -> None:
    engine = InMemoryRep3()
    mt.train(tiny_task, model=NAME, engine=engine, run_dir=tmp_path)
    found = mt.verify(tmp_path, tiny_task, mt.AccuracyThreshold(0.9), engine=engine)
    assert found.verdict.passed
    with pytest.raises(mt.ParameterError, match="a k-pixel certificate; nearest_mean has none"):
        mt.verify(tmp_path, tiny_task, mt.PixelRobustness(1, 0.9), engine=engine)


def test_additive_errors_reach_it(tiny_task: mt.Task) -> None:
    model = registry.get_model(NAME)
    size = model_size(tiny_task)
    plan = model.errors(model.parameters(), size).shift(np.append(0, -255.0 * np.ones(16)), strength=1.0)
    honest = mt.train(tiny_task, model=NAME, engine="clear").open()
    for engine in (mt.get_engine(EngineName.CLEAR), InMemoryRep3()):
        attacked = mt.train(tiny_task, model=NAME, engine=engine, corruption=mt.Corruption(1, plan)).open()
        difference = attacked.weights - honest.weights
        assert difference.tolist() == [-255 * 24] * 16 + [0] * 18
    corruption = mt.Corruption(1, plan)
    with pytest.raises(mt.ProtocolAbort):
        mt.train(tiny_task, model=NAME, engine=InMemoryRep3(), protocol="mal-rep-ring", corruption=corruption)


def model_size(task: mt.Task) -> object:
    from mpc_tamper.models.base import DataSize

    return DataSize(len(task.x_train), task.x_train.shape[1], 255)


def test_a_size_without_a_public_bound_is_refused(tiny_task: mt.Task) -> None:
    from mpc_tamper.models.base import DataSize

    model = registry.get_model(NAME)
    with pytest.raises(mt.ParameterError, match="public bound"):
        model.constants(model.parameters(), DataSize(100_000, 784, 255))


def test_it_passes_the_checks_that_plug_ins_have_to_pass() -> None:
    testing.check_model(registry.get_model(NAME), engine=InMemoryRep3())


def test_it_is_in_a_quick_matrix(tmp_path: Path) -> None:
    """Attacks and checks that ask for what it lacks are n/a; the others are run."""
    study = Study.of(framed_task(), model=registry.get_model(NAME), quick=True)
    attacks = ("none", "poisoning_5", "sabotage", "backdoor_1", "gradient_zeroing_gate")
    defences = ("none", "accuracy", "certificate_1", "clipping", "active")
    run_matrix([study], tmp_path, engine=InMemoryRep3(), attacks=attacks, defences=defences)
    lines = [json.loads(line) for line in (tmp_path / "matrix.jsonl").read_text().splitlines()]
    cells = {(line["attack"], line["defence"]): line for line in lines if line["kind"] == "cell"}
    left_out = {key for key, cell in cells.items() if cell["verdict"] == "n/a"}
    lacking = {(a, d) for a in attacks for d in defences if a in attacks[3:] or d in ("certificate_1", "clipping")}
    assert len(cells) == 25
    assert left_out == lacking
    assert cells["backdoor_1", "none"]["reason"] == "nearest_mean lacks a linear score"
    assert cells["none", "accuracy"]["verdict"] == "pass"
    assert cells["sabotage", "accuracy"]["verdict"] == "fail"
    assert cells["sabotage", "active"]["aborted"]
    assert cells["none", "none"]["model"] == NAME
    assert "n/a" in (tmp_path / "matrix.md").read_text()


def test_the_command_line_trains_it(tmp_path: Path, invoke: Callable[..., Result], tiny_task: mt.Task) -> None:
    t = tiny_task
    np.savez(tmp_path / "t.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    data = ("--data", tmp_path / "t.npz", "--model", NAME, "--engine", "clear", "--json", "--run-dir", tmp_path / "run")
    result = invoke("train", *data, "--open")
    assert json.loads(result.stdout)["test_accuracy"] == 1.0
    result = invoke("train", *data, "--iterations", "3")
    assert result.exit_code == 2
    assert "got --iterations" in result.stderr
