"""Tuning: mlp_train.mpc from weights that are there, against the independent reference; pruned neurons stay dead."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.fixed_point import MAX_WIDTH
from mpc_tamper.models.mlp.bounds import mlp_constants
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.mlp.pruning import pruned_weights
from mpc_tamper.models.mlp.scoring import split
from mpc_tamper.models.mlp.tuning import tuning_call, tuning_constants, tuning_parameters
from mpc_tamper.models.pruning import CleanRows, InputPruning, NeuronPruning, Pruning
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.workflows.opening import open_model
from mpc_tamper.workflows.pruning import Prune, Tune
from mpc_tamper.workflows.stages import Training, run_stage
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3
from tests.support.reference_mlp import Reference

PARAMETERS = MlpParameters(hidden=6, epochs=2, batch_size=16, learning_rate=0.2)
CLEAR, REP3 = ClearEngine(), InMemoryRep3()


class Going(Reference):
    """From weights that are there."""

    weights: tuple[np.ndarray, np.ndarray]

    def start(self, pixels: int, columns: int, f1: int) -> tuple[np.ndarray, np.ndarray]:
        return self.weights


def tuned_slowly(
    weights: np.ndarray, task: Task, parameters: MlpParameters, clean: CleanRows, epochs: int
) -> list[int]:
    """With the rate's gain and the scales of the training alone."""
    classes, rows = len(task.classes), len(task.x_train)
    trained = mlp_constants(parameters, rows, task.x_train.shape[1], 255, classes)
    third = trained.gains[0] // 3
    assert trained.gains[0] == 3 * third
    going = Going(
        hidden=parameters.hidden,
        cap=parameters.cap,
        gains=[third] * epochs,
        r=trained.rate_shift,
        f2=trained.f2,
        start1=0,
        start2=0,
        batch=min(parameters.batch_size or rows, len(clean.x)),
        seed=parameters.random_state,
    )
    outputs = 1 if classes == 2 else classes
    going.weights = split(weights, {"hidden": parameters.hidden, "outputs": outputs})
    return [int(w) for w in going.train(clean.x, clean.y, classes, (len(clean.x),))]


def run(
    task: Task, engine: Engine, folder: Path, pruning: Pruning, clean: CleanRows, epochs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights after the training, the pruning and the tuning."""
    training = Training.of(task, get_model("mlp"), PARAMETERS)
    stages = [training, Prune(training, pruning, clean), Tune(training, epochs, clean)]
    found, before = [], None
    for stage in stages:
        place = folder / stage.name
        run_stage(stage, task, engine=engine, run_dir=place, shares_from=before)
        found.append(open_model(place, engine=engine).weights)
        before = place
    return found[0], found[1], found[2]


@pytest.mark.parametrize("owner", [None, 2])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("rows", [5, 24])
def test_engines_and_the_reference_agree(tmp_path: Path, classes: int, owner: int | None, rows: int) -> None:
    task = stripes(classes)
    clean, pruning = CleanRows(task.x_test[:rows], task.y_test[:rows], owner), NeuronPruning(0.5)
    trained, pruned, tuned = run(task, CLEAR, tmp_path / "clear", pruning, clean, 3)
    architecture = {"hidden": 6, "outputs": 1 if classes == 2 else classes}
    size = DataSize(40, 16, 255, classes)
    architecture = dict(get_model("mlp").architecture(PARAMETERS, size))
    assert pruned.tolist() == pruned_weights(trained, architecture, pruning, clean.x).tolist()
    assert tuned.tolist() == tuned_slowly(pruned, task, PARAMETERS, clean, 3)
    assert tuned.tolist() != pruned.tolist()
    w1, w2 = split(tuned, architecture)
    assert (~w1.any(axis=0)).sum() == (~w2.any(axis=1)).sum() >= 3  # pruned neurons stay dead
    assert [w.tolist() for w in run(task, REP3, tmp_path / "rep3", pruning, clean, 3)] == [
        w.tolist() for w in (trained, pruned, tuned)
    ]


def test_the_stages_run_under_the_active_protocol_and_say_what_they_leave(tmp_path: Path) -> None:
    task = stripes(3)
    clean = CleanRows(task.x_test, task.y_test)
    training = Training.of(task, get_model("mlp"), PARAMETERS)
    run_stage(training, task, engine=REP3, run_dir=tmp_path / "train")
    before = tmp_path / "train"
    for stage in (Prune(training, InputPruning(0.3), clean), Tune(training, 1, clean)):
        result = run_stage(stage, task, engine=REP3, run_dir=tmp_path / stage.name, shares_from=before)
        assert result.spec.protocol is ProtocolName.MAL_REP_RING
        before = tmp_path / stage.name
        left = stage.leaves(task)
        assert (left.classes, left.shares, left.architecture) == (3, 6 * 20, training.leaves(task).architecture)
        assert open_model(before, engine=REP3).predict(task.x_test).shape == (24,)


def test_constants_are_those_of_the_training_but_for_the_rate() -> None:
    size = DataSize(12_032, 784, 255, 10)
    for epochs in (1, 2, 5):
        parameters = MlpParameters(epochs=epochs)
        trained, tuned = mlp_constants(parameters, 12_032, 784, 255, 10), tuning_constants(parameters, size, 2048, 6)
        for name in ("f1", "f2", "rate_shift", "cap", "shift"):
            assert getattr(tuned, name) == getattr(trained, name)
        assert tuned.gains == (5,) * 6
        assert tuned.width1 == tuned.width2 == MAX_WIDTH
        assert trained.hidden_bound < tuned.hidden_bound < 2**63
        assert trained.output_bound < tuned.output_bound < 2**63


def test_a_bound_that_does_not_fit_is_refused() -> None:
    size = DataSize(12_032, 784, 255, 10)
    with pytest.raises(ParameterError, match="tuning: expected public bounds below 2\\^63"):
        tuning_constants(MlpParameters(), size, 2048, 5000)
    with pytest.raises(ParameterError, match="epochs: expected 1"):
        tuning_parameters(MlpParameters(), 0)


def test_rows_that_are_longer_than_stated_are_not_tuned_on(tmp_path: Path) -> None:
    task = stripes(3)
    training = Training.of(task, get_model("mlp"), replace(PARAMETERS, max_row_norm=2.6))
    white = CleanRows(np.full((2, 16), 255, np.uint8), np.array([0, 1], np.uint8))
    run_stage(training, task, engine=CLEAR, run_dir=tmp_path / "train")
    with pytest.raises(ParameterError, match="max_row_norm"):
        run_stage(
            Tune(training, 1, white), task, engine=CLEAR, run_dir=tmp_path / "tune", shares_from=tmp_path / "train"
        )


def test_a_secret_start_is_tuned_with_the_same_arguments() -> None:
    clean, size = CleanRows(np.zeros((4, 16), np.uint8), np.zeros(4, np.uint8)), DataSize(40, 16, 255, 3)
    with tempfile.TemporaryDirectory() as name:
        calls = [
            tuning_call(replace(PARAMETERS, start=start), size, 2, clean, Path(name)).args
            for start in (Start.PUBLIC, Start.SECRET)
        ]
    assert calls[0] == calls[1]
    assert {"rows=4", "batch=4"} <= set(calls[0])
