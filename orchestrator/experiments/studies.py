"""What the matrix is run on: a data set, how its models are trained, and what their checks ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from orchestrator.datasets.task import Task
from orchestrator.defences.base import Defence
from orchestrator.errors import ParameterError
from orchestrator.svm import SvmParameters

QUICK_TRAINING, QUICK_TESTS, QUICK_ITERATIONS = 400, 200, 20


@dataclass(frozen=True, eq=False)
class Study:
    """thresholds: of the checks, by the defence's name: the least share of test images. Those not named keep theirs.

    The servers agree on them before anything is trained; they are what an honest model reaches with a little room.
    """

    task: Task
    parameters: SvmParameters
    thresholds: Mapping[str, float]

    @classmethod
    def of(cls, task: Task, *, quick: bool = False) -> Study:
        """Grey images are trained as MNIST 0/1 is, coloured ones as CIFAR-10's.

        quick: a part of the rows and few iterations, to see that everything runs; the numbers mean little.
        """
        coloured = len(task.image_shape) == 3
        parameters = COLOURED if coloured else GREY
        thresholds = COLOURED_THRESHOLDS if coloured else GREY_THRESHOLDS
        if quick:
            task = replace(
                task,
                **_part(task.x_train, task.y_train, QUICK_TRAINING, "train"),
                **_part(task.x_test, task.y_test, QUICK_TESTS, "test"),
            )
            parameters = replace(parameters, iterations=QUICK_ITERATIONS)
        return cls(task, parameters, thresholds)

    @classmethod
    def again(cls, task: Task, record: Mapping[str, Any] | None) -> Study:
        """The study that left this record. Raises ParameterError where the data are others."""
        for quick in (False, True):
            study = cls.of(task, quick=quick)
            if study.record() == record:
                return study
        raise ParameterError(
            f"expected the data, parameters and thresholds that the record of {task.name} names, got others: give the "
            "same --dataset, and run it with the version that wrote the record"
        )

    def record(self) -> dict[str, Any]:
        """What cells of one matrix have in common; JSON types."""
        task = self.task
        return {
            "image_shape": list(task.image_shape),
            "classes": list(task.classes),
            "source": task.source,
            "data_sha256": task.sha256,
            "rows": len(task.x_train),
            "test_images": len(task.x_test),
            "parameters": asdict(self.parameters),
            "thresholds": dict(self.thresholds),
        }

    @property
    def picture(self) -> dict[str, Any]:
        """The first test image of class 0, for triggers to be drawn on."""
        image = self.task.x_test[int(np.argmin(self.task.y_test))]
        return {"image_shape": list(self.task.image_shape), "test_image": image.tolist()}

    def fit(self, name: str, defence: Defence) -> Defence:
        """The defence with this study's threshold."""
        if defence.check is None or name not in self.thresholds:
            return defence
        return replace(defence, check=replace(defence.check, threshold=self.thresholds[name]))  # type: ignore[type-var]


GREY = SvmParameters()
GREY_THRESHOLDS: Mapping[str, float] = {"accuracy": 0.99}
COLOURED = SvmParameters(learning_rate=0.005, iterations=100)
COLOURED_THRESHOLDS: Mapping[str, float] = {"accuracy": 0.77}


def _part(x: np.ndarray, y: np.ndarray, rows: int, name: str) -> dict[str, Any]:
    """Rows spread evenly over the data, so that both classes stay."""
    chosen = np.linspace(0, len(x) - 1, min(rows, len(x))).astype(int)
    return {f"x_{name}": x[chosen], f"y_{name}": y[chosen]}
