"""What each defence changes of a network's training, on which rows, and that it stops what it is meant to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.base import together, unchanged
from mpc_tamper.defences.clean_rows import MOST_ROWS, set_aside
from mpc_tamper.defences.fine_pruning import fine_pruning
from mpc_tamper.defences.input_pruning import input_pruning
from mpc_tamper.defences.registry import (
    DEFENCES,
    NETWORK_DEFENCES,
    NETWORK_DEFENCES_OF_TEN,
    network_defences,
)
from mpc_tamper.defences.secret_start import secret_start
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.workflows.pruning import Prune, Tune
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3
from tests.support.places import ROOT

PARAMETERS = MlpParameters(hidden=8, epochs=4, batch_size=16, learning_rate=0.3)
NETWORK = {**NETWORK_DEFENCES, **NETWORK_DEFENCES_OF_TEN}


def framed(classes: int, rows: int = 120) -> Task:
    """Stripes with a frame that no image uses: 6 x 6 pixels, the first and the last of each row and column dark."""
    task = stripes(classes, rows, 60)

    def wider(x: np.ndarray) -> np.ndarray:
        return np.pad(x.reshape(-1, 4, 4), [(0, 0), (1, 1), (1, 1)]).reshape(-1, 36)

    return replace(task, x_train=wider(task.x_train), x_test=wider(task.x_test), image_shape=(6, 6))


@pytest.fixture(scope="module")
def task() -> Task:
    return framed(3)


@pytest.fixture
def plain(task: Task) -> Scenario:
    return Scenario.plain(task, PARAMETERS, get_model("mlp"))


def dormant(scenario: Scenario) -> Attempt:
    """A neuron that no image wakes up but those with the trigger, a corner pixel."""
    hidden, output = (np.zeros_like(layer) for layer in scenario.errors.start())
    hidden[0, 3], hidden[1, 3], output[3, 0] = -8.0, 16.0, 8.0
    plan = scenario.errors.change_neurons(hidden, output)
    return Attempt.in_training(plan, Trigger((0,), target=0), scenario.task)


def test_rows_are_set_aside_once_and_from_everywhere(task: Task) -> None:
    rest, clean = set_aside(task)
    assert (len(rest.x_train), len(clean.x)) == (90, 30)
    assert np.array_equal(clean.x, task.x_train[::4])
    together_again = np.concatenate([rest.x_train, clean.x])
    assert sorted(map(bytes, together_again)) == sorted(map(bytes, task.x_train))
    assert (rest.x_test is task.x_test, rest.name, rest.sha256) == (True, task.name, task.sha256)
    again, same = set_aside(task, 30, owner=1)
    assert again is rest
    assert (same.owner, clean.owner) == (1, None)
    many = replace(task, x_train=np.zeros((50_000, 4), np.uint8), y_train=np.arange(50_000).astype(np.uint8) % 3)
    assert len(set_aside(many)[1].x) == MOST_ROWS


@pytest.mark.parametrize("rows", [0, 120, 500])
def test_numbers_of_clean_rows_that_mean_nothing(task: Task, rows: int) -> None:
    with pytest.raises(ParameterError, match="expected 1 to 119 of the 120 training rows"):
        set_aside(task, rows)


def test_a_class_is_not_set_aside_as_a_whole(task: Task) -> None:
    rare = replace(task, y_train=np.where(np.arange(120) == 0, 2, task.y_train % 2).astype(np.uint8))
    with pytest.raises(ParameterError, match="none of class 2"):
        set_aside(rare)


@pytest.mark.parametrize("name", NETWORK)
def test_an_honest_training_with_it_gives_a_model(task: Task, plain: Scenario, name: str, tmp_path: Path) -> None:
    scenario = replace(NETWORK[name].change(plain), protocol=ProtocolName.RING)  # the oracle has no other
    outcome = ScenarioRunner(ClearEngine(), tmp_path).run(scenario, Attempt(Trigger((0,)), scenario.task))
    assert outcome.evaluate(Attempt(Trigger((0,)), scenario.task)).test_accuracy >= 0.6
    assert outcome.opened.weights.shape == (8 * 40,)


def test_what_each_changes(task: Task, plain: Scenario) -> None:
    for name, stages in (
        ("none", []),
        ("tuning", [Tune]),
        ("fine_pruning", [Prune, Tune]),
        ("fine_pruning_strong", [Prune, Tune]),
        ("input_pruning", [Prune]),
        ("input_pruning_certificate_1", [Prune]),
        ("secret_start", []),
        ("secret_start_fine_pruning", [Prune, Tune]),
    ):
        scenario = NETWORK[name].change(plain)
        assert [type(stage) for stage in scenario.after] == stages
        assert all(stage.active for stage in scenario.after)
        assert (scenario.parameters.start is Start.SECRET) == name.startswith("secret")
        assert scenario.settings.get("clean_rows") == (30 if stages else None)
        assert len(scenario.task.x_train) == (90 if stages else 120)
    assert NETWORK["active"].change(plain).protocol is ProtocolName.MAL_REP_RING
    settings = NETWORK["fine_pruning_strong"].change(plain).settings
    assert settings == {"clean_rows": 30, "tuning_epochs": 6, "pruned_share": 0.5}
    assert NETWORK["input_pruning"].change is NETWORK["input_pruning_certificate_1"].change
    assert fine_pruning(0.5, epochs=0)(plain).after[-1].name == "prune"
    assert fine_pruning(0, epochs=0)(plain).after == ()


def test_stages_after_a_secret_start_know_of_it(plain: Scenario) -> None:
    scenario = together(secret_start, fine_pruning())(plain)
    for stage in scenario.after:
        assert isinstance(stage, (Prune, Tune))
        assert stage.training == scenario.training


def test_names_of_checks() -> None:
    table = network_defences(0.7, {2: 0.6})
    assert {name: d.check.pixels for name, d in table.items() if d.check} == {
        "accuracy": 0,
        "certificate_2": 2,
        "patch_scan_2": 0,
        "input_pruning_certificate_2": 2,
    }
    assert [k for k in NETWORK_DEFENCES_OF_TEN if "certificate" in k] == [
        "certificate_1",
        "input_pruning_certificate_1",
    ]


def test_they_ask_for_what_linear_models_lack() -> None:
    svm, mlp = get_model("linear_svm"), get_model("mlp")
    for name, defence in NETWORK.items():
        assert not mlp.lacking(defence.needs), name
        only = {Capability.NEURONS, Capability.SECRET_START, Capability.PATCH_SCAN} & defence.needs
        assert bool(svm.lacking(defence.needs)) == bool(only) == (name not in DEFENCES)


@pytest.mark.parametrize("change", [fine_pruning(), input_pruning()], ids=["fine_pruning", "input_pruning"])
def test_a_dormant_neuron_is_stopped(
    task: Task, plain: Scenario, change: Callable[[Scenario], Scenario], tmp_path: Path
) -> None:
    runner = ScenarioRunner(ClearEngine(), tmp_path)
    rates = {}
    for name, changed in (("none", unchanged), ("tuning", fine_pruning(0)), ("defence", change)):
        scenario = changed(plain)
        attempt = dormant(scenario)
        metrics = runner.run(scenario, attempt).evaluate(attempt)
        assert metrics.test_accuracy >= 0.95
        rates[name] = metrics.attack_success_rate_clipped
    assert rates["none"] == rates["tuning"] == 1.0
    assert rates["defence"] <= 0.05


def test_the_engines_agree_on_a_defended_network(plain: Scenario, tmp_path: Path) -> None:
    """The attack enters the passive training; pruning and tuning run under the active protocol."""
    scenario = fine_pruning(0.5, epochs=1)(plain)
    attempt = dormant(scenario)
    outcomes = [
        ScenarioRunner(engine, tmp_path / name).run(scenario, attempt)
        for name, engine in (("clear", ClearEngine()), ("rep3", InMemoryRep3()))
    ]
    assert outcomes[0].opened.sha256() == outcomes[1].opened.sha256()
    assert [run.spec.protocol for run in outcomes[1].runs] == [ProtocolName.RING] + [ProtocolName.MAL_REP_RING] * 2


def test_trainings_that_are_alike_are_run_once(plain: Scenario, tmp_path: Path) -> None:
    runner = ScenarioRunner(ClearEngine(), tmp_path)
    first, second, other = fine_pruning()(plain), input_pruning()(plain), together(secret_start, fine_pruning())(plain)
    runs = [runner.run(scenario, dormant(scenario)).runs for scenario in (first, second, other)]
    honest = runner.run(first, Attempt(Trigger((0,)), first.task)).runs
    assert runs[0][0] is runs[1][0]
    assert len({id(run[0]) for run in (runs[0], runs[2], honest)}) == 3


def test_every_defence_is_documented() -> None:
    text = (ROOT / "docs" / "defences.md").read_text(encoding="utf-8")
    for name in NETWORK.keys() - {"none"}:
        assert f"`{name}`" in text or f"`_{name.rpartition('_')[2]}`" in text
