"""What an opened model makes of test rows: for records, and to be printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mpc_tamper.cli import console

if TYPE_CHECKING:
    from mpc_tamper.datasets.task import Task
    from mpc_tamper.models.base import OpenedModel

_LONGEST = 12  # classes of which a terminal shows who is taken for whom


def tested(model: OpenedModel, task: Task) -> dict[str, Any]:
    """JSON types. confusion: of each class, how many rows are taken for each; accuracy of each class."""
    from mpc_tamper.models.metrics import confusion

    counts = confusion(model, task.x_test, task.y_test, len(task.classes))
    right = counts.diagonal()
    return {
        "test_accuracy": int(right.sum()) / len(task.y_test),
        "class_accuracy": dict(zip(task.classes, (right / counts.sum(axis=1)).tolist(), strict=True)),
        "confusion": counts.tolist(),
    }


def say_tested(found: Mapping[str, Any]) -> None:
    """The accuracy; of more than two classes that of each, and who is taken for whom."""
    console.say(f"{'test accuracy':<28} {found['test_accuracy']:.4f}")
    classes = found["class_accuracy"]
    if len(classes) == 2:
        return
    for (name, accuracy), counts in zip(classes.items(), found["confusion"], strict=True):
        taken = "  as " + " ".join(f"{count:>4}" for count in counts) if len(classes) <= _LONGEST else ""
        console.say(f"{f'  of class {name}':<28} {accuracy:.4f}{taken}")
