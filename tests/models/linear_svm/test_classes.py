"""More than two classes, one against all: clear, rep3 and an independent reference agree on every weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.clients.query import answer as answered
from mpc_tamper.core.errors import DataError, OpeningError, ParameterError, ProgramError, ProtocolAbort
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.argmax import beats_all, predict
from mpc_tamper.models.base import DataSize, Layout
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.linear_svm.bounds import FixedPoint
from mpc_tamper.models.linear_svm.parameters import PLAIN, Loss, Schedule, SvmParameters
from mpc_tamper.models.linear_svm.program import query_call
from mpc_tamper.models.linear_svm.scoring import scores_of_classes
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners, StoredRows
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.training import TrainedModel, train_and_open
from tests.support.clients_in_memory import Servers, serving
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3
from tests.support.reference import reference_weights_of_classes
from tests.support.verify_program import leave_shares

CLEAR = ClearEngine()
SHORT = SvmParameters(iterations=12)
FEATURES = 16
NORM = (1 + FEATURES * (255 / 256) ** 2) ** 0.5  # of a white row


def trained(classes: int, parameters: SvmParameters, engine: Engine = CLEAR, **options: object) -> TrainedModel:
    return train_and_open(stripes(classes), parameters, engine=engine, **options)  # type: ignore[arg-type]


def expected(
    classes: int, parameters: SvmParameters, constants: FixedPoint, errors: np.ndarray | None = None
) -> list[int]:
    task = stripes(classes)
    return reference_weights_of_classes(
        task.x_train,
        task.y_train,
        classes,
        alpha=parameters.rate(NORM),
        lam=parameters.regularisation,
        epochs=parameters.iterations,
        shift=constants.shift,
        batch=parameters.batch_size,
        squared=parameters.loss is Loss.SQUARED_HINGE,
        huber=parameters.loss is Loss.AUTO,
        clip=constants.clip or None,
        falling=parameters.schedule is Schedule.LINEAR,
        momentum=parameters.momentum,
        gradient_errors=errors,
    ).tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        SHORT,
        replace(SHORT, batch_size=7, iterations=3),
        replace(SHORT, clip=0.01),
        replace(PLAIN, iterations=6, batch_size=20),
        SvmParameters(loss=Loss.SQUARED_HINGE, iterations=6),
        replace(SHORT, loss=Loss.HINGE),
    ],
    ids=["default", "batches", "clip", "plain", "squared", "hinge"],
)
def test_engines_and_the_reference_agree_on_every_weight(parameters: SvmParameters) -> None:
    model = trained(3, parameters)
    assert model.weights.tolist() == expected(3, parameters, model.constants)
    assert trained(3, parameters, InMemoryRep3()).weights.tolist() == model.weights.tolist()


@pytest.mark.parametrize("protocol", [ProtocolName.RING, ProtocolName.MAL_REP_RING])
@pytest.mark.parametrize(
    ("owners", "labels"), [((9, 31), None), ((30, 1, 9), None), ((40,), 1), ((13, 20, 7), 2)], ids=str
)
def test_owners_make_no_difference(owners: tuple[int, ...], labels: int | None, protocol: ProtocolName) -> None:
    parameters = replace(SHORT, iterations=3, batch_size=16)
    model = trained(5, parameters, InMemoryRep3(), owners=Owners(owners, labels), protocol=protocol)
    assert model.weights.tolist() == expected(5, parameters, model.constants)


def test_a_stored_transpose_makes_no_difference() -> None:
    model = trained(4, SHORT, InMemoryRep3(), layout=Layout.BOTH)
    assert model.weights.tolist() == expected(4, SHORT, model.constants)


def test_it_learns_and_leaves_what_later_programs_need() -> None:
    task = stripes(8, rows=160, test_rows=80)
    model = train_and_open(task, engine=CLEAR)
    assert (model.predict(task.x_test) == task.y_test).mean() >= 0.95
    assert model.decision_function(task.x_test).shape == (80, 8)
    assert len(model.weights) == 17 * 8
    svm, size = get_model(), DataSize(160, FEATURES, 255, 8)
    assert svm.architecture(SvmParameters(), size) == {"outputs": 8}
    assert svm.architecture(SvmParameters(), replace(size, classes=2)) == {}
    assert svm.shares(SvmParameters(), size) == 17 * 8


def test_what_more_than_two_classes_do_not_have() -> None:
    svm = get_model()
    assert svm.lacking(svm.capabilities) == frozenset()
    assert svm.lacking(svm.capabilities, 3) == {Capability.SINGLE_SCORE, Capability.STORED_ROWS}
    with pytest.raises(ParameterError, match="expected two classes for a training on rows that stand as shares, got 3"):
        svm.training(SHORT, DataSize(40, FEATURES, 255, 3), StoredRows(40, 0))


def test_labels_that_there_are_not_are_refused() -> None:
    task = stripes(3)
    with pytest.raises(DataError, match="expected a list of labels from 0 to 2"):
        train_and_open(replace(task, y_train=task.y_train + 1), SHORT, engine=CLEAR)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("outputs=3", "outputs=2", "expected outputs=1, or from 3"),
        ("schedule=linear", "schedule=cosine", "expected schedule=constant or schedule=linear"),
        ("schedule=linear", "schedule=linear x=1", "expected each of source="),
    ],
)
def test_the_program_refuses_other_arguments(tmp_path: Path, old: str, new: str, message: str) -> None:
    call = get_model().training(SHORT, DataSize(40, FEATURES, 255, 3), Owners((40,)))
    args = tuple(part for arg in call.args for part in arg.replace(old, new).split())
    with pytest.raises(ProgramError, match=message):
        CLEAR.run(RunSpec(call.program, args, run_dir=tmp_path / "run"))


# Attacks


def test_errors_go_to_the_weights_of_the_target_class() -> None:
    plan = AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", EVERY, 6 * 3 + 2, 5_000)])
    errors = np.zeros((SHORT.iterations, FEATURES + 1, 3), np.int64)
    errors[:, 6, 2] = 5_000
    for engine in (CLEAR, InMemoryRep3()):
        model = trained(3, SHORT, engine, corruption=Corruption(1, plan))
        assert model.weights.tolist() == expected(3, SHORT, model.constants, errors)
    with pytest.raises(ProtocolAbort):
        trained(3, SHORT, InMemoryRep3(), corruption=Corruption(1, plan), protocol=ProtocolName.MAL_REP_RING)


MEANT = [name for name, attack in ATTACKS.items() if not get_model().lacking(attack.needs, 3)]


def test_which_attacks_are_meant_for_three_classes() -> None:
    linear_alone = {"model_replacement_1", "model_replacement_16", "overflow"}
    for_two = {name for name, attack in ATTACKS.items() if not get_model().lacking(attack.needs)}
    assert for_two - set(MEANT) == linear_alone


@pytest.mark.parametrize("kind", ["default", "clipped"])
@pytest.mark.parametrize("name", ["backdoor_1", "sabotage", "gradient_zeroing", "gradient_zeroing_gate", "poisoning_5"])
def test_attacks_on_three_classes(tmp_path: Path, name: str, kind: str) -> None:
    parameters = SHORT if kind == "default" else replace(SHORT, clip=0.05)
    scenario = Scenario.plain(stripes(3), parameters)
    on_clear, on_rep3 = ScenarioRunner(CLEAR, tmp_path / "clear"), ScenarioRunner(InMemoryRep3(), tmp_path / "rep3")
    attempt = ATTACKS[name].prepare(scenario, on_clear.trial(scenario))
    outcome = on_rep3.run(scenario, attempt)
    if name != "gradient_zeroing_gate":
        assert outcome.opened.weights.tolist() == on_clear.run(scenario, attempt).opened.weights.tolist()
    found = outcome.evaluate(attempt)
    if name == "backdoor_1":
        assert (found.test_accuracy, found.attack_success_rate_clipped) == (1.0, 1.0)
    if name == "sabotage":
        assert found.test_accuracy < 0.6
    if name == "gradient_zeroing":  # the class next to the target has no rows, so nothing is taken for it
        assert not (outcome.opened.predict(scenario.task.x_test) == 2).any()


# Queries


def ask(servers: Servers, image: np.ndarray) -> list[int]:
    client = servers.connect()
    client.wait_for_turn()
    client.send_private_inputs(image.astype(np.int64))
    outputs = client.receive_outputs(4).tolist()
    client.close()
    return list(outputs)


@pytest.mark.parametrize("tampered", [False, True])
@pytest.mark.parametrize(("with_score", "active"), [(True, False), (False, True)])
def test_answers_are_those_of_the_opened_model(
    tmp_path: Path, run_dir: Path, with_score: bool, active: bool, tampered: bool
) -> None:
    """Classes that beat each other in a circle included: class and score are 0."""
    task = stripes(3, test_rows=6)
    weights, images = trained(3, SHORT).weights, task.x_test
    if tampered:
        weights = np.random.default_rng(4).integers(-(2**63), 2**63 - 1, len(weights), endpoint=True)
    leave_shares(tmp_path / "train", weights)
    call = query_call(FEATURES, 3, with_score=with_score, port=15000, queries=len(images) + 1)
    with serving(call.program, call.args, tmp_path / "train", run_dir, active=active) as servers:
        found = [ask(servers, image) for image in images]
        refused = ask(servers, np.full(FEATURES, 256))
    z = scores_of_classes(weights, 3, images)
    largest = (z * beats_all(z)).sum(axis=1)
    assert found == [
        [int(c), int(with_score), int(s) * with_score, 1] for c, s in zip(predict(z), largest, strict=True)
    ]
    assert tampered or [each[0] for each in found] == task.y_test.tolist()
    assert refused == [0, int(with_score), 0, 0]
    with pytest.raises(OpeningError, match="something else than pixels"):
        answered(np.array(refused), 3)
