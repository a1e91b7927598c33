"""What one party by itself takes: the proofs of all batches, not only the one at the end."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from mpc_tamper.engines.rep3 import alone
from mpc_tamper.engines.rep3.alone import Rep3Alone
from mpc_tamper.engines.rep3.protocol import active
from mpc_tamper.models.base import Layout
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.models.registry import get_model
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.stages import Training
from tests.support.digits import stripes

STEPS = 4


@pytest.mark.parametrize(("record_bytes", "begun_meanwhile"), [(32 << 20, False), (1 << 14, True)])
def test_all_proofs_are_counted(
    record_bytes: int, begun_meanwhile: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that is read before and after each proof, and takes a second each time."""
    monkeypatch.setattr(active, "_SMALL_BYTES", record_bytes)
    proofs: list[bool] = []
    prove = active.Active.prove

    def counted(recorder: active.Active) -> None:
        proofs.append(not recorder._record.empty)
        prove(recorder)

    task = stripes(2, rows=8 * STEPS)
    stage = Training.of(task, get_model("mlp"), MlpParameters(hidden=3, epochs=1, batch_size=8))
    call = stage.call(task, Owners.share_equally(len(task.x_train)), tmp_path, Layout.ROWS)
    protocol = ProtocolName.MAL_REP_RING
    party = Rep3Alone(RunSpec(call.program, call.args, protocol, call.inputs, run_dir=tmp_path / "run"), 1)
    party.run(1)  # for which all three are run once
    monkeypatch.setattr(active.Active, "prove", counted)
    ticks = itertools.count()
    monkeypatch.setattr(alone, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    assert party.run(1).proof_seconds == len(proofs)
    assert (sum(proofs) > 1) == begun_meanwhile
