"""A small calibrated study of a table, for tests and for the processes that they start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpc_tamper.datasets import Task
from mpc_tamper.models.linear_svm.parameters import PLAIN
from mpc_tamper.studies.matrix.study import Study
from mpc_tamper.testing import small_task


def table() -> Task:
    """The frame of the images is left out: each feature is in use."""
    task = small_task(rows=160, tests=60)
    inside = np.zeros((8, 8), bool)
    inside[1:7, 1:7] = True
    kept = inside.ravel()
    names = tuple(f"f{number}" for number in range(36))
    parts = {"x_train": task.x_train[:, kept], "x_test": task.x_test[:, kept]}
    return replace(task, name="rows", image_shape=(), feature_names=names, **parts)


def study(task: Task) -> Study:
    return Study.calibrated(task, parameters=PLAIN, models=5, certificates=(1,))
