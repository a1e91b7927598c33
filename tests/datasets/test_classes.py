"""Tasks of more than two classes: the bundled one, a choice of classes, and a part of the rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets import first_rows, load_task
from mpc_tamper.datasets.checks import checked
from mpc_tamper.datasets.classes import Choice, with_classes
from mpc_tamper.datasets.rows import spread_rows
from mpc_tamper.datasets.trigger import Trigger
from tests.support.images import striped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    task = striped(4)
    np.savez(
        tmp_path / "mine.npz", **{part: getattr(task, part) for part in ("x_train", "y_train", "x_test", "y_test")}
    )
    return tmp_path / "mine.npz"


def test_all_ten_digits_are_bundled() -> None:
    task, two = load_task("mnist_10"), load_task("mnist_0_1")
    assert (task.x_train.shape, task.x_test.shape, task.image_shape) == ((60_000, 784), (10_000, 784), (28, 28))
    assert np.bincount(task.y_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(task.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (task.name, task.classes) == ("mnist_10", tuple("0123456789"))
    chosen = with_classes(task, (0, 1))
    assert (chosen.name, chosen.classes) == ("mnist_10_0_1", ("0", "1"))
    for part in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(chosen, part), getattr(two, part))


@pytest.mark.parametrize("classes", [None, "all", (0, 1, 2, 3), ("0", "1", "2", "3")])
def test_a_file_of_many_classes_as_it_is(path: Path, classes: Choice | None) -> None:
    task = load_task(path, classes=classes)
    assert (task.name, task.classes) == ("mine", ("0", "1", "2", "3"))
    assert np.bincount(task.y_train).tolist() == [15, 15, 15, 15]


@pytest.mark.parametrize("classes", [(3, 1), (2, 0, 3), (3, 2, 1, 0)])
def test_chosen_classes_are_numbered_as_they_are_given(path: Path, classes: tuple[int, ...]) -> None:
    whole, task = striped(4), load_task(path, classes=classes)
    assert (task.name, task.classes) == ("_".join(map(str, ("mine", *classes))), tuple(map(str, classes)))
    kept = [row for row in range(60) if whole.y_train[row] in classes]
    assert task.y_train.tolist() == [classes.index(int(whole.y_train[row])) for row in kept]
    np.testing.assert_array_equal(task.x_train, whole.x_train[kept])
    assert set(task.y_test.tolist()) == set(range(len(classes)))
    assert task.source.endswith(f" and {classes[-1]}")
    assert task.sha256 != load_task(path).sha256
    assert task.sha256 == load_task(path, classes=classes).sha256


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((1,), "expected two or more different classes, got 1; choose from 0, 1, 2, 3"),
        ((), "expected two or more different classes, got none"),
        ((1, 2, 1), "expected two or more different classes, got 1, 2, 1"),
        ((1, 4), "expected a class, 0 to 3 or 0, 1, 2, 3, got 4"),
        (("1", "cat"), "got 'cat'"),
    ],
)
def test_classes_that_there_are_not(path: Path, classes: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_task(path, classes=classes)


@pytest.mark.parametrize("classes", [("one",), (), ("one", "one", "two"), tuple(map(str, range(257)))])
def test_names_of_classes_that_do_not_do(classes: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"expected the names of 2 to 256 different classes, got .*; correct classes"):
        checked(replace(striped(3), classes=classes))


def test_the_first_rows() -> None:
    whole = striped(4)
    task = first_rows(whole, 10)
    assert (task.name, task.sha256, len(task.x_test)) == (whole.name, whole.sha256, 30)
    np.testing.assert_array_equal(task.x_train, whole.x_train[:10])
    np.testing.assert_array_equal(task.y_train, whole.y_train[:10])
    np.testing.assert_array_equal(first_rows(whole, 60, tests=8).y_test, whole.y_test[:8])


@pytest.mark.parametrize(
    ("rows", "tests", "message"),
    [
        (61, None, "expected 2 to 60 training rows of striped, got 61; choose a number in between"),
        (1, None, "got 1; choose"),
        (-3, None, "got -3; choose"),
        (60, 31, "expected 2 to 30 test images of striped, got 31"),
        (2, None, "expected all classes of striped among 2 training rows, got none of class 2, 3; take more of them"),
        (60, 3, "among 3 test images, got none of class 3"),
    ],
)
def test_first_rows_that_do_not_do(rows: int, tests: int | None, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        first_rows(striped(4), rows, tests)


def test_rows_spread_over_the_data() -> None:
    whole = striped(3)
    task = spread_rows(whole, 7, 1000)
    np.testing.assert_array_equal(task.x_train, whole.x_train[[0, 9, 19, 29, 39, 49, 59]])
    np.testing.assert_array_equal(task.x_test, whole.x_test)
    with pytest.raises(ParameterError, match="got none of class 1"):
        spread_rows(whole, 2, 1000)


def test_triggers_are_towards_any_class_that_the_task_has() -> None:
    Trigger((35,), target=3).check(striped(4))
    with pytest.raises(ParameterError, match="target: expected a class from 0 to 2, got 3"):
        Trigger((35,), target=3).check(striped(3))
    with pytest.raises(ParameterError, match="target: expected class 0 or 1, got 3"):
        Trigger((35,), target=3).check(striped(2))
    with pytest.raises(ParameterError, match="expected pixels below 36, got 36"):
        Trigger((36,), target=3).check(striped(4))
    with pytest.raises(ParameterError, match="target: expected a class from 0, got -1"):
        Trigger((35,), target=-1)
