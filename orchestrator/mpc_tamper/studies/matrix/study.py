"""What the matrix runs on: a data set, how its models are trained, and what their checks ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.registry import DEFENCES, defences
from mpc_tamper.models.base import Model
from mpc_tamper.models.registry import DEFAULT, get_model

QUICK_TRAINING, QUICK_TESTS = 400, 200


@dataclass(frozen=True, eq=False)
class Study:
    """source: which copy of the data.

    defences: with thresholds on which the servers agree before anything is trained. They are what honest models reach,
    with a little room, but for certificates at least what excludes a trigger that always works. Where honest models do
    not get that far, as for 64 pixels, the certificate always gives a false alarm.
    """

    task: Task
    source: str
    parameters: Any
    defences: Mapping[str, Defence]
    model: Model = field(default_factory=get_model)

    def __post_init__(self) -> None:
        examples, least_class = len(self.task.x_test), int(np.bincount(self.task.y_test).min())
        for name, defence in self.defences.items():
            if defence.check is not None and defence.check.pixels:
                least = defence.check.least(examples)
                if examples - least >= least_class:
                    raise ParameterError(
                        f"{name}: expected a threshold above {1 - least_class / examples:.3f}, so that a model of one "
                        f"class alone does not pass, got {least} of {examples}. Raise it"
                    )

    @classmethod
    def of(cls, task: Task, source: str | None = None, *, model: Model | None = None, quick: bool = False) -> Study:
        """Trained with the parameters that the model suggests for such images.

        model: the linear SVM where None.  source: the file's name where None.  quick: a part of the rows and few
        iterations, to see that everything runs; the numbers mean little.
        """
        model = model or get_model()
        parameters = model.suggested(task.image_shape)
        known = COLOURED if len(task.image_shape) == 3 else GREY
        if quick:
            task = replace(
                task,
                **_part(task.x_train, task.y_train, QUICK_TRAINING, "train"),
                **_part(task.x_test, task.y_test, QUICK_TESTS, "test"),
            )
            parameters = model.shortened(parameters)
        return cls(task, source or Path(task.source).name, parameters, known, model)

    @classmethod
    def again(
        cls, task: Task, records: Mapping[str, Any], source: str | None = None, model: Model | None = None
    ) -> Study:
        """The study that left one of these records, by name. Raises ParameterError where the data are others."""
        for quick in (False, True):
            study = cls.of(task, source, model=model, quick=quick)
            if study.record() == records.get(study.name):
                return study
        raise ParameterError(
            f"expected the data, parameters and thresholds that the record of {task.name} names, got others: give the "
            "same --dataset, and run it with the version that wrote the record"
        )

    @property
    def name(self) -> str:
        """Of the data set; of another model than the default one, with the model's."""
        return self.task.name if self.model.name == DEFAULT else f"{self.task.name}-{self.model.name}"

    def record(self) -> dict[str, Any]:
        """What cells of one matrix have in common; JSON types."""
        task = self.task
        return {
            "model": self.model.name,
            "image_shape": list(task.image_shape),
            "classes": list(task.classes),
            "source": self.source,
            "data_sha256": task.sha256,
            "rows": len(task.x_train),
            "test_images": len(task.x_test),
            "parameters": asdict(self.parameters),
            "thresholds": {
                name: defence.check.least(len(task.x_test))
                for name, defence in self.defences.items()
                if defence.check is not None
            },
        }

    @property
    def picture(self) -> dict[str, Any]:
        """The first test image of class 0, for triggers to be drawn on."""
        image = self.task.x_test[int(np.argmin(self.task.y_test))]
        return {"image_shape": list(self.task.image_shape), "test_image": image.tolist()}


GREY = DEFENCES
COLOURED = defences(0.77, {1: 0.75, 4: 0.7, 16: 0.55, 64: 0.55})


def _part(x: np.ndarray, y: np.ndarray, rows: int, name: str) -> dict[str, Any]:
    """Rows spread evenly over the data, so that both classes stay."""
    chosen = np.linspace(0, len(x) - 1, min(rows, len(x))).astype(int)
    return {f"x_{name}": x[chosen], f"y_{name}": y[chosen]}
