"""mlp_train.mpc: clear, rep3 and an independent reference agree on every weight, and stay within the public bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import ParameterError, ProtocolAbort
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.mlp.bounds import OUTPUT_SCALES, START1, START2, MlpConstants, mlp_constants
from mpc_tamper.models.mlp.encoding import training_order
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.workflows.training import TrainedModel, train_and_open
from tests.support.digits import stripes
from tests.support.in_memory import InMemoryRep3
from tests.support.reference_mlp import Reference

SMALL = MlpParameters(hidden=5, epochs=2, batch_size=16, learning_rate=0.2)
CLEAR = get_engine(EngineName.CLEAR)


def trained(task: Task, parameters: MlpParameters, engine: Engine = CLEAR, **options: object) -> TrainedModel:
    return train_and_open(task, parameters, model=get_model("mlp"), engine=engine, **options)  # type: ignore[arg-type]


def reference(parameters: MlpParameters, constants: MlpConstants, rows: int) -> Reference:
    return Reference(
        hidden=parameters.hidden,
        cap=parameters.cap,
        gains=constants.gains,
        r=constants.rate_shift,
        f2=constants.f2,
        start1=2.0**-START1,
        start2=2.0**-START2,
        batch=min(parameters.batch_size or rows, rows),
        seed=parameters.random_state,
    )


@pytest.mark.parametrize("classes", [2, 3, 8])
@pytest.mark.parametrize(
    ("owners", "labels"), [((40,), None), ((9, 31), None), ((30, 1, 9), None), ((40,), 1), ((13, 20, 7), 2)]
)
def test_engines_and_the_reference_agree_on_every_weight(
    classes: int, owners: tuple[int, ...], labels: int | None
) -> None:
    task = stripes(classes)
    rows = Owners(owners, labels)
    model = trained(task, SMALL, owners=rows)
    expected = reference(SMALL, model.constants, 40).train(task.x_train, task.y_train, classes, owners)
    assert model.weights.tolist() == expected.tolist()
    assert trained(task, SMALL, InMemoryRep3(), owners=rows).weights.tolist() == expected.tolist()


@pytest.mark.parametrize("protocol", [ProtocolName.RING, ProtocolName.MAL_REP_RING])
def test_real_parties_agree(protocol: ProtocolName) -> None:
    task = stripes(3)
    on_rep3 = trained(task, SMALL, get_engine(EngineName.REP3), protocol=protocol)
    assert on_rep3.weights.tolist() == trained(task, SMALL).weights.tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        replace(SMALL, batch_size=None),
        replace(SMALL, batch_size=7, epochs=5, random_state=9),
        replace(SMALL, batch_size=1000, cap=0.25),
        replace(SMALL, hidden=1, learning_rate=0.9, max_row_norm=3.5),
    ],
)
def test_parameters(parameters: MlpParameters) -> None:
    task = stripes(3)
    model = trained(task, parameters)
    expected = reference(parameters, model.constants, 40).train(task.x_train, task.y_train, 3, (40,))
    assert model.weights.tolist() == expected.tolist()
    assert trained(task, parameters, InMemoryRep3()).weights.tolist() == expected.tolist()


@pytest.mark.parametrize("classes", [2, 8])
def test_it_learns(classes: int) -> None:
    task = stripes(classes, rows=160, test_rows=80)
    model = trained(task, MlpParameters(hidden=16, epochs=20, batch_size=16))
    assert (model.predict(task.x_test) == task.y_test).mean() >= 0.95
    assert model.decision_function(task.x_test).shape == ((80,) if classes == 2 else (80, 8))


@settings(max_examples=40)
@given(data=st.data())
def test_no_honest_value_exceeds_its_public_bound(data: st.DataObject) -> None:
    """Also of rows that are as bright and as contradictory as can be."""
    classes = data.draw(st.sampled_from([2, 3]))
    parameters = MlpParameters(
        hidden=data.draw(st.integers(1, 4)),
        epochs=data.draw(st.integers(1, 6)),
        batch_size=data.draw(st.integers(1, 6)),
        learning_rate=data.draw(st.sampled_from([0.1, 0.5, 2.0])),
        cap=data.draw(st.sampled_from([0.01, 0.5, 2.0])),
        random_state=data.draw(st.integers(0, 5)),
    )
    pixels = data.draw(st.lists(st.lists(st.sampled_from([0, 255]), min_size=4, max_size=4), min_size=4, max_size=12))
    x = np.array(pixels, np.uint8)
    y = np.arange(len(x), dtype=np.uint8) % classes
    constants = mlp_constants(parameters, len(x), 4, 255, classes)
    found = reference(parameters, constants, len(x))
    found.train(x, y, classes, (len(x),))
    assert found.peaks.z1 <= constants.hidden_bound
    assert found.peaks.z2 <= constants.output_bound
    assert found.peaks.column1 <= constants.hidden_norm
    assert found.peaks.column2 <= constants.output_norm
    assert constants.hidden_bound + constants.cap < 1 << constants.width1
    assert constants.output_bound + (1 << constants.score_bits) < 1 << constants.width2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 1e-9}, "learning_rate / batch_size: expected at least"),
        ({"learning_rate": 1e30}, "public bounds below 2\\^63"),
        ({"cap": 1e18}, "public bounds below 2\\^63"),
        ({"max_row_norm": 1.5}, "max_row_norm: expected at least"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_party_starts(change: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        trained(stripes(3), MlpParameters(**change), get_engine(EngineName.REP3))  # type: ignore[arg-type]


def test_the_bars_of_mnist_fit_and_a_longer_training_of_a_wider_network_does_not() -> None:
    assert mlp_constants(MlpParameters(hidden=128, epochs=5), 60_000, 784, 255, 10).f2 == OUTPUT_SCALES[0]
    with pytest.raises(ParameterError, match=r"public bounds below 2\^63 .* Lower learning_rate"):
        mlp_constants(MlpParameters(hidden=4096, epochs=1000, learning_rate=8.0), 60_000, 784, 255, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": 0},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"cap": -1.0},
        {"max_row_norm": 0.0},
        {"start": "zero"},
        {"random_state": -1},
    ],
)
def test_bad_parameters_are_refused_by_name(change: dict[str, object]) -> None:
    with pytest.raises(ParameterError, match=f"{next(iter(change))}: expected .* got"):
        MlpParameters(**change)  # type: ignore[arg-type]


SORTED = np.repeat([0, 1], 300)
ALTERNATING = np.arange(600) % 2
RUNS = np.arange(600) // 20 % 2


@pytest.mark.parametrize("labels", [SORTED, ALTERNATING, RUNS, np.arange(600) % 30 < 3], ids=str)
@pytest.mark.parametrize("owners", [(600,), (300, 300), (20, 500, 80), (1, 599)])
def test_no_batch_is_of_one_class_whatever_order_the_owners_keep(labels: np.ndarray, owners: Sequence[int]) -> None:
    order = training_order(owners, 60, 1)
    assert sorted(order.tolist()) == list(range(600))
    for base in range(0, 600, 60):
        assert len(set(labels[order[base : base + 60]].tolist())) == 2


def test_owners_of_one_class_each_share_every_batch() -> None:
    order = training_order((200, 100), 30, 1)
    for base in range(0, 300, 30):
        assert int((order[base : base + 30] < 200).sum()) == 20


@pytest.mark.parametrize("engine", [CLEAR, InMemoryRep3()], ids=["clear", "rep3"])
def test_a_secret_start_is_another_one_each_time_and_learns(engine: Engine) -> None:
    """One in fifty networks of 8 neurons starts so that it learns nothing, of 64 hardly ever one."""
    task = stripes(2, rows=160)
    parameters = MlpParameters(hidden=64, epochs=6, batch_size=16, start=Start.SECRET)
    models = [trained(task, parameters, engine) for _ in range(2)]
    assert models[0].weights.tolist() != models[1].weights.tolist()
    for model in models:
        assert (model.predict(task.x_test) == task.y_test).mean() >= 0.9


def test_a_secret_start_lies_within_its_bounds() -> None:
    """Under the active protocol too. One step on rows that are all black leaves them but for neuron 0."""
    task = stripes(2)
    black = replace(task, x_train=np.zeros_like(task.x_train))
    parameters = MlpParameters(hidden=50, epochs=1, batch_size=40, start=Start.SECRET)
    model = trained(black, parameters, InMemoryRep3(), protocol=ProtocolName.MAL_REP_RING)
    w1, w2 = model.opened.layers  # type: ignore[attr-defined]
    assert np.abs(w1[1:]).max() <= 2.0**-START1
    assert np.abs(w1[1:]).max() > 0.9 * 2.0**-START1
    assert abs(w1[1:].mean()) < 2.0**-START1 / 10
    assert np.abs(w2[1:]).max() <= 2.0**-START2


def test_errors_are_the_same_at_any_party_and_abort_an_active_training() -> None:
    task = stripes(3)
    plan = AdditiveErrorPlan.from_errors(
        [
            AdditiveError("HIDDEN", 0, 3, 1 << 40),
            AdditiveError("GRADIENT", 1, 7, -(1 << 50)),
            AdditiveError("RELU", 0, 0, 0),
        ]
    )
    plan = AdditiveErrorPlan.from_errors([error for error in plan if error.site != "RELU"])
    expected = trained(task, SMALL, corruption=Corruption(1, plan)).weights.tolist()
    assert expected != trained(task, SMALL).weights.tolist()
    for party in range(3):
        assert trained(task, SMALL, InMemoryRep3(), corruption=Corruption(party, plan)).weights.tolist() == expected
        with pytest.raises(ProtocolAbort):
            trained(task, SMALL, InMemoryRep3(), corruption=Corruption(party, plan), protocol=ProtocolName.MAL_REP_RING)


def test_the_start_that_an_attacker_knows_is_the_one_that_the_program_takes() -> None:
    """One step on rows that are all black changes biases, and the output weights of neuron 0."""
    task = stripes(3)
    size = DataSize(40, 16, 255, 3)
    parameters = replace(SMALL, epochs=1, batch_size=40)
    model = trained(replace(task, x_train=np.zeros_like(task.x_train)), parameters)
    w1, w2 = get_model("mlp").errors(parameters, size).start()
    layers = model.opened.layers  # type: ignore[attr-defined]
    assert layers[0][1:].tolist() == w1[1:].tolist()
    assert layers[1][1:].tolist() == w2[1:].tolist()
    assert layers[0][0].tolist() != w1[0].tolist()
