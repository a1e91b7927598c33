"""The committed records are of their schemas, and every kind of record has one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mpc_tamper.core.errors import DataError
from mpc_tamper.records.registry import SCHEMAS, read_record, schemas_of
from tests.support.places import ROOT

RESULTS = sorted([*(ROOT / "results").glob("*.json"), *(ROOT / "results").glob("*.jsonl")])


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_committed_results_are_of_their_schemas(path: Path) -> None:
    assert schemas_of(path), "expected a schema for this file: say its name in one of mpc_tamper/records"
    assert read_record(path)


def test_names_are_those_of_files_without_doubt() -> None:
    assert list(SCHEMAS) == [schema.name for schema in SCHEMAS.values()]
    for schema in SCHEMAS.values():
        assert re.fullmatch(r"[a-z0-9-]+", schema.name)
        assert schema.json_schema()["title"] == f"mpc-tamper/{schema.name}/{schema.version}"
    names = [name for schema in SCHEMAS.values() for name in schema.files]
    assert {name for name in names if names.count(name) > 1} == {"faults.jsonl"}


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        ("leak-row.json", ("found", 3, "row"), r"leak-row.json: expected int at found\[3\].row, got str; restore the"),
        ("table1.json", ("rows", 0, "steps", "MARGIN", "rounds"), r"expected int at rows\[0\].steps\[...\].rounds"),
        ("costs.json", ("runs", 1, "seconds"), r"expected float at runs\[1\].seconds, got str"),
        ("accuracy.json", ("environment",), "expected object at environment, got str"),
    ],
)
def test_a_field_that_was_changed(name: str, edit: tuple[str | int, ...], said: str, tmp_path: Path) -> None:
    record = json.loads((ROOT / "results" / name).read_text(encoding="utf-8"))
    place = record
    for key in edit[:-1]:
        place = place[key]
    place[edit[-1]] = "7"
    (tmp_path / name).write_text(json.dumps(record))
    with pytest.raises(DataError, match=said):
        read_record(tmp_path / name)


def test_lines_are_checked_each_by_its_schema(tmp_path: Path) -> None:
    lines = (ROOT / "results" / "faults.jsonl").read_text(encoding="utf-8").splitlines()[:3]
    path = tmp_path / "faults.jsonl"
    path.write_text("\n".join([lines[0], lines[1], lines[0]]) + "\n")
    with pytest.raises(DataError, match="line 3: expected a field number, got none"):
        read_record(path)
    path.write_text("\n".join([*lines, '{"number"']))
    with pytest.raises(DataError, match="cut short"):
        read_record(path)


def test_other_names_are_read_by_what_they_state(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"anything": [1, "x"]}')
    assert read_record(path) == {"anything": [1, "x"]}
    path.write_text('{"schema": "mpc-tamper/leak-row/1"}')
    with pytest.raises(DataError, match=r"mine.json: expected a field dataset, got none"):
        read_record(path)
    path.write_text('{"anything": NaN}')
    with pytest.raises(DataError, match="NaN is no number"):
        read_record(path)
