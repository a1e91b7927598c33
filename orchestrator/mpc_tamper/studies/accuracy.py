"""What a training at default settings reaches on many data sets, beside scikit-learn's LinearSVC at its best C.

LinearSVC is trained in the clear on the same levels, p / 256. Its C is the one of a grid that does best on the test
rows themselves, which favours it: nobody could choose so well in advance. Ours has nothing chosen at all. Tables are
split at random several times, and accuracies are means over the splits.

What the defaults were chosen on says so; the others were only measured.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mpc_tamper.core.errors import EngineUnavailable, ParameterError
from mpc_tamper.core.files import check_folder, write_atomically
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets import load_task
from mpc_tamper.datasets.classes import sha256_of
from mpc_tamper.datasets.scaling import Scaling
from mpc_tamper.datasets.task import Task
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.models.parameters import recorded
from mpc_tamper.records.studies import ACCURACY
from mpc_tamper.report.accuracy import ACCURACY_CSV, ACCURACY_JSON, ACCURACY_MARKDOWN, csv_table, markdown_table
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.environment import environment
from mpc_tamper.workflows.training import train_and_open

SPLITS = 10  # of a table
TEST_SHARE = 0.25
GRID = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
# The largest C by the number of rows: LinearSVC does best well below it, and takes hours above.
LARGEST_C = ((5_000, GRID[-1]), (20_000, 1.0), (None, 0.1))
SMALL = 2_000  # rows up to which a training is run on rep3 where no engine is named

Split = Callable[[int], Task]


@dataclass(frozen=True)
class DataSet:
    """split: the task of split number i.  tables: split at random; others come with test rows of their own.

    chosen_on: whether the defaults were chosen with it in sight.
    """

    split: Split
    tables: bool = True
    chosen_on: bool = False


def study_accuracy(
    out: Path,
    *,
    fashion: Path | None = None,
    only: Sequence[str] = (),
    engine: EngineName | None = None,
    threads: int | None = None,
    splits: int = SPLITS,
    parameters: SvmParameters | None = None,
    configuration: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write accuracy.json, accuracy.csv and accuracy.md to `out` after each data set, and return the record.

    Lines of a record that is there and of the same parameters stay until they are measured again.
    fashion: the folder of Fashion-MNIST's files; without it, its data sets are left out.  only: names of data sets.
    engine: where None, rep3 for data sets of few rows, else clear, which comes to the same weights.  threads: of each
    party, as Engine.on_threads has them.
    parameters: the defaults where None.  configuration: for the record, the options of the command that asked for this.

    Raises EngineUnavailable without scikit-learn, and ParameterError for an unknown name.
    """
    check_folder(out)
    known = data_sets(fashion)
    for name in only:
        if name not in known:
            raise ParameterError(
                f"data set: expected one of {', '.join(known)}, got {name!r}; some need --fashion FOLDER"
            )
    parameters = parameters or SvmParameters()
    record: dict[str, Any] = {}
    for name in only or known:
        progress(f"{name}: training and LinearSVC")
        line = measured(name, known[name], parameters, engine, threads, splits if known[name].tables else 1)
        record = _with_line(out, line, parameters)
        record = ACCURACY.write(out / ACCURACY_JSON, record | {"configuration": configuration}, indent=1)
        write_atomically(out / ACCURACY_CSV, csv_table(record), public=True)
        write_atomically(out / ACCURACY_MARKDOWN, markdown_table(record), public=True)
    return record


def measured(
    name: str,
    data: DataSet,
    parameters: SvmParameters,
    engine: EngineName | None,
    threads: int | None,
    splits: int,
) -> dict[str, Any]:
    """A line of the record."""
    ours, theirs, hashes = [], dict[float, list[float]](), []
    for number in range(splits):
        task = data.split(number)
        rows, features = task.x_train.shape
        runs_on = engine or (EngineName.REP3 if rows <= SMALL else EngineName.CLEAR)
        trained = train_and_open(task, parameters, engine=get_engine(runs_on).on_threads(threads))
        ours.append(float((trained.predict(task.x_test) == task.y_test).mean()))
        hashes.append(trained.opened.sha256())
        largest = next(c for most, c in LARGEST_C if most is None or rows <= most)
        for c in [c for c in GRID if c <= largest]:
            theirs.setdefault(c, []).append(linear_svc(task, c))
    means = {c: float(np.mean(found)) for c, found in theirs.items()}
    best = max(means, key=lambda c: means[c])
    return {
        "data_set": name,
        "classes": len(task.classes),
        "features": features,
        "rows": rows,
        "test_rows": len(task.x_test),
        "splits": splits,
        "chosen_on": data.chosen_on,
        "engine": str(runs_on),
        "test_accuracy": float(np.mean(ours)),
        "linear_svc": means[best],
        "linear_svc_c": best,
        "linear_svc_of_c": {f"{c:g}": mean for c, mean in means.items()},
        "data_sha256": task.sha256,
        "weights_sha256": hashes[-1],
    }


def linear_svc(task: Task, c: float) -> float:
    """The test accuracy of LinearSVC on the same levels."""
    svm = _sklearn("svm")
    model = svm.LinearSVC(C=c, dual="auto", random_state=0, max_iter=10_000)
    model.fit(task.x_train / 256, task.y_train)
    return float(model.score(task.x_test / 256, task.y_test))


def data_sets(fashion: Path | None) -> Mapping[str, DataSet]:
    """By name.  fashion: the folder of Fashion-MNIST's files; None leaves its data sets out."""
    found = {
        "iris": DataSet(partial(_bunch, "iris"), chosen_on=True),
        "wine": DataSet(partial(_bunch, "wine"), chosen_on=True),
        "breast_cancer": DataSet(partial(_bunch, "breast_cancer"), chosen_on=True),
        "digits": DataSet(partial(_bunch, "digits"), chosen_on=True),
        "digits_3_8": DataSet(partial(_bunch, "digits", kept=(3, 8)), chosen_on=True),
        "digits_1_7": DataSet(partial(_bunch, "digits", kept=(1, 7))),
        "digits_6_8": DataSet(partial(_bunch, "digits", kept=(6, 8))),
        "made_2_classes": DataSet(partial(_made, 2, 20, 1.0)),
        "made_3_classes": DataSet(partial(_made, 3, 10, 1.5)),
        "made_5_classes": DataSet(partial(_made, 5, 40, 2.0)),
        "mnist_0_1": _images("mnist_0_1", None, chosen_on=True),
        "mnist_4_9": _images("mnist_10", (4, 9), chosen_on=True),
        "mnist_3_5": _images("mnist_10", (3, 5), chosen_on=True),
        "mnist_7_9": _images("mnist_10", (7, 9)),
        "mnist_5_8": _images("mnist_10", (5, 8)),
    }
    if fashion is not None:
        pairs = {
            ("T-shirt", "trouser"): True,
            ("pullover", "coat"): True,
            ("T-shirt", "shirt"): True,
            ("coat", "shirt"): True,
            ("pullover", "shirt"): False,
            ("dress", "coat"): False,
            ("sneaker", "ankle-boot"): False,
        }
        for pair, chosen_on in pairs.items():
            found[f"fashion_{'_'.join(pair)}"] = _images(str(fashion), pair, chosen_on=chosen_on)
    found["mnist_10"] = _images("mnist_10", None)
    if fashion is not None:
        found["fashion_10"] = _images(str(fashion), "all")
    return MappingProxyType(found)


def _images(name: str, classes: Any, *, chosen_on: bool = False) -> DataSet:
    return DataSet(lambda number: load_task(name, classes=classes), tables=False, chosen_on=chosen_on)


def _bunch(name: str, number: int, kept: tuple[int, ...] = ()) -> Task:
    """One of scikit-learn's own data sets. kept: its classes that are kept, where not all are."""
    bunch = getattr(_sklearn("datasets"), f"load_{name}")()
    x, y = bunch.data, bunch.target
    classes = tuple(map(str, bunch.target_names))
    if kept:
        chosen = np.isin(y, kept)
        x, y = x[chosen], np.searchsorted(kept, y[chosen])
        classes = tuple(classes[each] for each in kept)
    features = tuple(map(str, getattr(bunch, "feature_names", range(x.shape[1]))))
    return _split(name, x, y, classes, features, number)


def _made(classes: int, features: int, separation: float, number: int) -> Task:
    """Clusters, drawn with another seed for each split: several tables of a kind."""
    x, y = _sklearn("datasets").make_classification(
        n_samples=2_000,
        n_features=features,
        n_informative=6,
        n_redundant=2,
        n_classes=classes,
        n_clusters_per_class=1,
        class_sep=separation,
        flip_y=0.02,
        random_state=1_000 + number,
    )
    names = tuple(map(str, range(classes)))
    return _split(f"made_{classes}", x, y, names, tuple(f"x{i}" for i in range(features)), number)


def _split(
    name: str, x: np.ndarray, y: np.ndarray, classes: tuple[str, ...], features: tuple[str, ...], number: int
) -> Task:
    """Test rows drawn by class; the ranges of features are those of the training rows."""
    x_train, x_test, y_train, y_test = _sklearn("model_selection").train_test_split(
        x, y.astype(np.uint8), test_size=TEST_SHARE, random_state=number, stratify=y
    )
    scaling = Scaling.of(x_train)
    arrays = (scaling.levels(x_train), y_train, scaling.levels(x_test), y_test)
    return Task(
        name,
        *arrays,
        image_shape=(),
        classes=classes,
        source=f"scikit-learn, split {number}",
        sha256=sha256_of(arrays),
        feature_names=features,
    )


def _with_line(out: Path, line: Mapping[str, Any], parameters: SvmParameters) -> dict[str, Any]:
    """The record that is there, if it is of these parameters, with this line among the others."""
    wanted = recorded(parameters)
    path = out / ACCURACY_JSON
    known = ACCURACY.read(path) if path.exists() else {}
    lines = known["data_sets"] if known.get("parameters") == json.loads(json.dumps(wanted)) else []
    lines = [each for each in lines if each["data_set"] != line["data_set"]] + [line]
    order = {name: number for number, name in enumerate(data_sets(Path()))}
    lines.sort(key=lambda each: order[each["data_set"]])
    return {"parameters": wanted, "environment": environment(), "data_sets": lines}


def _sklearn(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError as exc:
        raise EngineUnavailable(
            "expected scikit-learn to compare with, got no such package; pip install mpc-tamper[sklearn]"
        ) from exc
