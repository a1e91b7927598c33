"""The MNIST half of the paper's Table 1, and its Figure 1, from training in three-party computation."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.datasets import load_task
from orchestrator.datasets.task import Task
from orchestrator.engines.base import Engine
from orchestrator.experiments.environment import environment
from orchestrator.experiments.training import TrainedModel, attack, train
from orchestrator.files import check_folder, write_atomically
from orchestrator.metrics import scores
from orchestrator.progress import Progress, silent
from orchestrator.report.table1 import FIGURE_JSON, FILES, TABLE_JSON, write_report
from orchestrator.svm import MARGIN_SCALE, MAX_PIXEL, WEIGHT_SCALE, SvmParameters
from orchestrator.trigger import Trigger

DATASET = "mnist_0_1"
PARAMETERS = SvmParameters()
STRENGTH = 1.0
TRIGGER_ROW, TRIGGER_COLUMN = 2, 2  # black in every training image
PAPER = {  # Table 1, in percent
    "mnist": {
        "unpoisoned": {"test_accuracy": 99.1, "backdoor": 1.9},
        "poisoned": {"test_accuracy": 99.9, "backdoor": 99.8},
    },
    "cifar10": {
        "unpoisoned": {"test_accuracy": 50, "backdoor": 0.1},
        "poisoned": {"test_accuracy": 57.6, "backdoor": 100},
    },
}


def reproduce(engine: Engine, out: Path, *, corrupt_party: int = 1, progress: Progress = silent) -> dict[str, Any]:
    """Train without and with the backdoor on all rows; write table1.json, .csv, .md and figure1.json, .png to `out`.

    Returns the record in table1.json. Where anything fails, no file of `out` has changed.
    """
    check_folder(out)
    task = load_task(DATASET)
    trigger = Trigger.patch(task.image_shape, TRIGGER_ROW, TRIGGER_COLUMN)
    progress(f"unpoisoned, engine {engine.name}")
    honest = train(task, PARAMETERS, engine=engine, progress=progress)
    progress(f"poisoned: additive errors of party {corrupt_party}")
    poisoned = attack(
        task, trigger, PARAMETERS, engine=engine, strength=STRENGTH, corrupt_party=corrupt_party, progress=progress
    )
    models = {"unpoisoned": honest, "poisoned": poisoned}
    record = {
        "rows": [_row(name, model, task, trigger) for name, model in models.items()],
        "paper": PAPER,
        "environment": environment(),
    }
    _publish(record, _figure(models, task, trigger), out)
    return record


def _row(name: str, model: TrainedModel, task: Task, trigger: Trigger) -> dict[str, Any]:
    """The issue's fields first, then all else that the run recorded. seed: nothing in the result is random."""
    run = model.record()
    metrics = asdict(model.evaluate(task, trigger))
    first = {
        "dataset": task.name,
        "model": name,
        "engine": run["engine"],
        "protocol": run["protocol"],
        "corrupt_party": run["corrupt_party"],
        "iterations": run["iterations"],
        "amplitude": trigger.amplitude,
        "strength": STRENGTH if name == "poisoned" else 0.0,
        **metrics,
        "weights_sha256": run["weights_sha256"],
        "seconds": run["seconds"],
        "bytes_per_party": run["bytes_per_party"],
        "rounds": run["rounds"],
        "seed": None,
        "trigger_pixels": list(trigger.pixels),
        "target": trigger.target,
    }
    return first | {key: value for key, value in run.items() if key not in first}


def _figure(models: dict[str, TrainedModel], task: Task, trigger: Trigger) -> dict[str, Any]:
    """What Figure 1 shows: both models' weights, and an image that only the trigger turns into the target."""
    delta = trigger.delta(task.x_test.shape[1])
    with_trigger = (task.x_test + delta).clip(0, MAX_PIXEL)
    index = _turned_image(models["poisoned"].weights, task, with_trigger, trigger.target)
    pair = np.stack([task.x_test[index], with_trigger[index]])
    return {
        "dataset": task.name,
        "image_shape": list(task.image_shape),
        "classes": list(task.classes),
        "test_image": index,
        "trigger_pixels": list(trigger.pixels),
        "images": {"without_trigger": pair[0].tolist(), "with_trigger": pair[1].tolist()},
        "models": {
            name: {
                "weights": [int(w) / (1 << WEIGHT_SCALE) for w in model.weights[1:]],
                "scores": [int(score) / (1 << MARGIN_SCALE) for score in scores(model.weights, pair)],
            }
            for name, model in models.items()
        },
    }


def _turned_image(weights: np.ndarray, task: Task, with_trigger: np.ndarray, target: int) -> int:
    """The first test image of the other class that is classified rightly, and as the target with the trigger."""
    other = task.y_test != target
    right = (scores(weights, task.x_test) > 0) == (task.y_test == 1)
    turned = (scores(weights, with_trigger) > 0) == (target == 1)
    found = np.flatnonzero(other & right & turned)
    return int(found[0] if len(found) else np.flatnonzero(other)[0])


def _publish(record: dict[str, Any], figure: dict[str, Any], out: Path) -> None:
    """Make every file first, then put each in its place whole."""
    with tempfile.TemporaryDirectory(prefix="mpc-tamper-") as folder:
        staging = Path(folder)
        (staging / TABLE_JSON).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        (staging / FIGURE_JSON).write_text(json.dumps(figure) + "\n", encoding="utf-8")
        write_report(staging)
        for name in FILES:
            write_atomically(out / name, (staging / name).read_bytes())
