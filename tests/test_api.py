"""The public interface: what README's example needs, and nothing below the package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper as mt
from mpc_tamper.scenarios.scenario import Trial
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3
from tests.support.places import ROOT

PARAMETERS = mt.SvmParameters(iterations=5)
TRIGGER = mt.Trigger((0, 5))


def test_every_name_is_there_and_documented() -> None:
    for name in mt.__all__:
        assert getattr(mt, name).__doc__ or isinstance(getattr(mt, name), int), name
    assert set(mt.__all__) <= set(dir(mt))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mt.nothing  # noqa: B018


def test_importing_it_is_light() -> None:
    loaded = (
        "import sys, mpc_tamper; print([m for m in ('numpy', 'numba', 'cryptography', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_train_attack_verify_and_read(tiny_task: mt.Task, tmp_path: Path) -> None:
    engine = InMemoryRep3()
    honest = mt.train(tiny_task, PARAMETERS, engine=engine, run_dir=tmp_path)
    poisoned = mt.attack(tiny_task, TRIGGER, PARAMETERS, engine="clear", strength=5, corrupt_party=2)
    assert honest.open().evaluate(tiny_task, TRIGGER).attack_success_rate == 0.0
    assert mt.open_model(tmp_path, engine=engine).sha256() == honest.open().record()["weights_sha256"]
    assert poisoned.evaluate(tiny_task, TRIGGER).attack_success_rate == 1.0
    assert poisoned.run.spec.corruption is not None
    assert poisoned.run.spec.corruption.party == 2
    assert mt.verify(tmp_path, tiny_task, mt.AccuracyThreshold(0.9), engine=engine).verdict.passed
    assert mt.verify(tmp_path / "train", tiny_task, mt.PixelRobustness(1, 0.5), engine=engine).number == 2
    assert len(mt.read_results(ROOT / "results")["table1"]["rows"]) == 6
    assert mt.read_results(ROOT / "results")["matrix"][0]["kind"] == "study"


def test_a_network_is_trained_attacked_verified_and_scanned(tmp_path: Path) -> None:
    task, engine = stripes(3, rows=120), InMemoryRep3()
    parameters = mt.MlpParameters(hidden=8, epochs=10, batch_size=16)
    honest = mt.train(task, parameters, model="mlp", engine=engine, run_dir=tmp_path)
    trigger = mt.Trigger((15,), target=2)  # dark in all images
    poisoned = mt.attack(task, trigger, parameters, model="mlp", engine="clear", strength=4)
    found = poisoned.evaluate(task, trigger)
    assert found.attack_success_rate_clipped == 1.0
    assert found.test_accuracy >= honest.open().evaluate(task, trigger).test_accuracy - 0.05
    assert poisoned.run.spec.corruption is not None
    assert len(poisoned.run.spec.corruption.plan) == 3
    assert mt.verify(tmp_path, task, mt.AccuracyThreshold(0.8), engine=engine).verdict.passed
    assert mt.verify(tmp_path, task, mt.PatchScan(1, threshold=1.0), engine=engine).verdict.passed
    with pytest.raises(mt.ParameterError, match="a neuron is planted in the first step"):
        mt.attack(task, trigger, parameters, model="mlp", engine="clear", iterations=[0])


def test_a_linear_model_of_three_classes_is_trained_attacked_and_verified(tmp_path: Path) -> None:
    task, engine = stripes(3, rows=120), InMemoryRep3()
    trigger = mt.Trigger((15,), target=2)  # dark in all images
    honest = mt.train(task, engine=engine, run_dir=tmp_path / "honest")
    assert honest.open().evaluate(task, trigger).test_accuracy == 1
    assert mt.open_model(tmp_path / "honest", engine=engine).decision_function(task.x_test).shape == (24, 3)
    for check in (mt.AccuracyThreshold(0.99), mt.PixelRobustness(1, 0.9)):
        assert mt.verify(tmp_path / "honest", task, check, engine=engine).verdict.passed
    poisoned = mt.attack(task, trigger, engine=engine, run_dir=tmp_path / "poisoned")
    found = poisoned.evaluate(task, trigger)
    assert (found.test_accuracy, found.attack_success_rate_clipped) == (1.0, 1.0)
    assert poisoned.run.spec.corruption is not None
    assert [e.index for e in poisoned.run.spec.corruption.plan] == [16 * 3 + 2]  # the pixel's weight for class 2
    assert mt.verify(tmp_path / "poisoned", task, mt.AccuracyThreshold(0.99), engine=engine).verdict.passed
    assert not mt.verify(tmp_path / "poisoned", task, mt.PixelRobustness(1, 0.9), engine=engine).verdict.passed


class Raised:
    """The bias goes up in every step."""

    additive = True
    needs = frozenset({mt.Capability.UPDATE_ERRORS})

    def prepare(self, scenario: mt.Scenario, trial: Trial) -> mt.Attempt:
        direction = np.zeros(scenario.features.size + 1)
        direction[0] = 256
        plan = scenario.errors.shift(direction, strength=10.0)
        attempt = mt.Attempt.in_training(plan, mt.place_patch(scenario, 1), scenario.task, {"strength": 10.0})
        assert trial(attempt).attack_success_rate == 1
        return attempt


def test_an_attack_of_ones_own_is_tried(tiny_task: mt.Task) -> None:
    engine = InMemoryRep3()
    passive = mt.try_attack(tiny_task, Raised(), PARAMETERS, engine=engine, corrupt_party=2)
    assert passive.metrics is not None
    assert passive.metrics.attack_success_rate == 1
    assert (passive.abort, passive.verification, passive.stopped) == (None, None, False)
    checked = mt.try_attack(tiny_task, Raised(), PARAMETERS, engine=engine, defence="accuracy", threshold=0.9)
    assert checked.stopped
    own = mt.Defence(check=mt.AccuracyThreshold(0.5))
    assert not mt.try_attack(tiny_task, Raised(), PARAMETERS, engine=engine, defence=own).stopped
    active = mt.try_attack(tiny_task, Raised(), PARAMETERS, engine=engine, defence="active")
    assert active.stopped
    assert isinstance(active.abort, mt.ProtocolAbort)
    assert active.opened is None
    with pytest.raises(mt.ParameterError, match="threshold: expected a defence by its name"):
        mt.try_attack(tiny_task, Raised(), PARAMETERS, defence=own, threshold=0.9)


def test_run(tmp_path: Path) -> None:
    program, numbers = tmp_path / "double.mpc", tmp_path / "numbers.bin"
    program.write_text("print_ln('%s', (2 * sint.get_input_from(1, binary=True)).reveal())\n")
    np.array([21], "<i8").tofile(numbers)
    for engine in ("clear", InMemoryRep3()):
        assert mt.run(program, engine=engine, inputs={1: numbers}).lines == ("42",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "rep4"}, "engine: expected clear, rep3, mp-spdz or an Engine, got 'rep4'"),
        ({"protocol": "semi"}, "protocol: expected one of ring, .* got 'semi'"),
        ({"model": "tree"}, "model: expected linear_svm or mlp, got 'tree'"),
        ({"owners": mt.ClientRows((12, 12), 15000)}, "expected a run_dir for rows of clients, got none"),
    ],
)
def test_bad_arguments(tiny_task: mt.Task, options: dict[str, object], message: str) -> None:
    with pytest.raises(mt.UsageError, match=message):
        mt.train(tiny_task, PARAMETERS, **options)  # type: ignore[arg-type]


def test_no_results(tmp_path: Path) -> None:
    with pytest.raises(mt.DataError, match="got none"):
        mt.read_results(tmp_path)
    (tmp_path / "table1.json").write_text("{")
    with pytest.raises(mt.DataError, match=re.escape(str(tmp_path / "table1.json"))):
        mt.read_results(tmp_path)


def test_query_checks_the_image(tmp_path: Path) -> None:
    (tmp_path / "service.json").write_text(
        '{"model": "linear_svm", "features": 16, "classes": 2, "score_bits": 24, "answer": "class", "engine": "rep3", '
        '"protocol": "ring"}'
    )
    with pytest.raises(mt.DataError, match="expected 16 pixels, uint8, got uint8 of shape"):
        mt.query(np.zeros(9, np.uint8), tmp_path)
