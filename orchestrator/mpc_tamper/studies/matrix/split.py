"""Which rows train, which are known to all, and which success is measured on: three parts that share no row.

Known examples are what checks ask about, what their thresholds come from, and what an attacker chooses its strength
with: all of them are public, so the attacker has them too. They are a part of the training rows of each class, drawn
from a public seed, and nobody trains on them. Success is measured on the task's test rows, which nobody chose anything
with.

A model of the study is trained on a part of the training rows of its own, in an order of its own, drawn from the public
seed, the purpose and the model's number: so models differ as honest trainings on other samples do.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.task import Task

PUBLIC_SEED = 1
KNOWN_SHARE = 0.25  # of the training rows
MOST_KNOWN = 2000
SAMPLE_SHARE = 0.8  # of the training rows that are left: what a model is trained on
_LEAST = 2  # rows of a class in each part


class Purpose(IntEnum):
    """What a model is trained for. Samples of the two are drawn apart."""

    CALIBRATION = 0
    STUDY = 1


@dataclass(frozen=True, eq=False)
class Split:
    """training: a task whose training rows are those that are left and whose test rows are the known examples.

    measured: the task as it came, for its test rows.  known: (k,) indices of the known examples in its training rows.
    """

    training: Task
    measured: Task
    known: np.ndarray
    seed: int

    @classmethod
    def of(cls, task: Task, seed: int = PUBLIC_SEED) -> Split:
        """Raises ParameterError where a class has too few rows to be in each part."""
        rng = np.random.default_rng(seed)
        count = min(MOST_KNOWN, round(KNOWN_SHARE * len(task.x_train)))
        known = np.sort(_drawn(task, count / len(task.x_train), rng))
        left = np.delete(np.arange(len(task.x_train)), known)
        training = replace(
            task,
            x_train=task.x_train[left],
            y_train=task.y_train[left],
            x_test=task.x_train[known],
            y_test=task.y_train[known],
        )
        return cls(training, task, known, seed)

    def sample(self, purpose: Purpose, number: int) -> Task:
        """What model `number` is trained on; its test rows are the known examples."""
        task = self.training
        rng = np.random.default_rng((self.seed, purpose, number))
        rows = rng.permutation(_drawn(task, SAMPLE_SHARE, rng))
        return replace(task, x_train=task.x_train[rows], y_train=task.y_train[rows])

    @property
    def sample_rows(self) -> int:
        return len(self.sample(Purpose.STUDY, 0).x_train)

    def record(self) -> dict[str, Any]:
        """JSON types."""
        return {
            "seed": self.seed,
            "known_examples": len(self.known),
            "known_examples_sha256": hashlib.sha256(self.known.astype("<i8").tobytes()).hexdigest(),
            "rows_left": len(self.training.x_train),
            "rows_of_a_model": self.sample_rows,
            "checked_on": "known examples",
            "strengths_chosen_on": "known examples",
            "success_measured_on": "test rows",
        }


def _drawn(task: Task, share: float, rng: np.random.Generator) -> np.ndarray:
    """Indices of training rows: this share of each class, ascending within it."""
    chosen = []
    for label in range(len(task.classes)):
        rows = np.flatnonzero(task.y_train == label)
        count = round(share * len(rows))
        if not _LEAST <= count <= len(rows) - _LEAST:
            raise ParameterError(
                f"{task.name}: expected enough training rows of class {task.classes[label]} for known examples and "
                f"for training, got {len(rows)}; give more rows"
            )
        chosen.append(np.sort(rng.choice(rows, count, replace=False)))
    return np.concatenate(chosen)
