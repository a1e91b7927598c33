"""Components, training on them and lifting give equal values on MP-SPDZ, rep3 and clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ProtocolAbort
from mpc_tamper.datasets import Task
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.workflows.verification import verify
from tests.support.components import compute_components, lift, train_on_components
from tests.support.images import made
from tests.support.in_memory import InMemoryRep3

EngineOf = Callable[..., Engine]

ACTIVE = ProtocolName.MAL_REP_RING
PCA = PcaParameters(3, 5)
PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=5)
LEFT = 24 * 4 + 16 * 3 + 16
ERRORS = AdditiveErrorPlan.from_errors(
    [
        AdditiveError("FORWARD", 2, 5, 2**20),
        AdditiveError("BACKWARD", EVERY, 7, 2**30),
        AdditiveError("GRAM", 1, 0, 3**20),
        AdditiveError("STRETCH", 8, 10, -(2**25)),
        AdditiveError("SQUEEZE", 3, EVERY, 2**35),
        AdditiveError("PROJECT", 0, 11, 2**22),
        AdditiveError("LABEL", 0, 30, -5),
    ]
)


def opened(folder: Path, columns: int, engine: Engine, protocol: ProtocolName = ProtocolName.RING) -> np.ndarray:
    to = folder.with_name(f"{folder.name}-opened")
    spec = RunSpec(bundle.program("svm_reveal.mpc"), (f"columns={columns}",), protocol, run_dir=to, shares_from=folder)
    return np.array(engine.run(spec).binary_output, np.int64)


@pytest.mark.parametrize("labels", [None, 2])
@pytest.mark.parametrize("plan", [None, ERRORS], ids=["honest", "errors"])
def test_components(
    mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path, plan: AdditiveErrorPlan | None, labels: int | None
) -> None:
    corruption = None if plan is None else Corruption(1, plan)
    options = {"corruption": corruption, "owners": Owners((10, 8, 6), labels)}
    found = []
    for engine in (ClearEngine(), InMemoryRep3(), mp_spdz(plan=plan is not None)):
        folder = tmp_path / f"{engine.name}"
        compute_components(tiny_task, PCA, engine=engine, run_dir=folder, **options)  # type: ignore[arg-type]
        found.append(opened(folder, LEFT, engine))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_rows_beyond_a_block(mp_spdz: EngineOf, tmp_path: Path) -> None:
    """More rows than the local loops take at a time, and a number of them that does not divide."""
    x = np.random.default_rng(3).integers(0, 256, (150, 7), dtype=np.uint8)
    y = (np.arange(150) % 3 == 0).astype(np.uint8)
    task = made(x, y, (1, 7))
    found = []
    for engine in (ClearEngine(), mp_spdz()):
        compute_components(task, PCA, engine=engine, run_dir=tmp_path / f"{engine.name}")
        found.append(opened(tmp_path / f"{engine.name}", 150 * 4 + 7 * 3 + 7, engine))
    assert np.array_equal(found[0], found[1])


def test_training_and_lifting(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    active = mp_spdz(ACTIVE)
    compute_components(tiny_task, PCA, engine=InMemoryRep3(), run_dir=tmp_path / "pca")
    models = {}
    for name, engine in (("rep3", InMemoryRep3()), ("mp", mp_spdz())):
        folder = tmp_path / name
        folders = {"shares_from": tmp_path / "pca", "run_dir": folder}
        train_on_components(tiny_task, PARAMETERS, PCA, engine=engine, **folders)
        folders = {"shares_from": folder, "run_dir": tmp_path / f"{name}-model"}
        lift(tiny_task, PCA, engine=engine, protocol=ProtocolName.RING, **folders)
        models[name] = opened(tmp_path / f"{name}-model", 17, engine)
    lift(tiny_task, PCA, engine=active, shares_from=tmp_path / "mp", run_dir=tmp_path / "active")
    models["active"] = opened(tmp_path / "active", 17, active, ACTIVE)
    assert np.array_equal(models["rep3"], models["mp"])
    assert np.array_equal(models["rep3"], models["active"])
    check = AccuracyThreshold(0.9)
    found = verify(tmp_path / "active", tiny_task.x_test, tiny_task.y_test, check, engine=active, protocol=ACTIVE)
    assert found.verdict.passed


def test_errors_abort_an_active_lift(mp_spdz: EngineOf, tiny_task: Task, tmp_path: Path) -> None:
    engine = mp_spdz(ACTIVE, plan=True)
    compute_components(tiny_task, PCA, engine=InMemoryRep3(), run_dir=tmp_path / "pca")
    folders = {"shares_from": tmp_path / "pca", "run_dir": tmp_path / "train"}
    train_on_components(tiny_task, PARAMETERS, PCA, engine=InMemoryRep3(), **folders)
    plan = AdditiveErrorPlan.from_errors([AdditiveError("LIFT", 0, 3, 2**30)])
    options = {"engine": engine, "shares_from": tmp_path / "train", "run_dir": tmp_path / "model"}
    with pytest.raises(ProtocolAbort):
        lift(tiny_task, PCA, corruption=Corruption(1, plan), **options)  # type: ignore[arg-type]
