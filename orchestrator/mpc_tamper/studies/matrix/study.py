"""What the matrix runs on: a data set, how its models are trained, and what their checks ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.core.progress import Progress, silent
from mpc_tamper.datasets.rows import part_of, spread_rows
from mpc_tamper.datasets.task import Task
from mpc_tamper.defences.base import Defence
from mpc_tamper.defences.registry import (
    DEFENCES,
    NETWORK_DEFENCES,
    NETWORK_DEFENCES_OF_TEN,
    defences,
    network_defences,
    with_plugins,
)
from mpc_tamper.defences.robustness import PixelRobustness
from mpc_tamper.models.base import Model
from mpc_tamper.models.capabilities import Capability
from mpc_tamper.models.parameters import recorded
from mpc_tamper.models.registry import DEFAULT, get_model
from mpc_tamper.studies.matrix.calibration import MODELS, calibrate, drawn_parameters, with_threshold
from mpc_tamper.studies.matrix.split import Purpose, Split

QUICK_TRAINING, QUICK_TESTS = 400, 200
CERTIFICATES = (1, 2, 4, 16)  # pixels, or features of a table, that a calibrated study looks at


@dataclass(frozen=True, eq=False)
class Study:
    """source: which copy of the data.

    defences: with thresholds on which the servers agree before anything is trained. They are what honest models reach,
    with a little room, but for certificates at least what excludes a trigger that always works. Where honest models do
    not get that far, as for 64 pixels, the certificate always gives a false alarm.

    split: of a study with thresholds of its own data (calibration.py), whose models are trained on samples of the rows,
    one for each seed.  calibration: how the thresholds came about, for the record.  refused: why a defence has none.

    whole: the task that the study was made of, from which another process can make it again; None where it cannot.
    """

    task: Task
    source: str
    parameters: Any
    defences: Mapping[str, Defence]
    model: Model = field(default_factory=get_model)
    split: Split | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    whole: Task | None = None

    def __post_init__(self) -> None:
        examples, largest_class = len(self.task.x_test), int(np.bincount(self.task.y_test).max())
        for name, defence in self.defences.items():
            if defence.check is not None and defence.check.pixels:
                least = defence.check.least(examples)
                if least <= largest_class:
                    raise ParameterError(
                        f"{name}: expected a threshold above {largest_class / examples:.3f}, so that a model of one "
                        f"class alone does not pass, got {least} of {examples}. Raise it"
                    )

    @classmethod
    def of(
        cls,
        task: Task,
        source: str | None = None,
        *,
        model: Model | None = None,
        quick: bool = False,
        random_state: int | None = None,
    ) -> Study:
        """Trained with the parameters that the model suggests for such images.

        model: the linear SVM where None.  source: the file's name where None.  quick: a part of the rows and few
        iterations, to see that everything runs; the numbers mean little.  random_state: of a training that draws
        something; the model's own where None.
        """
        model = model or get_model()
        parameters = model.suggested(task.image_shape, len(task.classes))
        if random_state is not None:
            parameters = model.with_random_state(parameters, random_state)
        whole = task
        if quick:
            task = spread_rows(task, QUICK_TRAINING, QUICK_TESTS)
            parameters = model.shortened(parameters)
        known = defences_for(model, task)
        return cls(task, source or Path(task.source).name, parameters, known, model, whole=whole)

    @classmethod
    def calibrated(
        cls,
        task: Task,
        source: str | None = None,
        *,
        model: Model | None = None,
        parameters: Any = None,
        random_state: int | None = None,
        models: int = MODELS,
        certificates: Sequence[int] = CERTIFICATES,
        progress: Progress = silent,
    ) -> Study:
        """With thresholds that honest models of this very data reach (calibration.py).

        parameters: those that train() takes by default where None.  random_state: of a training that draws something.
        models: how many are trained for that.  certificates: for how many pixels, or features of a table, at most.
        """
        model, split = model or get_model(), Split.of(task)
        parameters = model.parameters() if parameters is None else parameters
        if random_state is not None:
            parameters = model.with_random_state(parameters, random_state)
        known = {
            name: defence
            for name, defence in checks_for(
                model, [k for k in certificates if k <= task.x_train.shape[1] // task.channels]
            ).items()
            if not (task.is_table and Capability.PATCH_SCAN in defence.needs)
        }
        found = calibrate(split, model, parameters, known, models=models, progress=progress)
        return cls(
            split.training,
            source or Path(task.source).name,
            parameters,
            found.defences,
            model,
            split=split,
            calibration={**split.record(), **found.record},
            refused=found.refused,
            whole=task,
        )

    def of_seed(self, seed: int) -> Study:
        """The study of one model, trained on a sample of its own.  seed: from 0."""
        if self.split is None:
            raise ParameterError("seeds: expected a calibrated study, got another; calibrate its thresholds first")
        task = self.split.sample(Purpose.STUDY, seed)
        return replace(self, task=task, parameters=drawn_parameters(self.model, self.parameters, seed))

    @property
    def measured(self) -> Task:
        """Whose test rows success is measured on."""
        return self.task if self.split is None else self.split.measured

    @classmethod
    def again(
        cls, task: Task, records: Mapping[str, Any], source: str | None = None, model: Model | None = None
    ) -> Study:
        """The study that left one of these records, by name. Raises ParameterError where the data are others.

        task: the whole of it. The record says on how many of its first rows the study was made.
        """
        model = model or get_model()
        known = records.get(_name(task, model), {})
        if "calibration" in known:
            return cls._recalled(task, known, model)
        study = cls.of(task, source, model=model)
        if study.record() == known:
            return study
        random_state = known.get("parameters", {}).get("random_state")
        for quick in (True, False):
            with contextlib.suppress(ParameterError):  # a part without some class: the record is of other data
                part = task if quick else part_of(task, known.get("rows", 0), known.get("test_images", 0))
                study = cls.of(part, source, model=model, quick=quick, random_state=random_state)
                if study.record() == known:
                    return study
        raise _of_others(task)

    @classmethod
    def _recalled(cls, task: Task, known: Mapping[str, Any], model: Model) -> Study:
        """A calibrated study with the thresholds of its record; no model is trained for them again."""
        how = known["calibration"]
        split = Split.of(part_of(task, how["known_examples"] + how["rows_left"], known["test_images"]), how["seed"])
        random_state = known["parameters"].get("random_state")
        for parameters in (model.parameters(), model.suggested(task.image_shape, len(task.classes))):
            drawn = parameters if random_state is None else model.with_random_state(parameters, random_state)
            thresholds = {name: facts["threshold"] for name, facts in how["checks"].items()}
            pixels = [int(name.rpartition("_")[2]) for name in thresholds if name.startswith("certificate_")]
            checked = {
                name: replace(defence, check=with_threshold(defence.check, thresholds[name]))
                if name in thresholds
                else defence
                for name, defence in checks_for(model, pixels).items()
                if name not in thresholds or name in known["thresholds"]
            }
            study = cls(split.training, known["source"], drawn, checked, model, split=split, calibration=how)
            study = replace(study, whole=task)
            if study.record() == known:
                return study
        raise _of_others(task)

    @property
    def name(self) -> str:
        """Of the data set; of another model than the default one, with the model's."""
        return _name(self.task, self.model)

    def record(self) -> dict[str, Any]:
        """What cells of one matrix have in common; JSON types."""
        task = self.task
        plugins = set() if self.split else {*DEFENCES.added(), *NETWORK_DEFENCES.added()}  # which may come and go
        own = {name: defence for name, defence in self.defences.items() if name not in plugins}
        common = {
            "model": self.model.name,
            "image_shape": list(task.image_shape),
            **({"feature_names": list(task.feature_names)} if task.is_table else {}),
            "classes": list(task.classes),
            "source": self.source,
            "data_sha256": task.sha256,
            "rows": len(task.x_train) if self.split is None else self.split.sample_rows,
            "test_images": len(self.measured.x_test),
            "parameters": recorded(self.parameters),
            "thresholds": {
                name: defence.check.least(len(task.x_test))
                for name, defence in own.items()
                if defence.check is not None
            },
        }
        if self.split is None:
            return common
        return common | {"calibration": dict(self.calibration)}

    @property
    def picture(self) -> dict[str, Any] | None:
        """The first test image of class 0, for triggers to be drawn on; None of a table, whose rows are no pictures."""
        if self.task.is_table:
            return None
        image = self.measured.x_test[int(np.argmin(self.measured.y_test))]
        return {"image_shape": list(self.task.image_shape), "test_image": image.tolist()}


GREY = DEFENCES
COLOURED = defences(0.77, {1: 0.75, 4: 0.7, 16: 0.55, 64: 0.55})
COLOURED_NETWORK = network_defences(0.7, {1: 0.6, 4: 0.55})  # of two classes, a guess: nothing was measured


def _name(task: Task, model: Model) -> str:
    return task.name if model.name == DEFAULT else f"{task.name}-{model.name}"


def _of_others(task: Task) -> ParameterError:
    return ParameterError(
        f"expected the data, parameters and thresholds that the record of {task.name} names, got others: give the "
        "same --data and --model, and run it with the version that wrote the record"
    )


def checks_for(model: Model, certificates: Sequence[int]) -> Mapping[str, Defence]:
    """The defences of a calibrated study; the thresholds, 1, are to be replaced."""
    certified = dict.fromkeys(certificates, 1.0)
    known = (network_defences if Capability.NEURONS in model.capabilities else defences)(1.0, certified)
    return dict(with_plugins(known))


def defences_for(model: Model, task: Task) -> Mapping[str, Defence]:
    """With thresholds for grey or coloured images, and for two or for many classes; of a table, those that fit."""
    known = _defences_of_images(model, task)
    return _that_fit(known, task) if task.is_table else known


def _that_fit(known: Mapping[str, Defence], task: Task) -> Mapping[str, Defence]:
    """Without certificates of more features than the table has, and with thresholds that no single class reaches."""
    examples, largest_class = len(task.x_test), int(np.bincount(task.y_test).max())
    fitting = {}
    for name, defence in known.items():
        check = defence.check
        if isinstance(check, PixelRobustness):
            if check.pixels > len(task.feature_names):
                continue
            if check.least(examples) <= largest_class:
                share = min(1.0, (largest_class + 1) / examples)
                defence = replace(defence, check=replace(check, threshold=share))
        fitting[name] = defence
    return fitting


def _defences_of_images(model: Model, task: Task) -> Mapping[str, Defence]:
    coloured = len(task.image_shape) == 3
    if Capability.NEURONS not in model.capabilities:
        return COLOURED if coloured else GREY
    if len(task.classes) > 2:
        return NETWORK_DEFENCES_OF_TEN
    return COLOURED_NETWORK if coloured else NETWORK_DEFENCES
