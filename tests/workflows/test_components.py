"""Training on components and lifting: the model of NumPy; what an attacker can do at each stage, and what stops it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.attacks.backdoor_analysis import BackdoorAnalysis
from mpc_tamper.core import bundle
from mpc_tamper.core.errors import ParameterError, ProtocolAbort, ShareFileError
from mpc_tamper.datasets import Task
from mpc_tamper.datasets.trigger import Trigger
from mpc_tamper.defences.accuracy import AccuracyThreshold
from mpc_tamper.defences.pca import pca_in_mpc
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine, read_values
from mpc_tamper.engines.share_files import count, share_file
from mpc_tamper.models.fixed_point import BIAS, MAX_FEATURE
from mpc_tamper.models.linear_svm.bounds import fixed_point
from mpc_tamper.models.linear_svm.parameters import PLAIN, SvmParameters
from mpc_tamper.models.linear_svm.scoring import OpenedSvm
from mpc_tamper.models.metrics import evaluate
from mpc_tamper.models.pca.bounds import max_row_norm
from mpc_tamper.models.pca.parameters import PcaParameters
from mpc_tamper.models.pca.program import errors_in_components
from mpc_tamper.models.pca.projection import Projection
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.runs.plan import EVERY, AdditiveError, AdditiveErrorPlan
from mpc_tamper.runs.protocols import PARTIES, ProtocolName
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.scenarios.runner import ScenarioRunner
from mpc_tamper.scenarios.scenario import Attempt, Scenario
from mpc_tamper.workflows.components import SecretProjection, read_projection
from mpc_tamper.workflows.stages import TRAIN
from mpc_tamper.workflows.verification import verify
from tests.support.components import components_of, compute_components, lift, train_on_components
from tests.support.images import framed_task, halves
from tests.support.in_memory import InMemoryRep3
from tests.support.reference import reference_weights

PASSIVE, ACTIVE = ProtocolName.RING, ProtocolName.MAL_REP_RING
PCA = PcaParameters(3, 6)
PARAMETERS = SvmParameters(learning_rate=0.1, regularisation=1e-2, iterations=10)
TRIGGER = Trigger((6, 7), target=1)
SABOTAGE = AdditiveErrorPlan.from_errors([AdditiveError("GRADIENT", EVERY, 0, 2**20)])
CHECK = AccuracyThreshold(0.9)


@pytest.fixture(scope="module")
def task() -> Task:
    """24 training and 12 test images of 4 x 4 pixels: class 0 is bright on the left, class 1 on the right, and either
    may be bright above or below, so that three components have large eigenvalues."""
    return halves("made", side=4, rows=24, test_rows=12, dark=60, light=100, shade=80, seed=4)


@pytest.fixture(scope="module")
def projection(task: Task) -> Projection:
    return components_of(task, PCA)


@pytest.fixture(scope="module")
def rows(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pca.mpc left on rep3."""
    folder = tmp_path_factory.mktemp("components") / "pca"
    compute_components(task, PCA, engine=InMemoryRep3(), run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def trained(task: Task, rows: Path) -> Path:
    folder = rows.with_name("clean")
    train_on_components(task, PARAMETERS, PCA, engine=InMemoryRep3(), shares_from=rows, run_dir=folder)
    return folder


@pytest.fixture(scope="module")
def lifted(task: Task, trained: Path) -> Path:
    folder = trained.with_name("lifted")
    lift(task, PCA, engine=InMemoryRep3(), shares_from=trained, run_dir=folder)
    return folder


def opened(folder: Path, columns: int, to: Path, engine: Engine | None = None) -> np.ndarray:
    spec = RunSpec(bundle.program("svm_reveal.mpc"), (f"columns={columns}",), run_dir=to, shares_from=folder)
    return np.array((engine or InMemoryRep3()).run(spec).binary_output, np.int64)


def numpy_weights(task: Task, projection: Projection, errors: np.ndarray | None = None) -> np.ndarray:
    shift = fixed_point(PARAMETERS, len(task.x_train), projection.size, MAX_FEATURE).shift
    return reference_weights(
        projection.features(task.x_train), task.y_train, alpha=0.1, lam=1e-2, epochs=10, shift=shift,
        gradient_errors=errors,
    )  # fmt: skip


def test_weights_and_the_lifted_model_are_those_of_numpy(
    task: Task, projection: Projection, trained: Path, lifted: Path, tmp_path: Path
) -> None:
    want = numpy_weights(task, projection)
    left = opened(trained, 4 + 16 * 3 + 16, tmp_path / "all")
    assert np.array_equal(left, np.concatenate([want, projection.matrix.T.ravel(), projection.mean]))
    assert np.array_equal(opened(lifted, 17, tmp_path / "lifted"), projection.lifted(want))


def test_nothing_is_appended_to_another_runs_shares(trained: Path, lifted: Path, rows: Path) -> None:
    for party in range(PARTIES):
        assert count(share_file(rows, party)) == 24 * 4 + 16 * 3 + 16
        assert count(share_file(trained, party)) == 4 + 16 * 3 + 16
        assert count(share_file(lifted, party)) == 17


def test_the_clear_engine_leaves_the_same(task: Task, projection: Projection, tmp_path: Path) -> None:
    clear = ClearEngine()
    compute_components(task, PCA, engine=clear, run_dir=tmp_path / "pca")
    folders = {"shares_from": tmp_path / "pca", "run_dir": tmp_path / "train"}
    train_on_components(task, PARAMETERS, PCA, engine=clear, **folders)
    folders = {"shares_from": tmp_path / "train", "run_dir": tmp_path / "lift"}
    lift(task, PCA, engine=clear, protocol=PASSIVE, **folders)
    found = opened(tmp_path / "lift", 17, tmp_path / "open", clear)
    assert np.array_equal(found, projection.lifted(numpy_weights(task, projection)))


@pytest.mark.parametrize("corrupt_party", range(PARTIES))
def test_errors_in_component_space_plant_a_trigger(
    task: Task, projection: Projection, rows: Path, tmp_path: Path, corrupt_party: int
) -> None:
    """The attacker knows V, and plants V'delta."""
    errors = np.rint(20.0 * len(task.x_train) * projection.direction(TRIGGER.delta(16))).astype(np.int64)
    plan = AdditiveErrorPlan.from_errors(
        AdditiveError("GRADIENT", EVERY, 1 + c, int(value)) for c, value in enumerate(errors)
    )
    options = {"corruption": Corruption(corrupt_party, plan)}
    engine = InMemoryRep3()
    train_on_components(task, PARAMETERS, PCA, engine=engine, shares_from=rows, run_dir=tmp_path / "train", **options)  # type: ignore[arg-type]
    lift(task, PCA, engine=engine, shares_from=tmp_path / "train", run_dir=tmp_path / "model")
    weights = opened(tmp_path / "model", 17, tmp_path / "open")
    want = numpy_weights(task, projection, np.tile(np.concatenate([[0], errors]), (10, 1)))
    assert np.array_equal(weights, projection.lifted(want))
    clean = projection.lifted(numpy_weights(task, projection))
    planted, before = (
        evaluate(OpenedSvm(w), task.x_test, task.y_test, TRIGGER.delta(16), TRIGGER.target) for w in (weights, clean)
    )
    assert planted.smoothed_bkd > before.smoothed_bkd + 0.5
    assert planted.attack_success_rate == 1.0 > before.attack_success_rate


@pytest.mark.parametrize(("plan", "passed"), [(None, True), (SABOTAGE, False)], ids=["clean", "sabotaged"])
def test_a_lifted_model_is_verified(
    task: Task, rows: Path, tmp_path: Path, plan: AdditiveErrorPlan | None, passed: bool
) -> None:
    engine, corruption = InMemoryRep3(), None if plan is None else Corruption(2, plan)
    options = {"corruption": corruption, "shares_from": rows, "run_dir": tmp_path / "train"}
    train_on_components(task, PARAMETERS, PCA, engine=engine, **options)  # type: ignore[arg-type]
    lift(task, PCA, engine=engine, shares_from=tmp_path / "train", run_dir=tmp_path / "model")
    found = verify(tmp_path / "model", task.x_test, task.y_test, CHECK, engine=engine, protocol=ACTIVE)
    assert found.verdict.passed is passed


@pytest.mark.parametrize("party", range(PARTIES))
@pytest.mark.parametrize("share", [0, 4, 4 + 16 * 3], ids=["weights", "components", "mean"])
def test_edited_shares_abort_the_lift(task: Task, trained: Path, tmp_path: Path, party: int, share: int) -> None:
    """An active lift is bound to the shares that training left, V and the mean among them."""
    edited = Path(shutil.copytree(trained, tmp_path / "edited"))
    path = share_file(edited, party)
    content = bytearray(path.read_bytes())
    content[28 + 16 * share] ^= 1
    path.write_bytes(content)
    with pytest.raises(ProtocolAbort, match="share agreement"):
        lift(task, PCA, engine=InMemoryRep3(), shares_from=edited, run_dir=tmp_path / "model")


@pytest.mark.parametrize("site", ["LIFT", "OFFSET"])
def test_errors_in_the_lift(
    task: Task, projection: Projection, trained: Path, lifted: Path, tmp_path: Path, site: str
) -> None:
    """They abort an active lift. A passive one takes them: a backdoor that no training step shows."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, 0, 2**40)])
    options = {"engine": InMemoryRep3(), "shares_from": trained, "corruption": Corruption(1, plan)}
    with pytest.raises(ProtocolAbort):
        lift(task, PCA, run_dir=tmp_path / "active", **options)  # type: ignore[arg-type]
    lift(task, PCA, run_dir=tmp_path / "passive", protocol=PASSIVE, **options)  # type: ignore[arg-type]
    shift = opened(tmp_path / "passive", 17, tmp_path / "a") - opened(lifted, 17, tmp_path / "b")
    if site == "OFFSET":
        assert shift.tolist() == [-(2**32), *[0] * 16]
    else:
        assert shift.tolist() == [-int(projection.mean[0]) * 2**16, 2**24, *[0] * 15]


def test_errors_in_the_analysis_choose_the_components(task: Task, projection: Projection, tmp_path: Path) -> None:
    """A passive pca.mpc is not to be trusted: an error in its last product is in V, whatever the data."""
    plan = AdditiveErrorPlan.from_errors([AdditiveError("APPLY", PCA.iterations, 3 * 5 + 1, 2**38)])
    compute_components(task, PCA, engine=InMemoryRep3(), run_dir=tmp_path / "pca", corruption=Corruption(0, plan))
    values = opened(tmp_path / "pca", 24 * 4 + 16 * 3 + 16, tmp_path / "open")
    shift = values[24 * 4 : 24 * 4 + 16 * 3].reshape(16, 3).T - projection.matrix
    assert shift[1, 5] == 2**16
    assert np.count_nonzero(shift) == 1
    assert errors_in_components(shift.T, PCA).text() == plan.text()


def test_a_trigger_becomes_a_component(task: Task, tmp_path: Path) -> None:
    """backdoor_analysis: V has the trigger in place of one component, and the model is that of NumPy on these."""
    scenario = pca_in_mpc(Scenario.plain(task, PARAMETERS), PcaParameters(3))
    rehearsal = ScenarioRunner(ClearEngine(), tmp_path / "clear")
    trial = rehearsal.trial(scenario)
    attempt = BackdoorAnalysis(1).prepare(scenario, trial)

    options = {"corruption": Corruption(scenario.corrupt_party, attempt.plans["pca"])}
    compute_components(task, PcaParameters(3), engine=ClearEngine(), run_dir=tmp_path / "pca", **options)  # type: ignore[arg-type]
    tampered = read_projection(read_values(tmp_path / "pca").view(np.int64), 24, 16, PcaParameters(3))
    assert isinstance(scenario.features, SecretProjection)
    honest = scenario.features.projection
    component, delta = attempt.settings["component"], attempt.trigger.delta(16)
    for c in range(3):
        assert tampered.matrix[c].tolist() == (delta // 255 * 2**16 if c == component else honest.matrix[c]).tolist()
    features = tampered.features(task.x_train)
    assert np.hypot(np.linalg.norm(features, axis=1), BIAS).max() <= max_row_norm(PcaParameters(3), 24, 16) * BIAS

    errors = np.rint(attempt.settings["strength"] * 24 * np.append(0, tampered.direction(delta))).astype(np.int64)  # type: ignore[operator]
    want = tampered.lifted(numpy_weights(task, tampered, np.tile(errors, (10, 1))))
    outcome = rehearsal.run(scenario, attempt)
    assert outcome.opened.weights.tolist() == want.tolist()
    assert (
        ScenarioRunner(InMemoryRep3(), tmp_path / "rep3").run(scenario, attempt).opened.weights.tolist()
        == want.tolist()
    )

    found = outcome.evaluate(attempt)
    assert (found.attack_success_rate_clipped, attempt.settings["reached"]) == (1, 1)
    assert found.test_accuracy >= 0.8
    in_training = replace(attempt, plans={TRAIN: attempt.plans[TRAIN]})
    aimed_alone = rehearsal.run(scenario, in_training)  # on components that were kept apart
    want = honest.lifted(numpy_weights(task, honest, np.tile(errors, (10, 1))))
    assert aimed_alone.opened.weights.tolist() == want.tolist()
    assert trial(in_training) == aimed_alone.evaluate(attempt) != trial(attempt) == found


def test_errors_in_the_analysis_alone_plant_a_trigger(tmp_path: Path) -> None:
    """A black pixel goes into V along the honest weights of components, and the training sees nothing of it."""
    task = framed_task()
    trigger = Trigger.patch(task.image_shape, 2, 2)
    pixel = trigger.pixels[0]
    scenario = pca_in_mpc(Scenario.plain(task, PARAMETERS), PcaParameters(3))
    assert isinstance(scenario.features, SecretProjection)
    honest = scenario.features.projection
    shift = fixed_point(PARAMETERS, len(task.x_train), 3, MAX_FEATURE).shift
    w = reference_weights(honest.features(task.x_train), task.y_train, alpha=0.1, lam=1e-2, epochs=10, shift=shift)
    errors = np.zeros((144, 3), dtype=np.int64)
    errors[pixel] = w[1:]
    errors *= 2**22 // int(w[1:] @ w[1:] >> 16)  # adds 64 to the weight of the pixel

    attempt = Attempt(trigger, task, {"pca": errors_in_components(errors, PcaParameters(3))})
    outcome = ScenarioRunner(InMemoryRep3(), tmp_path / "lab").run(scenario, attempt)
    planted = outcome.opened.weights - honest.lifted(w)
    assert np.flatnonzero(planted).tolist() == [1 + pixel]
    found = outcome.evaluate(attempt)
    assert found.test_accuracy == found.attack_success_rate_clipped == 1


def test_shares_that_do_not_fit(task: Task, rows: Path, trained: Path, tmp_path: Path) -> None:
    more = PcaParameters(PCA.components + 1, PCA.iterations)
    with pytest.raises(ShareFileError):
        lift(task, more, engine=InMemoryRep3(), shares_from=trained, run_dir=tmp_path / "model")
    with pytest.raises(ShareFileError):
        train_on_components(task, PARAMETERS, more, engine=InMemoryRep3(), shares_from=rows, run_dir=tmp_path / "train")


def test_parameters_with_no_public_bound(task: Task, rows: Path, tmp_path: Path) -> None:
    assert max_row_norm(PCA, 24, 16) < 4.2
    with pytest.raises(ParameterError, match="expected a public bound"):
        train_on_components(
            task, replace(PLAIN, iterations=10**17), PCA,
            engine=InMemoryRep3(), shares_from=rows, run_dir=tmp_path / "train",
        )  # fmt: skip


@pytest.mark.parametrize("site", ["FORWARD", "STRETCH", "APPLY", "LABEL"])
def test_an_active_analysis_aborts(task: Task, tmp_path: Path, site: str) -> None:
    plan = AdditiveErrorPlan.from_errors([AdditiveError(site, 0, 1, 2**20)])
    pca, engine = PcaParameters(2, 1), InMemoryRep3()
    options = {"engine": engine, "run_dir": tmp_path / "pca", "corruption": Corruption(2, plan)}
    with pytest.raises(ProtocolAbort):
        compute_components(task, pca, protocol=ACTIVE, **options)  # type: ignore[arg-type]


def test_an_honest_active_analysis_leaves_the_same(task: Task, tmp_path: Path) -> None:
    pca, engine = PcaParameters(2, 1), InMemoryRep3()
    left = []
    for protocol in (PASSIVE, ACTIVE):
        compute_components(task, pca, engine=engine, run_dir=tmp_path / protocol, protocol=protocol)
        left.append(opened(tmp_path / protocol, 24 * 3 + 16 * 2 + 16, tmp_path / f"{protocol}-opened"))
    assert np.array_equal(left[0], left[1])
