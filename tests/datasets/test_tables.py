"""Tables as tasks: kinds, one-hot categories, scaling from training rows, fills, splits, owners, formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mpc_tamper as mt
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.tables.split import split_rows
from tests.support.tables import people, write_people

FEATURES = ("age", "height", "smokes", "colour=blue", "colour=green", "colour=red")


def test_a_table_becomes_levels_by_the_ranges_of_its_training_rows(tmp_path: Path) -> None:
    task = mt.load_task(write_people(tmp_path / "people.csv"), label="state")
    assert task.feature_names == FEATURES
    assert task.classes == ("ill", "well")
    assert (task.is_table, task.image_shape, task.name, task.unit) == (True, (), "people", "feature")
    assert (len(task.x_train), len(task.x_test)) == (44, 16)  # a quarter of 30 and 30, rounded
    assert task.x_train[:, :2].min(axis=0).tolist() == [0, 0]
    assert task.x_train[:, :2].max(axis=0).tolist() == [255, 255]
    assert set(np.unique(task.x_train[:, 2:])) == {0, 255}
    assert (task.x_train[:, 3:].sum(axis=1, dtype=int) == 255).all()  # one category each
    assert task.schema is not None
    age = task.schema.columns[0]
    assert (age.minimum, age.maximum) == (20, 74)


def test_csv_parquet_frames_and_arrays_are_one_task(tmp_path: Path) -> None:
    frame = people()
    frame.to_csv(tmp_path / "people.csv", index=False)
    frame.to_parquet(tmp_path / "people.parquet")
    wanted = mt.load_task(tmp_path / "people.csv", label="state").sha256
    assert mt.load_task(tmp_path / "people.parquet", label="state").sha256 == wanted
    assert mt.table_task(frame, "state").sha256 == wanted
    assert mt.table_task(frame.drop(columns="state"), frame["state"]).sha256 == wanted
    numbers = frame[["age", "height"]]
    of_array = mt.table_task(numbers.to_numpy(), frame["state"].to_numpy(), feature_names=["age", "height"])
    assert of_array.sha256 == mt.table_task(numbers, frame["state"]).sha256
    assert mt.table_task(numbers.to_numpy(), frame["state"]).feature_names == ("x0", "x1")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", " , "),
        lambda text: "\ufeff" + text,
        lambda text: "\n\n" + text + "\n\n",
        lambda text: text.replace("red", '"red"').replace("colour", '"colour"'),
        lambda text: text.replace("True", "true").replace("False", "FALSE"),
    ],
    ids=["crlf", "cr", "semicolons", "tabs", "spaces", "bom", "blank lines", "quotes", "booleans"],
)
def test_ways_of_writing_a_csv(tmp_path: Path, change: object) -> None:
    text = write_people(tmp_path / "people.csv").read_text(encoding="utf-8")
    wanted = mt.load_task(tmp_path / "people.csv", label="state").sha256
    assert callable(change)
    (tmp_path / "people.csv").write_bytes(change(text).encode())
    assert mt.load_task(tmp_path / "people.csv", label="state").sha256 == wanted


def test_quoted_separators_and_newlines_belong_to_a_value(tmp_path: Path) -> None:
    lines = "".join(f'{i},"{"xy"[i % 2]}, \n z",{i % 2}\n' for i in range(8))
    (tmp_path / "t.csv").write_text('p,"q,\nr",y\n' + lines, encoding="utf-8")
    task = mt.load_task(tmp_path / "t.csv", label="y")
    assert task.feature_names == ("p", "q,\nr=x, \n z", "q,\nr=y, \n z")
    assert task.classes == ("0", "1")


def test_names_that_are_no_text_become_text() -> None:
    x = pd.DataFrame(np.arange(8).reshape(4, 2), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]))
    assert mt.table_task(x, [0, 1] * 2).feature_names == ("('a', 1)", "('a', 2)")
    assert mt.table_task(x.set_axis([1, 2], axis=1), [0, 1] * 2).feature_names == ("1", "2")


def test_labels_are_ordered_by_number_or_alphabet() -> None:
    x = np.arange(12.0).reshape(12, 1)
    assert mt.table_task(x, [10, 9, 2] * 4).classes == ("2", "9", "10")
    assert mt.table_task(x, [1.0, 0.0] * 6).classes == ("0", "1")
    assert mt.table_task(x, ["b", "a", "10"] * 4).classes == ("10", "a", "b")
    assert mt.table_task(x, [True, False] * 6).classes == ("False", "True")


def test_numbers_can_be_categories_and_columns_be_left_out() -> None:
    frame = people().assign(ward=[3, 10, 3] * 20, id=np.arange(60))
    task = mt.table_task(frame, "state", categories=["ward"], ignored=["id", "height"])
    assert task.feature_names == ("age", "smokes", "colour=blue", "colour=green", "colour=red", "ward=3", "ward=10")
    assert task.schema is not None
    assert task.schema.ignored == ("id", "height")


@pytest.mark.parametrize(
    ("fill", "age", "colour", "smokes"),
    [("mean", 2.75, "red", True), ("median", 3, "red", True), ("most-frequent", 4, "red", True)],
)
def test_missing_values_are_filled_from_training_rows(fill: str, age: float, colour: str, smokes: bool) -> None:
    train = pd.DataFrame(
        {"age": [1, 2, 4, 4, None], "colour": ["red", "red", "blue", None, "red"], "s": [True, None, True, False, True]}
    )
    test = pd.DataFrame({"age": [100.0, 100.0], "colour": ["blue", None], "s": [False, False]})
    task = mt.table_task(train, [0, 1, 0, 1, 0], test=(test, [0, 1]), fill=fill)
    assert task.schema is not None
    assert [column.fill for column in task.schema.columns] == [age, colour, smokes]
    row = [round(255 * (age - 1) / 3), 0, 255, 255]
    assert row in task.x_train.tolist()
    assert task.x_test.tolist() == [[255, 255, 0, 0], [255, 0, 255, 0]]  # beyond the range: clipped


def test_a_value_of_ones_own_fills_and_widens_the_range() -> None:
    frame = pd.DataFrame({"age": [1.0, 2, 4, 4, None, 3], "colour": ["red", "red", None, "blue", "blue", "red"]})
    assert [c.fill for c in _columns(mt.table_task(frame[["age"]], [0, 1] * 3, fill=-1))] == [-1.0]
    assert _columns(mt.table_task(frame[["age"]], [0, 1] * 3, fill=-1))[0].minimum == -1
    other = _columns(mt.table_task(frame[["colour"]], [0, 1] * 3, fill="unknown"))[0]
    assert (other.categories, other.fill) == (("blue", "red", "unknown"), "unknown")
    with pytest.raises(ParameterError, match=r"column 'age': expected --fill mean.* or a finite number, got 'unknown'"):
        mt.table_task(frame, [0, 1] * 3, fill="unknown")


def _columns(task: mt.Task) -> tuple[mt.Column, ...]:
    assert task.schema is not None
    return task.schema.columns


@pytest.mark.parametrize(("share", "tests"), [(0.25, (5, 2)), (0.001, (1, 1)), (0.999, (19, 9))])
def test_a_split_takes_its_share_of_each_class_and_leaves_a_row(share: float, tests: tuple[int, int]) -> None:
    y = np.array([0] * 20 + [1] * 10)
    train, test = split_rows(y, ("a", "b"), share, 1, "t")
    assert sorted([*train, *test]) == list(range(30))
    assert tuple(np.bincount(y[test])) == tests
    assert test.tolist() == sorted(test)
    again = split_rows(y, ("a", "b"), share, 1, "t")
    assert np.array_equal(train, again[0])
    if share == 0.25:
        assert not np.array_equal(test, split_rows(y, ("a", "b"), share, 2, "t")[1])
        assert train.tolist() != sorted(train)  # a sorted file is no sorted training


def test_owners_have_files_of_their_own(tmp_path: Path) -> None:
    files = [write_people(tmp_path / f"{i}.csv", rows, seed=i) for i, rows in enumerate((20, 30, 10))]
    task = mt.load_tables(files, mt.Reading("state"))
    counts = task.owner_rows
    assert sum(counts) == len(task.x_train) == 44
    alone = pd.concat([people(rows, seed=i) for i, rows in enumerate((20, 30, 10))])
    assert task.schema == mt.table_task(alone, "state").schema
    ages = task.x_train[: counts[0], 0]
    own = mt.read_labelled(files[0], task.schema)[0][:, 0]  # type: ignore[arg-type]
    assert set(ages.tolist()) <= set(own.tolist())
    owners = mt.Owners(counts)
    model = mt.train(task, mt.SvmParameters(iterations=2), engine="clear", owners=owners)
    assert model.record()["rows_of_owners"] == list(counts)


def test_a_file_of_tests_has_the_training_columns_and_classes(tmp_path: Path) -> None:
    train, test = write_people(tmp_path / "a.csv", 40, 1), write_people(tmp_path / "b.csv", 20, 2)
    task = mt.load_task(train, label="state", test_data=test)
    assert (len(task.x_train), len(task.x_test)) == (40, 20)
    people(20).assign(state="new").to_csv(test, index=False)
    with pytest.raises(
        DataError, match=r"b.csv: column 'state', row 1: expected one of the classes ill, well, got anot"
    ):
        mt.load_task(train, label="state", test_data=test)


def test_classes_are_chosen_by_name_whatever_its_case(tmp_path: Path) -> None:
    frame = people().assign(state=["Ill", "well", "New"] * 20)
    frame.to_csv(tmp_path / "t.csv", index=False)
    task = mt.load_task(tmp_path / "t.csv", label="state", classes=("New", "Ill"))
    assert task.classes == ("New", "Ill")
    assert task.schema is not None
    assert task.schema.classes == task.classes
    parts = [tmp_path / "t.csv", tmp_path / "t.csv"]
    several = mt.load_tables(parts, mt.Reading("state"), classes=("New", "Ill"))
    assert len(several.owner_rows) == 2
    assert sum(several.owner_rows) == len(several.x_train) == 2 * len(task.x_train)


def test_a_table_is_kept_as_npz_by_its_feature_names(tmp_path: Path) -> None:
    task = mt.table_task(people(), "state")
    arrays = {name: getattr(task, name) for name in ("x_train", "y_train", "x_test", "y_test")}
    names, classes = np.array(task.feature_names), np.array(task.classes)
    np.savez(tmp_path / "t.npz", feature_names=names, classes=classes, **arrays)
    again = mt.load_task(tmp_path / "t.npz")
    assert (again.feature_names, again.classes, again.image_shape) == (task.feature_names, task.classes, ())
    for wrong, message in (
        ({"feature_names": names[:2]}, r"expected shape \(rows, 2\)"),
        ({"feature_names": np.array(["a"] * 6)}, r"a different name for each feature"),
        ({"feature_names": np.arange(6)}, r"feature_names: expected a list of text, got int64"),
        ({"feature_names": names, "image_shape": np.array([2, 3])}, r"image_shape or feature_names, got both"),
    ):
        np.savez(tmp_path / "t.npz", **arrays, **wrong)
        with pytest.raises(DataError, match=message):
            mt.load_task(tmp_path / "t.npz")
