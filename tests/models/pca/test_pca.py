"""pca.mpc against its slow twin and scikit-learn, its bounds, and the feature map of components."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError, ProgramError
from mpc_tamper.datasets import Task, load_task
from mpc_tamper.defences.pca import pca_by_owner, pca_in_mpc
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine, read_values
from mpc_tamper.models.fixed_point import MAX_FEATURE
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.linear_svm.scoring import scores
from mpc_tamper.models.pca.bounds import MAX_PIXELS_IN_ALL, check_size, max_row_norm, slack
from mpc_tamper.models.pca.parameters import MAX_COMPONENTS, PcaParameters
from mpc_tamper.models.pca.program import components_call
from mpc_tamper.models.pca.projection import Projection, principal_components
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.spec import RunSpec
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.workflows.components import Components, SecretProjection, read_projection
from mpc_tamper.workflows.training import train_and_open
from tests.support.components import components_of, compute_components
from tests.support.images import made
from tests.support.in_memory import InMemoryRep3
from tests.support.reference_components import reference_components

RNG = np.random.default_rng(11)
STRIPES = np.tile(np.array([0, 255], np.uint8), (70, 8))
DATA = {
    "random": RNG.integers(0, 256, (70, 16), dtype=np.uint8),
    "white": np.full((9, 16), 255, np.uint8),
    "half white": np.where(np.arange(70)[:, None] % 2, 255, 0).astype(np.uint8) * np.ones((1, 16), np.uint8),
    "stripes": np.where(np.arange(70)[:, None] % 2, STRIPES, 255 - STRIPES),
    "dark": RNG.integers(0, 2, (70, 16), dtype=np.uint8),
    "one row": RNG.integers(0, 256, (1, 16), dtype=np.uint8),
    "extremes": 255 * RNG.integers(0, 2, (128, 16), dtype=np.uint8),
    "falling": (RNG.normal(128, 60 / 1.6 ** np.arange(16), (70, 16))).clip(0, 255).astype(np.uint8),
    "few": np.where(np.arange(16)[:, None] % 2, 255, 0).astype(np.uint8) * np.ones((1, 16), np.uint8),
    "fewer": RNG.integers(0, 256, (4, 5), dtype=np.uint8),
}


def task_of(x: np.ndarray) -> Task:
    y = (np.arange(len(x)) % 2).astype(np.uint8)
    return made(x, y, (4, 4))


def subspace_overlap(a: np.ndarray, b: np.ndarray) -> float:
    """||A'B||_F^2 / k for bases A and B, (n, k), of any scale."""
    (a, _), (b, _) = np.linalg.qr(a.astype(np.float64)), np.linalg.qr(b.astype(np.float64))
    return float(((a.T @ b) ** 2).sum() / a.shape[1])


@pytest.mark.parametrize("name", DATA)
def test_against_the_slow_twin(name: str) -> None:
    """Which also finds that nothing leaves 64 bits, and that no component is longer than the bound says."""
    x = DATA[name]
    got = components_of(task_of(x), PcaParameters(3, 6))
    v, mean = reference_components(x, 3, 6)
    assert np.array_equal(got.matrix, v.T)
    assert np.array_equal(got.mean, mean)
    assert np.linalg.norm(v / 2**16, 2) <= slack(3, *x.shape)[2]


@pytest.mark.parametrize("components", [1, MAX_COMPONENTS])
def test_the_fewest_and_the_most_components(components: int) -> None:
    x = DATA["random"]
    v, _ = reference_components(x, components, 3)
    assert np.array_equal(components_of(task_of(x), PcaParameters(components, 3)).matrix, v.T)


@pytest.mark.parametrize(
    ("rows", "pixels", "components"),
    [(1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 2, 2), (8, 8, 2), (16, 16, 1), (16, 17, 1), (16, 32, 1), (16, 33, 1)],
)
def test_few_pixels_in_all(rows: int, pixels: int, components: int) -> None:
    """Half the rows black, half white: the one component there is has length 1, where there are two rows."""
    x = np.repeat(np.where(np.arange(rows) % 2, 255, 0).astype(np.uint8)[:, None], pixels, axis=1)
    found = components_of(task_of(x), PcaParameters(components, 8)).matrix
    assert np.array_equal(found, reference_components(x, components, 8)[0].T)
    assert np.linalg.norm(found / 2**16, 2) == pytest.approx(float(rows > 1), abs=1e-3)


@pytest.mark.slow
def test_components_of_mnist_are_those_of_scikit_learn() -> None:
    task = load_task("mnist_0_1")
    found = components_of(task)
    exact = PCA(10).fit(task.x_train / 256)
    assert subspace_overlap(found.matrix.T, exact.components_.T) >= 0.999
    real = found.matrix / 2**16
    assert np.abs(real @ real.T - np.eye(10)).max() < 1e-3
    assert np.array_equal(found.mean, np.rint(exact.mean_ * 256))


@pytest.mark.parametrize("labels", [None, 0, 2])
@pytest.mark.parametrize("engine", [ClearEngine(), InMemoryRep3()], ids=lambda engine: str(engine.name))
def test_rows_leave_projected_and_labelled(tiny_task: Task, run_dir: Path, engine: Engine, labels: int | None) -> None:
    pca, owners = PcaParameters(3, 4), Owners((11, 9, 4), labels)
    compute_components(tiny_task, pca, engine=engine, run_dir=run_dir, owners=owners)
    values = opened(run_dir, engine, 24 * 4 + 16 * 3 + 16)
    projection = read_projection(values, 24, 16, pca)
    features = projection.features(tiny_task.x_train)
    want = np.column_stack([np.full(24, 256), features]) * (2 * tiny_task.y_train.astype(int) - 1)[:, None]
    assert np.array_equal(values[: 24 * 4].reshape(24, 4), want)
    v, mean = reference_components(tiny_task.x_train, 3, 4)
    assert np.array_equal(projection.matrix, v.T)
    assert np.array_equal(projection.mean, mean)


def opened(run_dir: Path, engine: Engine, columns: int) -> np.ndarray:
    if isinstance(engine, ClearEngine):
        return read_values(run_dir).view(np.int64)
    reveal = RunSpec(
        bundle.program("svm_reveal.mpc"),
        (f"columns={columns}",),
        run_dir=run_dir.with_name("reveal"),
        shares_from=run_dir,
    )
    return np.array(engine.run(reveal).binary_output, np.int64)


def test_the_bounds_on_the_iteration() -> None:
    for components in range(1, MAX_COMPONENTS + 1):
        for rows, pixels in ((1, components), (12_665, 784), (10_000, 3072), (MAX_PIXELS_IN_ALL // 400, 400)):
            check_size(PcaParameters(components), rows, pixels)
            product, inside, after = slack(components, rows, pixels)
            assert product <= 2 / 4 ** (1 / 3)
            assert inside <= 1.25
            assert 1 < after < 1.02
    assert slack(MAX_COMPONENTS + 1, 10_000, 3072)[1] > 1.25


def test_no_projected_row_is_longer_than_the_bound() -> None:
    for name, x in DATA.items():
        pca = PcaParameters(4, 4)
        features = components_of(task_of(x), pca).features(x).astype(np.float64)
        longest = np.hypot(256, np.linalg.norm(features, axis=1)).max() / 256
        assert longest <= max_row_norm(pca, *x.shape), name
    assert 55 < max_row_norm(PcaParameters(), 10_000, 3072) < 55.5


@pytest.mark.parametrize(
    ("parameters", "rows", "pixels", "message"),
    [
        (PcaParameters(5), 10, 4, "components: expected at most the 4 features, got 5"),
        (PcaParameters(), 2**20, 784, r"expected at most 2\^28 pixels in all"),
        (PcaParameters(), 1_783, 150_528, "got 1.3998 and 1.18.. for 10 components of 1783 x 150528 pixels"),
        (PcaParameters(), 16_000, 12_288, "Take fewer rows, smaller images or fewer components"),
    ],
)
def test_sizes_out_of_range(parameters: PcaParameters, rows: int, pixels: int, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_size(parameters, rows, pixels)


@pytest.mark.parametrize("change", [{"components": 0}, {"components": MAX_COMPONENTS + 1}, {"iterations": 0}])
def test_parameters_out_of_range(change: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match=next(iter(change))):
        PcaParameters(**change)


@pytest.mark.parametrize(
    ("index", "argument"),
    [
        (0, "rows=1,1,1,1"),
        (0, "rows=400000"),
        (1, "columns=2"),
        (2, "labels=3"),
        (3, "components=15"),
        (4, "iterations=0"),
        (4, "speed=1"),
    ],
)
def test_the_program_refuses_arguments(run_dir: Path, index: int, argument: str) -> None:
    arguments = list(components_call(PcaParameters(3), 784, Owners((5, 6))).args)
    arguments[index] = argument
    with pytest.raises(ProgramError, match="pca: expected"):
        ClearEngine().run(RunSpec(bundle.program("pca.mpc"), tuple(arguments), run_dir=run_dir))


def test_features_and_directions_are_exact() -> None:
    matrix = np.array([[65536, -32768, 3], [1, 0, 2**15]])
    projection = Projection(matrix, np.array([10, 20, 30]))
    images = np.array([[10, 20, 30], [255, 0, 255], [510, -3, 31]])
    centred = images.astype(object) - np.array([10, 20, 30])
    want = [[(sum(row * image) + 2**15) >> 16 for row in matrix.astype(object)] for image in centred]
    assert projection.features(images).tolist() == want
    assert projection.features(images.astype(np.int16)).dtype == np.int32
    assert projection.direction(np.array([2, 4, 0])).tolist() == [0.0, 2 / 65536]
    assert projection.size == 2
    with pytest.raises(DataError, match="expected pixels"):
        projection.features(np.array([[2**40, 0, 0]]))
    with pytest.raises(DataError, match="expected components"):
        Projection(matrix, np.zeros(2))


def test_a_lifted_model_scores_as_the_components_do_up_to_rounding() -> None:
    x = DATA["falling"]
    projection = principal_components(x, 4)
    weights = np.array([70_000, 2**16, -(2**17), 5, 2**15])
    difference = scores(projection.lifted(weights), x) - scores(weights, projection.features(x))
    assert np.abs(difference).max() / 2**24 < 0.02


def test_an_owner_enters_components(tiny_task: Task) -> None:
    scenario = pca_by_owner(Scenario.plain(tiny_task, SvmParameters(iterations=20)), PcaParameters(3))
    assert scenario.before == scenario.after == ()
    assert scenario.features.size == 3
    exact = PCA(3).fit(tiny_task.x_train / 256)
    projection = scenario.features
    assert isinstance(projection, Projection)
    assert subspace_overlap(projection.matrix.T, exact.components_.T) > 0.9999
    entered = replace(tiny_task, x_train=projection.features(tiny_task.x_train))
    weights = train_and_open(entered, scenario.parameters, engine=ClearEngine()).weights
    found = scores(weights, projection.features(tiny_task.x_test)) > 0
    assert np.array_equal(found, tiny_task.y_test == 1)


def test_the_servers_compute_components(tiny_task: Task) -> None:
    scenario = pca_in_mpc(Scenario.plain(tiny_task, SvmParameters()))
    assert scenario.before == (Components(PcaParameters()),)
    assert scenario.features.size == PcaParameters().components
    assert isinstance(scenario.features, SecretProjection)
    assert np.array_equal(scenario.features.projection.matrix, components_of(tiny_task).matrix)
    assert scenario.parameters.max_row_norm == max_row_norm(PcaParameters(), 24, 16)
    assert scenario.task is tiny_task
    assert scenario.features.largest == MAX_FEATURE
