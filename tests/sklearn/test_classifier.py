"""MPCClassifier keeps scikit-learn's conventions, and trains as mpc_tamper.train() does on every engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mpc_tamper as mt
from mpc_tamper.datasets.tables.schema_files import read_schema
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.registry import get_model, model_names
from mpc_tamper.sklearn import MPCClassifier
from tests.support.in_memory import InMemoryRep3

SMALL = {"hidden": 8, "epochs": 20, "batch_size": 32, "learning_rate": 0.5}  # of a network for a few hundred rows
QUICK = {"engine": "clear", "learning_rate": 1.0, "iterations": 20}  # of a linear SVM
ESTIMATORS = [MPCClassifier(engine="clear"), MPCClassifier("mlp", engine="clear", **SMALL)]


def blobs(classes: int = 2, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    x, y = make_blobs(rows, 4, centers=classes, cluster_std=1.5, random_state=1)
    return x, y


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: {})
def test_what_scikit_learn_checks(estimator: MPCClassifier, check: Any) -> None:
    """No check is exempted."""
    check(estimator)


def test_cross_validation_and_a_pipeline() -> None:
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    scores = cross_val_score(MPCClassifier(**QUICK | {"iterations": 100}), x, y, cv=3)
    assert scores.min() >= 0.9
    fitted = make_pipeline(StandardScaler(), MPCClassifier(**QUICK)).fit(x, y)
    assert fitted.score(x, y) >= 0.9
    assert fitted[-1].n_features_in_ == 30
    assert MPCClassifier(**QUICK).fit(x, y).feature_names_in_[0] == "mean radius"


def test_a_search_over_parameters_and_models() -> None:
    x, y = blobs()
    grid = [
        {"model": ["linear_svm"], "learning_rate": np.array([1e-4, 1.0]), "iterations": np.array([20])},
        {"model": ["mlp"], "hidden": [4], "epochs": [3]},
    ]
    search = GridSearchCV(MPCClassifier(engine="clear"), grid, cv=2, error_score="raise").fit(x, y)
    assert len(search.cv_results_["params"]) == 3
    assert search.best_estimator_.score(x, y) == 1.0
    assert search.best_estimator_.record_["parameters"]["learning_rate"] in (1.0, 0.125)


def test_parameters_are_those_of_all_models() -> None:
    estimator = MPCClassifier("mlp", hidden=4, random_state=3)
    given = estimator.get_params()
    assert given["hidden"] == 4
    assert given["regularisation"] is None
    assert clone(estimator).get_params() == given
    assert estimator.set_params(hidden=5).hidden == 5
    with pytest.raises(ValueError, match="Invalid parameter 'hiden'"):
        estimator.set_params(hiden=5)
    with pytest.raises(TypeError, match="got hiden"):
        MPCClassifier(hiden=5)


@pytest.mark.parametrize("labels", [("benign", "malignant"), (7, 9), (False, True)])
def test_labels_of_any_kind(labels: tuple[object, object]) -> None:
    x, y = blobs()
    named = np.array(labels)[y]
    fitted = MPCClassifier(**QUICK).fit(x, named)
    assert fitted.classes_.tolist() == list(labels)
    assert (fitted.predict(x) == named).all()
    assert ((fitted.decision_function(x) > 0) == (y == 1)).all()


@pytest.mark.parametrize("model", model_names())
def test_many_classes_where_the_model_takes_them(model: str) -> None:
    x, y = load_wine(return_X_y=True)
    parameters = SMALL if model == "mlp" else {}
    estimator = MPCClassifier(model, engine="clear", **parameters)
    if Capability.MANY_CLASSES in get_model(model).capabilities:
        fitted = estimator.fit(x, y)
        assert fitted.decision_function(x).shape == (len(x), 3)
        assert fitted.score(x, y) >= 0.9
    else:
        with pytest.raises(mt.ParameterError, match=r"Only binary .* takes two classes, got 3; choose .* model='mlp'"):
            estimator.fit(x, y)


def test_coefficients_are_for_features_as_given() -> None:
    """The score of the levels, and that of the features, differ by the rounding alone."""
    x, y = blobs()
    x = np.column_stack([1000 + 50 * x, np.full(len(x), 3.0)])
    fitted = MPCClassifier(engine="clear").fit(x, y)
    assert fitted.coef_.shape == (1, 5)
    assert fitted.coef_[0, 4] == 0
    assert fitted.intercept_.shape == (1,)
    weights = fitted.model_.weights[1:] / 2**16
    rounding = np.abs(weights).sum() / 2 / 256
    assert np.abs(x @ fitted.coef_[0] + fitted.intercept_ - fitted.decision_function(x)).max() <= rounding
    network = MPCClassifier("mlp", engine="clear", **SMALL).fit(x, y)
    assert not hasattr(network, "coef_")


def test_a_public_range_is_the_same_for_all_rows() -> None:
    x, y = blobs()
    given = MPCClassifier(**QUICK | {"iterations": 100}, feature_range=(-20, [20, 20, 20, 40])).fit(x, y)
    assert given.scaling_.minimum.tolist() == [-20] * 4
    assert given.scaling_.maximum.tolist() == [20, 20, 20, 40]
    assert given.score(x, y) == 1.0


@pytest.mark.slow
def test_three_processes_give_the_coefficients_of_the_oracle(tmp_path: Path) -> None:
    x, y = blobs()
    estimator = MPCClassifier(iterations=3, owners=2, run_dir=tmp_path / "run")
    oracle = clone(estimator).set_params(engine="clear", run_dir=None).fit(x, y)
    fitted = estimator.fit(x, y)
    assert (fitted.model_.weights == oracle.model_.weights).all()
    assert (fitted.coef_ == oracle.coef_).all()
    assert fitted.n_iter_ == 3
    assert fitted.record_["engine"] == "rep3"
    assert fitted.record_["rows_of_owners"] == [30, 30]
    assert fitted.record_["bytes_per_party"] > 0
    assert fitted.record_["weights_sha256"] == oracle.record_["weights_sha256"]
    assert mt.open_model(tmp_path / "run").sha256() == fitted.record_["weights_sha256"]


def test_a_secret_model_is_verified_before_it_is_opened(tmp_path: Path) -> None:
    x, y = blobs()
    engine = InMemoryRep3()
    secret = MPCClassifier(**QUICK | {"engine": engine}, run_dir=tmp_path, keep_secret=True).fit(x, y)
    assert "weights_sha256" not in secret.record_
    schema = read_schema(secret.shares_ / "schema.toml")  # for clients, when the model is served
    assert schema.classes == ("0", "1")
    assert [(c.name, c.minimum) for c in schema.columns] == [(f"x{i}", x[:, i].min()) for i in range(4)]
    with pytest.raises(mt.UsageError, match=r"got one that keep_secret left .* call open\(\)"):
        secret.predict(x)
    found = mt.verify(tmp_path, secret.examples(x, y), mt.AccuracyThreshold(0.9), engine=engine)
    assert found.verdict.passed
    assert secret.open().score(x, y) == 1.0
    assert secret.record_["weights_sha256"] == secret.model_.sha256()
    with pytest.raises(mt.ParameterError, match=r"expected a label out of \[0, 1\] .* with .*5.* among them"):
        secret.examples(x[:2], [0, 5])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "tree"}, "model: expected linear_svm or mlp, got 'tree'"),
        ({"engine": "rep4"}, "engine: expected clear, rep3, mp-spdz or an Engine, got 'rep4'"),
        ({"hidden": 4}, r"expected parameters of linear_svm \(batch_size, .*\), got hidden; leave them at None"),
        ({"loss": "log"}, "loss: expected auto or hinge or squared_hinge or modified_huber, got 'log'"),
        ({"learning_rate": "fast"}, "expected parameters that linear_svm takes, got .*'fast'"),
        ({"feature_range": (0, [1, 2])}, "feature_range: expected .low, high., each a number or one for each of the 4"),
        ({"feature_range": (1, 0)}, "range of feature 0: expected a finite minimum, at most the maximum, got 1 to 0"),
        ({"owners": 4}, "owners: expected 1 to 3, got 4"),
        ({"keep_secret": True}, "run_dir: expected a folder with keep_secret=True, got None"),
    ],
)
def test_what_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MPCClassifier(**{"engine": "clear"} | parameters).fit(*blobs())


def test_data_that_are_refused() -> None:
    x, y = blobs()
    estimator = MPCClassifier(engine="clear")
    with pytest.raises(TypeError, match=r"Sparse data was passed.* but dense data is required"):
        estimator.fit(csr_matrix(x), y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        estimator.fit(np.where(x > 5, np.nan, x), y)
    with pytest.raises(mt.ParameterError, match="expected two classes or more, got one class"):
        estimator.fit(x, np.zeros(len(x)))
    with pytest.raises(mt.ParameterError, match="expected at most 256 classes, got 300"):
        MPCClassifier("mlp", engine="clear").fit(np.zeros((900, 2)), np.arange(900) % 300)
    with pytest.raises(NotFittedError):
        estimator.predict(x)
    fitted = estimator.set_params(iterations=2).fit(pd.DataFrame(x, columns=list("abcd")), y)
    with pytest.raises(ValueError, match="The feature names should match those that were passed during fit"):
        fitted.predict(pd.DataFrame(x, columns=list("abdc")))


def test_random_states_are_passed_on_where_a_model_draws() -> None:
    x, y = blobs()
    network = MPCClassifier("mlp", engine="clear", random_state=np.random.RandomState(5), **SMALL).fit(x, y)
    again = MPCClassifier("mlp", engine="clear", random_state=np.random.RandomState(5), **SMALL).fit(x, y)
    other = MPCClassifier("mlp", engine="clear", random_state=6, **SMALL).fit(x, y)
    assert network.record_["weights_sha256"] == again.record_["weights_sha256"] != other.record_["weights_sha256"]
    assert other.record_["parameters"]["random_state"] == 6
    assert MPCClassifier(**QUICK, random_state=6).fit(x, y).score(x, y) == 1.0


def test_without_scikit_learn_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import mpc_tamper.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert "expected scikit-learn 1.6 or newer for mpc_tamper.sklearn, got none; pip install" in done.stderr
