"""What a step of the network's training costs on rep3, as docs/networks.md says."""

from __future__ import annotations

import pytest

from mpc_tamper.engines.registry import get_engine
from mpc_tamper.engines.rep3.primitives import comparison, shift
from mpc_tamper.engines.rep3.protocol import passive
from mpc_tamper.engines.rep3.transport.frame import HEADER_BYTES
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.runs.result import Cost
from mpc_tamper.workflows.training import train
from tests.support.digits import stripes

ROWS, PIXELS = 32, 16


@pytest.mark.parametrize(("classes", "hidden"), [(2, 5), (3, 8)])
def test_rounds_and_bytes_of_a_step(classes: int, hidden: int) -> None:
    task, outputs = stripes(classes, rows=ROWS), 1 if classes == 2 else classes
    parameters = MlpParameters(hidden=hidden, epochs=3, batch_size=ROWS)
    model = train(task, parameters, model=get_model("mlp"), engine=get_engine(EngineName.REP3))
    constants, neurons = model.constants, ROWS * hidden
    for party in model.run.parties:
        step = [record.cost for record in party.steps if record.occurrence == 1]
        assert sum(cost.rounds for cost in step) == 27
        weights = hidden * outputs
        products = (neurons, neurons, *3 * [ROWS * outputs], weights, neurons, neurons, (PIXELS + 1) * hidden)
        expected = (
            sum((passive.cost(count) for count in products), Cost())
            + comparison.cost(party.party_id, constants.width1 + 1, 2 * neurons, (0, constants.cap))
            + comparison.cost(party.party_id, constants.width2 + 1, ROWS * outputs)
            + shift.cost(party.party_id, constants.shift, weights)
        )
        shared = shift.cost(party.party_id, constants.shift, weights).rounds  # with RELU's comparisons: one frame less
        assert sum((cost for cost in step), Cost()).bytes_sent == expected.bytes_sent - HEADER_BYTES * shared
        assert expected.rounds == 27 + shared
