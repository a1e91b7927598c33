"""Clean rows for a defence that looks at data after the training: they are taken out of the training rows beforehand.

They are neither rows that the attack touched nor images that its success is measured on. A part of the rows, spread
evenly over the data, is set aside before anybody trains: an owner who poisons its training rows does so afterwards,
the training runs without them, and the test images stay what they are. What the defence gains from them it pays for
with training rows, and the record of a cell says how many.

Either everybody knows them (owner None), as the examples of a verification, so that no server can enter others; or
they are the secret of one server that the defence then has to trust, since nobody sees what it enters.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.task import Task
from mpc_tamper.models.pruning import CleanRows

MOST_ROWS = 2048
PART = 4  # at most one in so many training rows


def set_aside(task: Task, rows: int | None = None, owner: int | None = None) -> tuple[Task, CleanRows]:
    """The task without its clean rows, and these.  rows: how many; MOST_ROWS where None, fewer of a small task."""
    count = min(MOST_ROWS, len(task.x_train) // PART) if rows is None else rows
    rest, x, y = _divided(task, count)
    return rest, CleanRows(x, y, owner)


@lru_cache(maxsize=2)
def _divided(task: Task, count: int) -> tuple[Task, np.ndarray, np.ndarray]:
    """The same objects again for the same task: trainings that are alike are run once (scenarios/runner.py)."""
    there = len(task.x_train)
    if not 1 <= count < there:
        raise ParameterError(f"clean rows: expected 1 to {there - 1} of the {there} training rows, got {count}")
    chosen = (np.arange(count) * there) // count
    left = np.delete(np.arange(there), chosen)
    missing = set(range(len(task.classes))) - set(np.unique(task.y_train[left]).tolist())
    if missing:
        raise ParameterError(
            f"clean rows: expected training rows of every class to be left, got none of class {min(missing)} besides "
            f"{count} clean rows; take fewer"
        )
    rest = replace(task, x_train=task.x_train[left], y_train=task.y_train[left])
    return rest, task.x_train[chosen], task.y_train[chosen]
