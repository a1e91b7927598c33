"""A schema as a file: written, read, agreed upon by owners, and refused where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mpc_tamper as mt
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.tables.schema import Kind
from mpc_tamper.datasets.tables.schema_files import as_json, as_toml
from mpc_tamper.datasets.tables.task import draft_schema
from tests.support.tables import people, write_people

NAMES = st.text(min_size=1, max_size=8).map(str.strip).filter(bool)
TOML = """
label = "state"
classes = ["well", "ill"]
ignored = ["height"]

[[columns]]
name = "age"
kind = "number"
minimum = 0
maximum = 100
fill = 50

[[columns]]
name = "colour"
kind = "category"
categories = ["red", "blue", "green", "violet"]

[[columns]]
name = "smokes"
kind = "boolean"
"""


def written(folder: Path, text: str = TOML) -> Path:
    path = folder / "schema.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_owners_encode_their_files_alike_by_an_agreed_schema(tmp_path: Path) -> None:
    schema = mt.read_schema(written(tmp_path))
    assert schema.feature_names == ("age", "colour=red", "colour=blue", "colour=green", "colour=violet", "smokes")
    frame = people().sample(frac=1, random_state=1, axis=1)  # the columns in another order
    frame.loc[[3, 4], "age"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    x, y = mt.read_labelled(tmp_path / "a.csv", schema)
    assert x[:, 0].tolist() == np.rint(255 * frame["age"].fillna(50) / 100).astype(int).tolist()
    assert y.tolist() == (frame["state"] == "ill").astype(int).tolist()
    assert (x[:, 1:5].argmax(axis=1) == frame["colour"].map({"red": 0, "blue": 1, "green": 2})).all()
    assert mt.load_task(tmp_path / "a.csv", schema=tmp_path / "schema.toml").schema == schema
    frame.drop(columns=["state", "height"]).to_csv(tmp_path / "b.csv", index=False)
    assert np.array_equal(mt.read_unlabelled(tmp_path / "b.csv", schema), x)


def test_a_file_that_does_not_fit_a_schema(tmp_path: Path) -> None:
    schema = mt.read_schema(written(tmp_path))
    for frame, message in (
        (people().drop(columns="age"), r"expected the columns of the schema, got no 'age'; rename, add or remove"),
        (people().assign(more=1), r"expected the columns of the schema, got 'more' too"),
        (
            people().assign(colour="black"),
            r"column 'colour', row 1: expected one of the schema's categories red, blue, ",
        ),
        (people().assign(state="dead"), r"column 'state', row 1: expected one of the classes well, ill, got another"),
        (people().assign(age="old"), r"column 'age', row 1: expected a number"),
        (people().assign(smokes="seldom"), r"column 'smokes', row 1: expected true or false, got something else"),
        (people().assign(smokes=None), r"column 'smokes': expected a value in every row, got 60 of 60 missing"),
    ):
        frame.to_csv(tmp_path / "t.csv", index=False)
        with pytest.raises(DataError, match=message) as refused:
            mt.read_labelled(tmp_path / "t.csv", schema)
        assert not any(value in str(refused.value) for value in ("black", "dead", "'old'", "seldom"))


def test_a_schema_takes_the_place_of_other_options(tmp_path: Path) -> None:
    path, data = written(tmp_path), write_people(tmp_path / "t.csv")
    for options, message in (
        ({"label": "age"}, r"expected the label of the schema, 'state', got --label 'age'"),
        ({"fill": "mean"}, r"expected a schema or --fill, got both; write it into"),
        ({"ignored": ["age"]}, r"expected a schema or --ignore, got both"),
    ):
        with pytest.raises(ParameterError, match=message):
            mt.load_task(data, schema=path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('label = "state"', "", r"schema: expected classes, columns, label, got no label; add it"),
        ('label = "state"', 'label = "state"\nmore = 1', r"got more too; remove it"),
        ('label = "state"', "label = 3", r"label: expected text in quotes, got int"),
        ('"well", "ill"', '"well"', r"expected 2 to 256 different classes, got well"),
        ('["well", "ill"]', '"well"', r"classes: expected a list, got str"),
        ('kind = "number"', 'kind = "date"', r"column 'age': expected kind number, category, boolean, got 'date'"),
        ("minimum = 0", "", r"column 'age': expected kind, maximum, minimum, name, got no minimum; add it"),
        (
            "minimum = 0",
            "minimum = 200",
            r"column 'age': expected a finite minimum, at most the maximum, got 200 to 100",
        ),
        ("minimum = 0", "minimum = nan", r"column 'age': expected a finite minimum"),
        ("minimum = 0", 'minimum = "0"', r"column 'age': expected numbers as its range, got str"),
        ("fill = 50", 'fill = "old"', r"column 'age': expected a finite number as fill, got 'old'"),
        ('"red", "blue"', '"red", "red"', r"column 'colour': expected each category once, got red more than once"),
        ('["red", "blue", "green", "violet"]', "[]", r"column 'colour': expected a list of categories, got none"),
        ('name = "smokes"', 'name = "age"', r"expected each column once.*got age more than once"),
        ('name = "smokes"', 'name = "colour=red"', r"features of different names, got colour=red more than once"),
        ("[[columns]]", "[columns", r"expected a schema in TOML, got other text"),
    ],
)
def test_a_schema_that_is_wrong_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    with pytest.raises(DataError, match=message) as refused:
        mt.read_schema(written(tmp_path, TOML.replace(old, new, 1)))
    assert str(refused.value).startswith(str(tmp_path / "schema.toml"))


def test_a_draft_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    data = write_people(tmp_path / "t.csv")
    drafted = draft_schema([data], mt.Reading("state", ignored=("height",)))
    for name in ("schema.toml", "schema.json"):
        mt.write_schema(tmp_path / name, drafted)
        assert mt.read_schema(tmp_path / name) == drafted
    assert 0 <= drafted.fingerprint < 1 << 40
    assert drafted.fingerprint == mt.read_schema(tmp_path / "schema.json").fingerprint
    assert drafted.fingerprint != draft_schema([data], mt.Reading("state")).fingerprint
    assert json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))["label"] == "state"
    assert mt.load_task(data, schema=tmp_path / "schema.toml").feature_names == drafted.feature_names


@settings(max_examples=40)
@given(
    st.lists(NAMES, min_size=4, max_size=6, unique=True),
    st.floats(-1e300, 1e300),
    st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True),
    st.booleans(),
)
def test_any_schema_survives_both_formats(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], number: float, categories: list[str], truth: bool
) -> None:
    label, one, two, three, *rest = names
    schema = mt.Schema(
        label,
        tuple(names[:2]),
        (
            mt.Column(one, Kind.NUMBER, -abs(number), abs(number), fill=number),
            mt.Column(two, Kind.CATEGORY, categories=tuple(categories), fill=categories[0]),
            mt.Column(three, Kind.BOOLEAN, fill=truth),
        ),
        tuple(rest),
    )
    folder = tmp_path_factory.mktemp("schema")
    for name, text in (("s.toml", as_toml(schema)), ("s.json", as_json(schema))):
        (folder / name).write_text(text, encoding="utf-8")
        assert mt.read_schema(folder / name) == schema
