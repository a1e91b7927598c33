"""Which classes of a data set a task keeps, and how they are numbered: label 0 is the class that is named first."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.advice import MOST_CLASSES
from mpc_tamper.datasets.checks import checked
from mpc_tamper.datasets.task import Task

_DIGITS = 9  # of a class's number; Python refuses to read very long ones

ClassName = int | str
Choice = tuple[ClassName, ...] | Literal["all"]
ALL: Literal["all"] = "all"


def with_classes(task: Task, classes: Choice | None) -> Task:
    """The rows of these classes in their order, or the task as it is where classes is None or ALL.

    Raises DataError for a class that the task lacks, and for a choice where there are two classes alone.
    """
    if classes is None or classes == ALL:
        return task
    if len(task.classes) == 2:
        raise DataError(
            f"{task.source}: expected no choice of classes, for it holds two, labelled 0 and 1; "
            f"got {', '.join(map(str, classes))}; leave classes out"
        )
    numbers = class_numbers(classes, task.classes)
    if numbers == tuple(range(len(task.classes))):
        return task
    names = tuple(task.classes[number] for number in numbers)
    x_train, y_train = rows_of(numbers, task.x_train, task.y_train)
    kept, ends = np.isin(task.y_train, numbers), np.cumsum(task.owner_rows)
    counts = [int(kept[end - count : end].sum()) for end, count in zip(ends, task.owner_rows, strict=True)]
    x_test, y_test = rows_of(numbers, task.x_test, task.y_test)
    return checked(
        replace(
            task,
            name="_".join((task.name, *names)),
            x_train=x_train,
            y_train=y_train,
            x_test=x_test,
            y_test=y_test,
            classes=names,
            source=f"{task.source}, {in_words(names)}",
            sha256=sha256_of((x_train, y_train, x_test, y_test)),
            owner_rows=tuple(counts),
            schema=None if task.schema is None else replace(task.schema, classes=names),
        )
    )


def class_numbers(classes: Choice, names: tuple[str, ...]) -> tuple[int, ...]:
    """The numbers of these classes among all names, in the order given. Raises DataError."""
    if classes == ALL:
        return tuple(range(len(names)))
    numbers = tuple(_class_number(c, names) for c in classes)
    if len(numbers) < 2 or len(set(numbers)) < len(numbers):
        raise DataError(
            f"expected two or more different classes, got {', '.join(map(str, classes)) or 'none'}; choose from "
            f"{', '.join(names)}"
        )
    return numbers


def rows_of(numbers: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of these classes in their order, labelled 0, 1, ... as the classes are given.  y: (m,) uint8."""
    label = np.zeros(MOST_CLASSES, dtype=np.uint8)
    label[list(numbers)] = np.arange(len(numbers))
    kept = np.isin(y, numbers)
    return x[kept], label[y[kept]]


def in_words(names: tuple[str, ...]) -> str:
    """'classes 3, 5 and 7'."""
    return f"classes {', '.join(names[:-1])} and {names[-1]}"


def sha256_of(arrays: Iterable[np.ndarray]) -> str:
    """Of a task that is no file: x_train, y_train, x_test and y_test in this order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _class_number(value: ClassName, names: tuple[str, ...]) -> int:
    text = str(value).strip()
    if text in names:
        return names.index(text)
    if text.lower() in names:
        return names.index(text.lower())
    if text.isdecimal() and len(text) < _DIGITS and int(text) < len(names):
        return int(text)
    raise DataError(f"expected a class, 0 to {len(names) - 1} or {', '.join(names)}, got {value!r}")
