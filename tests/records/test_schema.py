"""Records and their schemas: what is written, what is refused, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mpc_tamper.core.errors import DataError
from mpc_tamper.records.fields import Record
from mpc_tamper.records.schema import Schema


class Row(msgspec.Struct, kw_only=True):
    row: int
    share: float
    kind: str | None = None


class First(Record, kw_only=True):
    found: list[Row]


class Second(Record, kw_only=True):
    found: list[Row]
    seed: int


NAMES = "things", "mpc-tamper thing", ("things*.json",)
OLD, NEW = Schema(*NAMES, (First,)), Schema(*NAMES, (First, Second))
RECORD = {"found": [{"row": 3, "share": 0.1 + 0.2}, {"row": 2**70, "share": 1, "more": [None]}], "more": {"a": 1}}


def test_a_record_comes_back_as_it_was_with_its_schema_first(tmp_path: Path) -> None:
    path = tmp_path / "things.json"
    OLD.write(path, RECORD)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('{"schema": "mpc-tamper/things/1", "found"')
    assert OLD.read(path) == {"schema": "mpc-tamper/things/1"} | RECORD
    assert path.stat().st_mode & 0o777 == 0o644
    OLD.write(path, OLD.read(path), indent=1, public=False)  # again: it keeps its one schema
    assert OLD.read(path) == json.loads(text)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_has_no_schema_is_of_the_first_version() -> None:
    assert NEW.check(RECORD, "x") is RECORD
    with pytest.raises(DataError, match="expected a field seed, got none"):
        NEW.check(RECORD | {"schema": NEW.identity}, "x")
    assert NEW.check(RECORD | {"schema": NEW.identity, "seed": 1}, "x")
    assert NEW.stamped(RECORD | {"seed": 1}, "x")["schema"] == "mpc-tamper/things/2"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            "mpc-tamper/things/2",
            "x: expected mpc-tamper/things/1 or an older one, got mpc-tamper/things/2, which a newer mpc-tamper wrote; "
            "update this one (pip install --upgrade mpc-tamper)",
        ),
        ("mpc-tamper/others/1", "x: expected mpc-tamper/things/1 at schema, got 'mpc-tamper/others/1'; restore"),
        ("mpc-tamper/things/0", "x: expected mpc-tamper/things/1 at schema, got 'mpc-tamper/things/0'; restore"),
        (7, "x: expected mpc-tamper/things/1 at schema, got 7; restore"),
    ],
)
def test_other_schemas_and_newer_versions(schema: object, said: str) -> None:
    with pytest.raises(DataError) as caught:
        OLD.check(RECORD | {"schema": schema}, "x")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([{"row": "4", "share": 1.0}], "expected int at found[0].row, got str"),
        ([{"row": 1.5, "share": 1.0}], "expected int at found[0].row, got float"),
        ([{"row": True, "share": 1.0}], "expected int at found[0].row, got bool"),
        ([{"row": 1, "share": None}], "expected float at found[0].share, got null"),
        ([{"row": 1, "share": 1}, {"share": 1}], "expected a field row at found[1], got none"),
        (3, "expected array at found, got int"),
    ],
)
def test_a_wrong_field_is_one_line_in_reading_and_in_writing(found: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "things.json"
    with pytest.raises(DataError) as written:
        OLD.write(path, {"found": found})
    assert str(written.value).startswith(f"{path}: {said}; nothing was written")
    assert not list(tmp_path.iterdir())
    path.write_text(json.dumps({"found": found}))
    with pytest.raises(DataError) as caught:
        OLD.read(path)
    assert str(caught.value) == f"{path}: {said}; restore the file, or remove it and run mpc-tamper thing again"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"a": [0.0, float("nan")]}, r"expected a finite number at more\.a\[1\], got nan"),
        (float("-inf"), "expected a finite number at more, got -inf"),
        ({"a": {1, 2}}, r"expected a value of JSON at more\.a, got set"),
    ],
)
def test_what_json_has_not_is_never_written(more: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        OLD.write(tmp_path / "things.json", RECORD | {"more": more})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"found": [], "x": NaN}', "got none: NaN is no number of JSON; restore"),
        ('{"found": [], "x": -Infinity}', "got none: -Infinity is no number"),
        ('{"found": [], "x": 1e999}', "got none: 1e999 is too large for a number"),
        ('{"found": [', "expected a record of mpc-tamper thing, got none: Expecting value"),
        ("[]", "expected a record of mpc-tamper thing, a JSON object, got a list"),
        ("\udcff", "in UTF-8, got byte 0"),
    ],
)
def test_a_file_that_is_no_record(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "things.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DataError, match=said):
        OLD.read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a record of mpc-tamper thing, got no such file; run mpc-tamper thing first"):
        OLD.read(tmp_path / "things.json")
    with pytest.raises(DataError, match="expected a record of mpc-tamper thing, got a folder"):
        OLD.read(tmp_path)


def test_parts_that_do_not_fit_together() -> None:
    def made() -> Any:
        with OLD.fitting(Path("things.json")):
            return RECORD["nothing"]

    with pytest.raises(DataError, match=r"things.json: expected a record of mpc-tamper thing whose parts fit together"):
        made()


def test_json_schema_names_the_version_that_is_written() -> None:
    found = NEW.json_schema()
    assert found["title"] == "mpc-tamper/things/2"
    assert found["$defs"]["Row"]["required"] == ["row", "share"]
    assert "additionalProperties" not in found["$defs"]["Row"]
