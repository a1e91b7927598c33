"""A classifier with scikit-learn's interface whose training runs in three-party computation.

    from sklearn.model_selection import cross_val_score
    from mpc_tamper.sklearn import MPCClassifier

    cross_val_score(MPCClassifier(engine="clear", learning_rate=0.05), X, y)

Features become the integer levels 0..255 by a public rule (datasets/scaling.py), and levels are what the model is
trained on.
"""

from __future__ import annotations

import contextlib
import inspect
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, check_random_state, column_or_1d, validate_data

from mpc_tamper import api
from mpc_tamper.core.errors import DataError, ParameterError, UsageError
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.datasets.advice import MOST_CLASSES
from mpc_tamper.datasets.classes import sha256_of
from mpc_tamper.datasets.scaling import Scaling
from mpc_tamper.datasets.tables.schema import Column, Kind, Schema
from mpc_tamper.datasets.task import Task
from mpc_tamper.models.base import OpenedModel
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.fixed_point import ROW_SCALE
from mpc_tamper.models.registry import DEFAULT, get_model, model_names
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.protocols import EngineName, ProtocolName
from mpc_tamper.sklearn.parameters import RANDOM_STATE, chosen, names_of_all_models

_PASSES = ("iterations", "epochs")  # what models call the passes over all rows
_SEEDS = 1 << 31
_LABEL = "label"  # the column of classes, in the schema that a run keeps
_TOP_LEVEL = MAX_PIXEL / (1 << ROW_SCALE)  # what the largest level is as an attribute
_PARAMETERS = tuple(name for name in names_of_all_models() if name != RANDOM_STATE)


class MPCClassifier(ClassifierMixin, BaseEstimator):
    """Trains a model on secret-shared rows among three local servers, and opens it, as predict() needs it.

    What opening gives away: whoever runs fit() sees the model, and so all that it holds. After passive training
    (protocol "ring") that may be more than a model: a corrupt server can make it one row of an owner's data
    (docs/findings.md). So this class is for data of the experimenter's own. With keep_secret=True nothing is opened;
    the shares stay in run_dir, to be verified or served, and predict() is refused until open().

    model: "linear_svm", "mlp" or another that is registered.
    engine: "rep3" (three processes), "clear" (the oracle, without any secrecy) or "mp-spdz"; or an Engine.
    protocol: "ring" is passive; "mal-rep-ring" is active, with abort.
    feature_range: (low, high), numbers or arrays with one for each feature: what becomes level 0 and level 255; values
    beyond are cut off. Where None, the ranges of the training rows, which then are public.
    owners: among how many parties, 1 to 3, the rows are split, or an Owners.
    random_state: an int, or a RandomState from which one is drawn, for a model that draws numbers; these are public.
    run_dir: a new folder that keeps the shares, in run_dir/train. Where None, they go when fit() ends.
    keep_secret: open nothing; needs a run_dir.
    Further arguments are the public parameters of the models, such as learning_rate and iterations of linear_svm, or
    hidden and epochs of mlp: None for the model's own default.

    After fit():
    classes_ (C,): the labels, ascending.  n_features_in_, feature_names_in_: as scikit-learn has them.
    n_iter_: passes over all rows.  scaling_: the public rule from features to levels.
    shares_: the folder of the shares, which lasts as run_dir does.
    model_: the opened model with its exact integers.  record_: how the training ran and what it cost: bytes, rounds,
    seconds, and weights_sha256 of an opened model.
    coef_ (1 or C, n), intercept_ (1 or C,): of a linear model, for features as they were given to fit().
    """

    def __init__(
        self,
        model: str = DEFAULT,
        *,
        engine: api.EngineLike = EngineName.REP3.value,
        protocol: api.ProtocolLike = ProtocolName.RING.value,
        feature_range: tuple[Any, Any] | None = None,
        owners: int | Owners = 1,
        random_state: Any = None,
        run_dir: str | Path | None = None,
        keep_secret: bool = False,
        **parameters: Any,
    ) -> None:
        self.model = model
        self.engine = engine
        self.protocol = protocol
        self.feature_range = feature_range
        self.owners = owners
        self.random_state = random_state
        self.run_dir = run_dir
        self.keep_secret = keep_secret
        for name in _PARAMETERS:
            setattr(self, name, parameters.pop(name, None))
        if parameters:
            raise TypeError(
                f"expected arguments of MPCClassifier or of a model ({', '.join(_PARAMETERS)}), got "
                f"{', '.join(sorted(parameters))}"
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        many = self.model not in model_names() or Capability.MANY_CLASSES in get_model(self.model).capabilities
        tags.classifier_tags.multi_class = many
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train on these rows; open the model unless keep_secret.

        X: (m, n) finite numbers, an array or a DataFrame.  y: (m,) labels of any kind, of two classes or more.
        Raises ValueError (ParameterError) for what cannot be trained on, and as mpc_tamper.train() does.
        """
        if self.keep_secret and self.run_dir is None:
            raise ParameterError("run_dir: expected a folder with keep_secret=True, got None; the shares go there")
        X, y = validate_data(self, X, y, dtype="numeric", multi_output=True)
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self._check_classes(y)
        self.scaling_ = self._scaling(X)
        parameters = chosen(self.model, self._given())
        secret = api.train(
            self._task(self._levels(X), labels),
            parameters,
            model=self.model,
            engine=self.engine,
            protocol=self.protocol,
            owners=self._owners(len(y)),
            run_dir=self.run_dir,
        )
        self.n_iter_ = next((getattr(parameters, name) for name in _PASSES if hasattr(parameters, name)), 1)
        self.record_, self.shares_ = secret.record(), secret.shares
        self.model_: OpenedModel | None = None
        if not self.keep_secret:
            opened = secret.open()
            self.record_, self.model_ = opened.record(), opened.opened
        return self

    def open(self) -> Self:
        """Open the model that fit() kept secret, for analysis."""
        check_is_fitted(self, "record_")
        if self.model_ is None:
            self.model_ = api.open_model(self.shares_, engine=self.engine)
            self.record_ = self.record_ | {"weights_sha256": self.model_.sha256()}
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores in real units, float64: (m,) for two classes, (m, C) for more.  X: (m, n)."""
        check_is_fitted(self, "record_")
        return self._opened().decision_function(self._levels(self._checked(X)))

    def predict(self, X: Any) -> np.ndarray:
        """(m,) labels out of classes_.  X: (m, n)."""
        check_is_fitted(self, "record_")
        return self.classes_[self._opened().predict(self._levels(self._checked(X)))]

    def examples(self, X: Any, y: Any) -> Task:
        """Known rows as a task, levels and labels 0, 1, ..., for mpc_tamper.verify() of the shares in run_dir.

        X: (m, n).  y: (m,) out of classes_.  Raises ParameterError for other labels.
        """
        check_is_fitted(self, "record_")
        x, y = self._checked(X), column_or_1d(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown) or len(y) != len(x):
            raise ParameterError(
                f"expected a label out of {self.classes_.tolist()} for each of {len(x)} rows, got {len(y)} labels"
                + (f" with {unknown[0]!r} among them" if len(unknown) else "")
            )
        return self._task(self._levels(x), np.searchsorted(self.classes_, y))

    @property
    def coef_(self) -> np.ndarray:
        """(1, n) for two classes, (C, n) for more; decision_function() differs by the rounding to levels alone."""
        weights, width = self._linear("coef_")
        return np.divide(weights[1:].T, width, out=np.zeros_like(weights[1:].T), where=width > 0) * _TOP_LEVEL

    @property
    def intercept_(self) -> np.ndarray:
        """(1,) for two classes, (C,) for more."""
        weights, _ = self._linear("intercept_")
        return weights[0] - self.coef_ @ self.scaling_.minimum

    def _linear(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Weights (n + 1, 1 or C) in real units, and the width of each feature's range."""
        check_is_fitted(self, "record_")
        if Capability.LINEAR not in get_model(self.model).capabilities:
            raise AttributeError(f"{name}: expected a linear model, got {self.model}")
        model = self._opened()
        weights = model.weights.reshape(self.n_features_in_ + 1, -1) / 2.0 ** (model.score_bits - ROW_SCALE)
        return weights, self.scaling_.maximum - self.scaling_.minimum

    def _opened(self) -> OpenedModel:
        if self.model_ is None:
            raise UsageError(
                f"expected an opened model, got one that keep_secret left as shares in {self.shares_}; verify or serve "
                "it, or call open()"
            )
        return self.model_

    def _given(self) -> dict[str, Any]:
        state = self.random_state
        if state is not None and not isinstance(state, Integral):
            state = int(check_random_state(state).randint(_SEEDS - 1))
        return {name: getattr(self, name) for name in _PARAMETERS} | {RANDOM_STATE: state}

    def _owners(self, rows: int) -> Owners:
        if isinstance(self.owners, Owners):
            return self.owners
        return Owners.share_equally(rows, self.owners)

    def _check_classes(self, y: np.ndarray) -> None:
        many = Capability.MANY_CLASSES in get_model(self.model).capabilities
        if len(self.classes_) < 2:
            raise ParameterError(f"expected two classes or more, got one class, {self.classes_[0]!r}; add other rows")
        if len(self.classes_) > 2 and not many:
            # The beginning is what scikit-learn's checks expect, word for word.
            raise ParameterError(
                f"Only binary classification is supported. The type of the target is {type_of_target(y)}: {self.model} "
                f"takes two classes, got {len(self.classes_)}; choose a model of many, such as model='mlp'"
            )
        if len(self.classes_) > MOST_CLASSES:
            raise ParameterError(f"expected at most {MOST_CLASSES} classes, got {len(self.classes_)}; merge some")

    def _scaling(self, X: np.ndarray) -> Scaling:
        if self.feature_range is None:
            return Scaling.of(X)
        try:
            low, high = (np.broadcast_to(np.asarray(end, np.float64), X.shape[1:]) for end in self.feature_range)
        except (TypeError, ValueError) as exc:
            raise ParameterError(
                f"feature_range: expected (low, high), each a number or one for each of the {X.shape[1]} features, got "
                f"{self.feature_range!r}; correct it"
            ) from exc
        return Scaling(low, high)

    def _checked(self, X: Any) -> np.ndarray:
        return np.asarray(validate_data(self, X, dtype="numeric", reset=False))

    def _levels(self, X: np.ndarray) -> np.ndarray:
        return self.scaling_.levels(X.astype(np.float64))

    def _task(self, levels: np.ndarray, labels: np.ndarray) -> Task:
        """labels: indices of classes_."""
        y = labels.astype(np.uint8)
        given = getattr(self, "feature_names_in_", [f"x{i}" for i in range(levels.shape[1])])
        names, classes = tuple(map(str, given)), tuple(map(str, self.classes_))
        return Task(
            "array",
            levels,
            y,
            levels,
            y,
            image_shape=(),
            classes=classes,
            source="an array in memory",
            sha256=sha256_of((levels, y, levels, y)),
            feature_names=names,
            schema=self._schema(names, classes),
        )

    def _schema(self, names: tuple[str, ...], classes: tuple[str, ...]) -> Schema | None:
        """By which clients of a secret model encode rows of their own; None where names are no names of columns."""
        ends = zip(names, self.scaling_.minimum.tolist(), self.scaling_.maximum.tolist(), strict=True)
        with contextlib.suppress(DataError):
            return Schema(_LABEL, classes, tuple(Column(name, Kind.NUMBER, low, high) for name, low, high in ends))
        return None


def _with_parameters_of_models() -> inspect.Signature:
    """scikit-learn reads the names of parameters off the signature, so those of the models have to be in it."""
    signature = inspect.signature(MPCClassifier.__init__)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    of_models = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in _PARAMETERS]
    return signature.replace(parameters=[*own, *of_models])


MPCClassifier.__init__.__signature__ = _with_parameters_of_models()  # type: ignore[attr-defined]
