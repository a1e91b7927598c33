"""mlp_train.mpc gives equal weights on MP-SPDZ and clear, honest and with errors at its operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.base import DataSize
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.workflows.training import train_and_open
from tests.support.digits import stripes

SMALL = MlpParameters(hidden=4, epochs=2, batch_size=16)
MLP = get_model("mlp")
CLEAR = get_engine(EngineName.CLEAR)

EngineOf = Callable[..., Engine]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("owners", "labels"), [((40,), None), ((9, 20, 11), 2)])
def test_owners_and_classes(mp_spdz: EngineOf, classes: int, owners: tuple[int, ...], labels: int | None) -> None:
    task, rows = stripes(classes), Owners(owners, labels)
    want = train_and_open(task, SMALL, model=MLP, engine=CLEAR, owners=rows).weights
    assert np.array_equal(train_and_open(task, SMALL, model=MLP, engine=mp_spdz(), owners=rows).weights, want)


@pytest.mark.parametrize("protocol", [ProtocolName.PS_REP_RING, ProtocolName.SY_REP_RING, ProtocolName.MAL_REP_RING])
def test_active_ring_protocols(mp_spdz: EngineOf, protocol: ProtocolName) -> None:
    task = stripes(2)
    want = train_and_open(task, SMALL, model=MLP, engine=CLEAR).weights
    found = train_and_open(task, SMALL, model=MLP, engine=mp_spdz(protocol), protocol=protocol).weights
    assert np.array_equal(found, want)


def test_a_planted_neuron(mp_spdz: EngineOf) -> None:
    task, size = stripes(3), DataSize(40, 16, 255, 3)
    hidden, output = np.zeros((17, 4)), np.zeros((4, 3))
    hidden[0, 2], hidden[5, 2], output[2, 1] = -6, 16, 4
    plan = MLP.errors(SMALL, size).change_neurons(hidden, output)
    want = train_and_open(task, SMALL, model=MLP, engine=CLEAR, corruption=Corruption(1, plan)).weights
    for party in range(3):
        corruption = Corruption(party, plan)
        found = train_and_open(task, SMALL, model=MLP, engine=mp_spdz(), corruption=corruption).weights
        assert np.array_equal(found, want)
    with pytest.raises(ProtocolAbort):
        train_and_open(
            task,
            SMALL,
            model=MLP,
            engine=mp_spdz(ProtocolName.MAL_REP_RING),
            corruption=Corruption(1, plan),
            protocol=ProtocolName.MAL_REP_RING,
        )


def test_a_secret_start(mp_spdz: EngineOf) -> None:
    parameters = replace(SMALL, hidden=64, epochs=6, batch_size=16, start=Start.SECRET)  # hardly ever a bad one
    task = stripes(2, rows=160)
    models = [train_and_open(task, parameters, model=MLP, engine=mp_spdz()) for _ in range(2)]
    assert models[0].weights.tolist() != models[1].weights.tolist()
    assert all((model.predict(task.x_test) == task.y_test).mean() >= 0.9 for model in models)
