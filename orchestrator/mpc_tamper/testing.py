"""What every attack, defence and model keeps to, as functions for anybody's tests: call them from your plug-in's own.

    from mpc_tamper import testing

    def test_my_attack():
        testing.check_attack(MyAttack())

Each raises AssertionError with what was expected and what came. They train small models on the clear engine, in a few
seconds; with engine=get_engine("rep3") also in three-party computation, and compare.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.task import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.base import Defence
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize, Layout, Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.parameters import HELP
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.scenarios.runner import Outcome, ScenarioRunner
from mpc_tamper.scenarios.scenario import Attack, Attempt, Scenario
from mpc_tamper.workflows.oracle import oracle
from mpc_tamper.workflows.training import train_and_open

_ROUNDING = 1.0  # of a feature
_ROWS_OF_NETWORKS = 1200  # that a short training learns something from


def small_task(classes: int = 2, *, side: int = 8, rows: int = 48, tests: int = 24, seed: int = 1) -> Task:
    """Square images in a dark frame, which any linear model tells apart: class c is bright in a stripe of its own."""
    rng = np.random.default_rng(seed)
    inside = side - 2
    edges = np.linspace(0, inside, classes + 1).astype(int)

    def images(count: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(count) % classes).astype(np.uint8)
        x = rng.integers(0, 40, size=(count, inside, inside))
        for label in range(classes):
            x[y == label, :, edges[label] : edges[label + 1]] += 180
        return np.pad(x, ((0, 0), (1, 1), (1, 1))).reshape(count, side * side).astype(np.uint8), y

    names = tuple(f"stripe {label}" for label in range(classes))
    return Task("small", *images(rows), *images(tests), (side, side), names, "made for tests", sha256="0" * 64)


def small_scenario(model: Model | None = None, task: Task | None = None) -> Scenario:
    """A quick training of such a task without a defence."""
    model = model or get_model()
    task = task or small_task(rows=_ROWS_OF_NETWORKS if Capability.NEURONS in model.capabilities else 48)
    return Scenario.plain(task, model.shortened(model.suggested(task.image_shape, len(task.classes))), model)


def check_attack(attack: Attack, scenario: Scenario | None = None, *, engine: Engine | None = None) -> None:
    """An attack is deterministic, says what it did in JSON, and its errors meet their places.

    scenario: what to attack; small_scenario() where None.  engine: where the attempt is run as well, and aborts where
    the training is active; the clear engine alone where None.
    """
    scenario = scenario or small_scenario()
    needs = frozenset(attack.needs)
    _expect(needs <= set(Capability), f"needs: expected capabilities of models, got {set(needs) - set(Capability)}")
    lacking = scenario.model.lacking(needs, len(scenario.task.classes))
    _expect(not lacking, f"expected a scenario whose model has {', '.join(lacking)}; give one to this check")
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        runner = ScenarioRunner(get_engine(EngineName.CLEAR), Path(folder, "clear"))
        trial = runner.trial(scenario)
        attempt, again = attack.prepare(scenario, trial), attack.prepare(scenario, trial)
        _check_attempt(attack, attempt, scenario)
        _expect(_same(attempt, again), "expected the same attempt of the same scenario, got two different ones")
        on_clear = None if Capability.GATE_ERRORS in needs else runner.run(scenario, attempt)
        if engine is not None:
            _check_on(engine, scenario, attempt, on_clear, Path(folder))


def _check_attempt(attack: Attack, attempt: Attempt, scenario: Scenario) -> None:
    task = scenario.task
    attempt.trigger.check(task)
    known = {stage.name for stage in scenario.stages}
    _expect(set(attempt.plans) <= known, f"plans: expected stages of {known}, got {set(attempt.plans)}")
    if attack.additive:
        _expect(bool(attempt.plans), "plans: expected some of an additive attack, got none")
        _expect(attempt.task is task, "task: expected the scenario's of an additive attack, got another")
    else:
        _expect(not attempt.plans, "plans: expected none of an attack on the data, got some")
    shapes = attempt.task.x_train.shape, attempt.task.x_train.dtype, attempt.task.y_train.shape
    wanted = task.x_train.shape, task.x_train.dtype, task.y_train.shape
    _expect(shapes == wanted, f"task: expected training rows of {wanted}, got {shapes}")
    for name in ("x_test", "y_test"):
        _expect(np.array_equal(getattr(attempt.task, name), getattr(task, name)), f"{name}: expected it untouched")
    settings = dict(attempt.settings)
    _expect(json.loads(json.dumps(settings)) == settings, f"settings: expected JSON types, got {settings}")


def _check_on(engine: Engine, scenario: Scenario, attempt: Attempt, clear: Outcome | None, folder: Path) -> None:
    found = ScenarioRunner(engine, folder / "other").run(scenario, attempt)
    if clear is not None:
        alike = np.array_equal(found.opened.weights, clear.opened.weights)
        _expect(alike, f"expected the weights of the clear engine on {engine.name}, got others")
    active = engine.active_protocol()
    if attempt.plans and active is not None:
        try:
            ScenarioRunner(engine, folder / "active").run(replace(scenario, protocol=active), attempt)
        except ProtocolAbort:
            return
        raise AssertionError(f"expected {active} to abort under these errors, got a model")


def check_defence(defence: Defence, scenario: Scenario | None = None, *, learns: bool = True) -> None:
    """A defence leaves a scenario that trains honestly, features as attackers are told, and a check that can be asked.

    scenario: what to defend; small_scenario() where None.  learns: whether so short a training has to be better than
    guessing with it.
    """
    scenario = scenario or small_scenario()
    lacking = scenario.model.lacking(defence.needs, len(scenario.task.classes))
    _expect(not lacking, f"expected a scenario whose model has {', '.join(lacking)}; give one to this check")
    changed = replace(defence.change(scenario), protocol=ProtocolName.RING)  # whose weights an active one's are
    pixels = scenario.task.x_train.shape[1]
    rng = np.random.default_rng(1)
    images, delta = rng.integers(0, MAX_PIXEL + 1, (5, pixels)), rng.integers(-MAX_PIXEL, MAX_PIXEL + 1, pixels)
    rows = changed.features.features(images)
    wanted = (5, changed.features.size)
    _expect(rows.shape == wanted, f"features: expected rows of shape {wanted}, got {rows.shape}")
    _expect(np.issubdtype(rows.dtype, np.integer), f"features: expected integers, got {rows.dtype}")
    added = changed.features.features(images + delta) - rows.astype(np.int64)
    off = float(np.abs(added - changed.features.direction(np.asarray(delta))).max())
    _expect(off <= _ROUNDING, f"direction: expected what a trigger adds to features, got {off:g} besides")
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        runner = ScenarioRunner(get_engine(EngineName.CLEAR), Path(folder))
        attempt = Attempt(Trigger((0,)), changed.task)
        outcome = runner.run(changed, attempt)
        accuracy = outcome.evaluate(attempt).test_accuracy
        better = accuracy > 1 / len(changed.task.classes) or not learns
        _expect(better, f"expected an honest model that learns, got an accuracy of {accuracy:.1%}")
        if defence.check is not None:
            _check_check(defence, outcome)


def _check_check(defence: Defence, outcome: Outcome) -> None:
    check, task = defence.check, outcome.scenario.task
    if check is None:
        return
    examples = len(task.x_test)
    _expect(0 <= check.least(examples) <= examples, f"least: expected 0 to {examples}, got {check.least(examples)}")
    asked = oracle(outcome.shares, outcome.features.features(task.x_test), task.y_test, channels=task.channels)
    verdict = check.verdict(asked(check), examples)
    _expect(bool(verdict.check and verdict.statement), f"verdict: expected a check and a statement, got {verdict}")


def check_model(model: Model, task: Task | None = None, *, engine: Engine | None = None) -> None:
    """A model has parameters with defaults and help, trains to as many shares as it says, and scores what it opens.

    task: what to train on; small_task() where None.  engine: as of check_attack().
    """
    task = task or small_task()
    kind = model.parameters
    _expect(is_dataclass(kind), "parameters: expected a dataclass")
    for field in fields(kind):
        _expect(field.default is not MISSING, f"parameters: expected a default for {field.name}, got none")
        _expect(str(field.metadata.get(HELP, "")).endswith("."), f"parameters: expected a help text for {field.name}")
    _expect(bool(model.title), "title: expected some, got none")
    _expect(model.capabilities <= set(Capability), "capabilities: expected those of models")
    for missing in set(Capability) - model.capabilities:
        _refuses(model, missing)
    parameters = model.shortened(model.suggested(task.image_shape, len(task.classes)))
    size = DataSize(len(task.x_train), task.x_train.shape[1], MAX_PIXEL, len(task.classes))
    for layout in Layout:
        call = model.training(parameters, size, Owners.share_equally(size.rows), layout)
        _expect(call.program.is_file(), f"training: expected a program, got {call.program}, which is no file")
    trained = train_and_open(task, parameters, model=model, engine=get_engine(EngineName.CLEAR))
    shares = model.shares(parameters, size)
    _expect(len(trained.weights) == shares, f"expected {shares} shares as it says, got {len(trained.weights)}")
    scores = trained.opened.scores(task.x_test)
    wanted = (len(task.x_test),) if len(task.classes) == 2 else (len(task.x_test), len(task.classes))
    _expect(scores.shape == wanted, f"scores: expected shape {wanted}, got {scores.shape}")
    accuracy = float((trained.predict(task.x_test) == task.y_test).mean())
    _expect(accuracy > 1 / len(task.classes), f"expected a model that learns, got an accuracy of {accuracy:.1%}")
    if engine is not None:
        other = train_and_open(task, parameters, model=model, engine=engine)
        alike = np.array_equal(other.weights, trained.weights)
        _expect(alike, f"expected the weights of the clear engine on {engine.name}, got others")
    if Capability.ACCURACY in model.capabilities:
        check_defence(Defence(check=AccuracyThreshold(0.5)), Scenario.plain(task, parameters, model))


def _refuses(model: Model, missing: Capability) -> None:
    try:
        model.require({missing}, "this check")
    except ParameterError:
        return
    raise AssertionError(f"require: expected a refusal of {missing}, which the model does not have, got none")


def _same(one: Attempt, other: Attempt) -> bool:
    plans = [{stage: plan.text() for stage, plan in attempt.plans.items()} for attempt in (one, other)]
    data = all(np.array_equal(getattr(one.task, name), getattr(other.task, name)) for name in ("x_train", "y_train"))
    return plans[0] == plans[1] and data and (one.trigger, one.settings) == (other.trigger, other.settings)


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)
