"""Pruning and tuning on MP-SPDZ: after a passive training, under its active protocol, as on the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.pruning import CleanRows, InputPruning, NeuronPruning, Pruning
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.workflows.opening import open_model
from mpc_tamper.workflows.pruning import Prune, Tune
from mpc_tamper.workflows.stages import Training, run_stage
from tests.support.digits import stripes

EngineOf = Callable[..., Engine]
PARAMETERS = MlpParameters(hidden=4, epochs=1, batch_size=16)


@pytest.mark.parametrize("owner", [None, 1])
@pytest.mark.parametrize("pruning", [NeuronPruning(0.5), InputPruning(0.3)])
def test_it_agrees_with_the_oracle(mp_spdz: EngineOf, tmp_path: Path, pruning: Pruning, owner: int | None) -> None:
    task = stripes(3)
    clean = CleanRows(task.x_test, task.y_test, owner)
    training = Training.of(task, get_model("mlp"), PARAMETERS)
    found = []
    for engine in (ClearEngine(), mp_spdz(ProtocolName.MAL_REP_RING)):
        before = None
        for stage in (training, Prune(training, pruning, clean), Tune(training, 1, clean)):
            place = tmp_path / engine.name / stage.name
            result = run_stage(stage, task, engine=engine, run_dir=place, shares_from=before)
            before = place
        found.append(open_model(before, engine=engine).weights.tolist())  # type: ignore[arg-type]
    assert result.spec.protocol is ProtocolName.MAL_REP_RING
    assert found[0] == found[1]
