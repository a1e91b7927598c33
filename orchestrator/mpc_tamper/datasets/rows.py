"""A part of a task's rows, for studies that are to be quick.

The name and the checksum stay those of the whole task; together with the numbers of rows, which every record has, they
say what the data are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets.task import Task


def first_rows(task: Task, rows: int, tests: int | None = None) -> Task:
    """The first training rows and the first test images, as they come; all test images where tests is None.

    Raises ParameterError where there are fewer, or where a class would be left without any.
    """
    tests = len(task.x_test) if tests is None else tests
    _check_counts(task, rows, tests)
    return _with_rows(task, np.arange(rows), np.arange(tests))


def spread_rows(task: Task, rows: int, tests: int) -> Task:
    """At most so many training rows and test images, spread evenly over the data.

    Raises ParameterError where a class would be left without any.
    """
    return _with_rows(task, _spread(rows, len(task.x_train)), _spread(tests, len(task.x_test)))


def part_of(task: Task, rows: int | None, tests: int | None) -> Task:
    """The first training rows, and test images spread evenly over all; all of them where None.

    Raises ParameterError as first_rows() does.
    """
    rows, tests = (len(y) if count is None else count for count, y in ((rows, task.y_train), (tests, task.y_test)))
    _check_counts(task, rows, tests)
    return _with_rows(task, np.arange(rows), _spread(tests, len(task.x_test)))


def tests_of_each_class(task: Task, tests: int) -> Task:
    """Test images of each class, as many, at least one, and together about so many; of each class the first ones."""
    each = max(1, tests // len(task.classes))
    chosen = [np.flatnonzero(task.y_test == label)[:each] for label in range(len(task.classes))]
    return _with_rows(task, np.arange(len(task.x_train)), np.sort(np.concatenate(chosen)))


def _check_counts(task: Task, rows: int, tests: int) -> None:
    for what, count, there in (("training rows", rows, len(task.x_train)), ("test images", tests, len(task.x_test))):
        if not 2 <= count <= there:
            raise ParameterError(
                f"expected 2 to {there} {what} of {task.name}, got {count}; choose a number in between"
            )


def _spread(count: int, there: int) -> np.ndarray:
    """(min(count, there),) indices, spread evenly."""
    return np.linspace(0, there - 1, min(count, there)).astype(int)


def _with_rows(task: Task, train: np.ndarray, test: np.ndarray) -> Task:
    for part, y, chosen in (("training rows", task.y_train, train), ("test images", task.y_test, test)):
        missing = sorted(set(range(len(task.classes))) - set(np.unique(y[chosen]).tolist()))
        if missing:
            raise ParameterError(
                f"expected all classes of {task.name} among {len(chosen)} {part}, got none of class "
                f"{', '.join(map(str, missing))}; take more of them"
            )
    return replace(
        task,
        x_train=task.x_train[train],
        y_train=task.y_train[train],
        x_test=task.x_test[test],
        y_test=task.y_test[test],
        owner_rows=(),
    )
