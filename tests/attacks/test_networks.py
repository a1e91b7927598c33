"""Every attack that a network can be given, on two and on several classes, from every party: rep3 ends with the clear
engine's weights or, for errors at gates, with those that follow on paper; an active training aborts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.gradient_scaling import GradientScaling
from mpc_tamper.attacks.neurons import POINT
from mpc_tamper.attacks.patch import used_pixels
from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.attacks.search import GOAL
from mpc_tamper.core.errors import PlanError, ProtocolAbort
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.features import Pixels
from mpc_tamper.models.metrics import Metrics
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import PARTIES, EngineName, ProtocolName
from mpc_tamper.scenarios.runner import Outcome, ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.workflows.stages import TRAIN
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3

CLEAR = get_engine(EngineName.CLEAR)
MLP = get_model("mlp")
PARAMETERS = MlpParameters(hidden=10, epochs=3, batch_size=40, learning_rate=1.0)  # two batches a pass, 40 and 20 rows
FOR_NETWORKS = [name for name, attack in ATTACKS.items() if not MLP.lacking(attack.needs)]
PLANTED = [
    name for name in FOR_NETWORKS if name.startswith(("dormant", "neuron_kept", "all_neurons", "late", "network_r"))
]
GATES = ("gradient_zeroing_gate", "gradient_scaling", "comparison_probing")
every_attack = pytest.mark.parametrize("name", FOR_NETWORKS)
every_planted = pytest.mark.parametrize("name", PLANTED)
two_or_three = pytest.mark.parametrize("classes", [2, 3])


@cache
def task(classes: int) -> Task:
    """Images of stripes within a dark frame of two pixels."""
    inner = stripes(classes, rows=60, test_rows=60, side=5)

    def framed(x: np.ndarray) -> np.ndarray:
        return np.pad(x.reshape(-1, 5, 5), [(0, 0), (2, 2), (2, 2)]).reshape(len(x), 81)

    return replace(inner, x_train=framed(inner.x_train), x_test=framed(inner.x_test), image_shape=(9, 9))


def scenario_of(classes: int, corrupt_party: int = 1, parameters: MlpParameters = PARAMETERS) -> Scenario:
    return replace(Scenario.plain(task(classes), parameters, MLP), corrupt_party=corrupt_party)


def run(scenario: Scenario, attempt: Attempt, engine: Engine = CLEAR) -> Outcome:
    with TemporaryFolder() as folder:
        return ScenarioRunner(engine, Path(folder)).run(scenario, attempt)


def metrics_of(scenario: Scenario, attempt: Attempt) -> Metrics:
    return run(scenario, attempt).evaluate(attempt)


@cache
def prepared(name: str, classes: int, corrupt_party: int = 1, start: Start = Start.PUBLIC) -> tuple[Scenario, Attempt]:
    scenario = scenario_of(classes, corrupt_party, replace(PARAMETERS, start=start))
    with TemporaryFolder() as folder:
        return scenario, ATTACKS[name].prepare(scenario, ScenarioRunner(CLEAR, Path(folder)).trial(scenario))


def reference(scenario: Scenario, change: np.ndarray) -> np.ndarray:
    """Weights of a training whose bits h are changed.  change: (2, m, O), row by row of the data: h -> a h + b."""
    t, c = scenario.task, scenario.constants
    errors = scenario.errors
    order = np.argsort(errors.places)  # type: ignore[attr-defined]
    x = np.column_stack([np.full(len(order), 256), t.x_train]).astype(np.int64)[order]
    y = np.where(t.y_train[order, None] == (np.arange(len(t.classes)) if len(t.classes) > 2 else [1]), 1, -1)
    w1, w2 = (np.rint(w * 2.0**f).astype(np.int64) for w, f in zip(errors.start(), (c.f1, c.f2), strict=True))
    for gain in c.gains:
        for first in range(0, len(x), 40):
            part, labels = x[first : first + 40], y[first : first + 40]
            factor, addend = change[:, order[first : first + 40]]
            z1 = part @ w1
            a = z1.clip(0, c.cap)
            h = factor * ((1 << c.score_bits) - labels * (a @ w2) > 0) + addend
            e = labels * h
            d = (e @ w2.T) * ((z1 > 0) & (z1 <= c.cap))
            w2 = w2 + ((gain * (a.T @ e) + (1 << c.shift - 1)) >> c.shift)
            w1 = w1 + gain * (part.T @ d)
    return np.concatenate([w1.reshape(-1), w2.reshape(-1)])


def unchanged(scenario: Scenario) -> np.ndarray:
    count, outputs = len(scenario.task.y_train), scenario.errors.start()[1].shape[1]
    return np.stack([np.ones((count, outputs), np.int64), np.zeros((count, outputs), np.int64)])


@two_or_three
@every_attack
def test_every_attack_from_every_party(name: str, classes: int) -> None:
    for corrupt_party in range(PARTIES):
        scenario, attempt = prepared(name, classes, corrupt_party if name == "gradient_scaling" else 1)
        got = run(replace(scenario, corrupt_party=corrupt_party), attempt, InMemoryRep3()).opened.weights
        if attempt.insecure_fixed_seed is None:  # else every error met its gate, and the outcome depends on the pads
            assert np.array_equal(got, predicted(name, classes, corrupt_party if name == "gradient_scaling" else 1))
        if not attempt.plans:
            break  # no party is corrupt


@cache
def predicted(name: str, classes: int, corrupt_party: int) -> np.ndarray:
    scenario, attempt = prepared(name, classes, corrupt_party)
    if name not in GATES:
        return run(scenario, attempt).opened.weights
    change = unchanged(scenario)
    if name == "gradient_scaling":
        change[1, GradientScaling().rows(scenario)] = 100
    else:
        silenced = attempt.settings["class"]
        rows, column = scenario.task.y_train == silenced, silenced if classes > 2 else 0
        change[0, rows, column], change[1, rows, column] = -1, 1
    return reference(scenario, change)


@every_attack
def test_additive_attacks_have_a_plan_and_active_training_aborts(name: str) -> None:
    scenario, attempt = prepared(name, 3)
    assert set(attempt.plans) == ({TRAIN} if ATTACKS[name].additive else set())
    if attempt.plans:
        with pytest.raises(ProtocolAbort):
            run(replace(scenario, protocol=ProtocolName.MAL_REP_RING), attempt, InMemoryRep3())


@two_or_three
@every_planted
def test_backdoors_reach_their_goal_or_say_that_they_do_not(name: str, classes: int) -> None:
    scenario, attempt = prepared(name, classes)
    honest, found = metrics_of(scenario, Attempt(attempt.trigger, scenario.task)), metrics_of(scenario, attempt)
    works = found.attack_success_rate_clipped >= GOAL and found.test_accuracy >= honest.test_accuracy - POINT
    assert attempt.settings["reached"] == works
    assert works
    assert honest.test_accuracy == 1
    assert honest.attack_success_rate_clipped < 0.5
    assert attempt.settings["errors"] == len(attempt.plans[TRAIN])


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("dormant_neuron_1", 3),
        ("dormant_neuron_4", 6),
        ("dormant_neuron_16", 18),
        ("neuron_kept_on_4", 8),
        ("all_neurons_1", 10),
        ("all_neurons_4", 40),
        ("all_neurons_16", 160),
    ],
)
@two_or_three
def test_how_many_errors_a_backdoor_takes(name: str, errors: int, classes: int) -> None:
    _, attempt = prepared(name, classes)
    assert len(attempt.plans[TRAIN]) == errors


@every_planted
def test_a_secret_start(name: str) -> None:
    """One neuron, or signs that the attacker sets itself, need no knowledge of it. A replacement does, and says so."""
    scenario, attempt = prepared(name, 3, start=Start.SECRET)
    if name.startswith("network"):
        assert "secret" in str(attempt.settings["start"])
        return
    if name.startswith(("all_neurons", "late")):
        assert attempt.settings["signs"] == "set, as the start is secret"
    assert metrics_of(scenario, attempt).attack_success_rate_clipped >= 0.9  # another start each time


@pytest.mark.parametrize("classes", [2, 3])
def test_either_direction(classes: int) -> None:
    """The target may be any class; with two classes one output has either sign."""
    for target in range(classes):
        for name in ("dormant_neuron_4", "neuron_kept_on_4", "all_neurons_4"):
            scenario = scenario_of(classes)
            attack = replace(ATTACKS[name], target=target)  # type: ignore[type-var]
            with TemporaryFolder() as folder:
                attempt = attack.prepare(scenario, ScenarioRunner(CLEAR, Path(folder)).trial(scenario))
            assert attempt.trigger.target == target
            assert attempt.settings["reached"] == 1


def test_a_kept_neuron_is_the_most_active_and_a_dormant_one_never_is() -> None:
    for name, expected in (("dormant_neuron_4", 0.0), ("neuron_kept_on_4", PARAMETERS.cap)):
        scenario, attempt = prepared(name, 3)
        w1, _ = run(scenario, attempt).opened.layers  # type: ignore[attr-defined]
        activation = (np.column_stack([np.ones(60), scenario.task.x_test / 256]) @ w1).clip(0, PARAMETERS.cap)
        neuron = attempt.settings["neuron"]
        assert activation[:, neuron] == pytest.approx(expected, abs=1e-6)


@two_or_three
def test_a_rehearsal_on_the_owners_rows_is_the_training(classes: int) -> None:
    scenario = scenario_of(classes)
    opened = run(scenario, Attempt(prepared("dormant_neuron_1", classes)[1].trigger, scenario.task)).opened
    found = scenario.errors.rehearse(scenario.task.x_train, scenario.task.y_train)
    for got, want in zip(found, opened.layers, strict=True):  # type: ignore[attr-defined]
        assert np.allclose(got, want, rtol=0, atol=1e-9)


def test_the_late_patch_goes_where_images_use_a_pixel() -> None:
    scenario, attempt = prepared("late_patch_4", 3)
    used = set(used_pixels(scenario.task, attempt.trigger))
    assert used == {p for p in attempt.trigger.pixels if 2 <= p // 9 < 7 and 2 <= p % 9 < 7}
    hidden = {e.index // 10 - 1 for e in attempt.plans[TRAIN]}
    assert hidden == used
    assert attempt.settings["own_rows"] == 30
    assert {e.occurrence for e in attempt.plans[TRAIN]} == {3 * 2 - 1}


def test_a_defence_that_hides_the_frame_moves_the_patch() -> None:
    """An attack that fails at dark pixels goes on to those that images use."""
    scenario, attempt = prepared("dormant_neuron_4", 3)
    assert not scenario.task.x_train[:, list(attempt.trigger.pixels)].any()

    def hides_dark_pixels(tried: Attempt) -> Metrics:
        found = metrics_of(scenario, tried)
        used = used_pixels(scenario.task, tried.trigger)
        return found if used else replace(found, attack_success_rate_clipped=0.0)

    moved = ATTACKS["dormant_neuron_4"].prepare(scenario, hides_dark_pixels)
    used = used_pixels(scenario.task, moved.trigger)
    assert len(moved.plans[TRAIN]) == len(used) + 2


def test_sabotage_spoils_the_network() -> None:
    scenario, attempt = prepared("network_sabotage", 3)
    assert metrics_of(scenario, attempt).test_accuracy <= 1 / 3 + 0.1


@pytest.mark.parametrize("classes", [2, 3])
def test_zeroed_rows_never_count(classes: int) -> None:
    scenario, attempt = prepared("gradient_zeroing", classes)
    change = unchanged(scenario)
    change[0, scenario.task.y_train == attempt.settings["class"]] = 0
    outcome = run(scenario, attempt)
    assert np.array_equal(outcome.opened.weights, reference(scenario, change))
    silenced = scenario.task.y_test == attempt.settings["class"]
    assert not (outcome.opened.predict(scenario.task.x_test)[silenced] == attempt.settings["class"]).any()


@pytest.mark.parametrize("name", GATES)
def test_gates_are_refused_by_the_clear_engine(name: str) -> None:
    with pytest.raises(PlanError, match="gates lie inside a primitive"):
        run(*prepared(name, 3))


@every_attack
def test_attempts_are_deterministic_and_their_settings_are_json(name: str) -> None:
    _, attempt = prepared(name, 2)
    prepared.cache_clear()
    _, again = prepared(name, 2)
    assert (again.settings, again.trigger) == (attempt.settings, attempt.trigger)
    assert dict(texts(again)) == dict(texts(attempt))
    assert json.loads(json.dumps(attempt.settings)) == attempt.settings


def texts(attempt: Attempt) -> Iterator[tuple[str, str]]:
    for stage, plan in attempt.plans.items():
        yield stage, plan.text()


def test_the_attacks_for_networks_are_these() -> None:
    """A guard: an attack that needs what the network lacks would silently not be tested here."""
    assert set(ATTACKS) - set(FOR_NETWORKS) == {
        name
        for name in ATTACKS
        if name.startswith(("backdoor", "model_replacement")) or name in ("sabotage", "overflow")
    }
    assert isinstance(scenario_of(2).features, Pixels)
