"""Schemas as files, TOML or JSON: people write them, agree on them, and hand them to owners and clients.

label = "diagnosis"
classes = ["benign", "malignant"]
ignored = ["id"]

[[columns]]
name = "mean radius"
kind = "number"
minimum = 5.0
maximum = 30.0

[[columns]]
name = "colour"
kind = "category"
categories = ["blue", "red"]
fill = "blue"
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import read_text_file, write_atomically
from mpc_tamper.datasets.tables.schema import Column, Kind, Schema

FILE = "schema.toml"  # in run folders, and in what servers hand out to clients
_TOP = {"label", "classes", "ignored", "columns"}
_KEYS = {
    Kind.NUMBER: {"minimum", "maximum"},
    Kind.CATEGORY: {"categories"},
    Kind.BOOLEAN: set[str](),
}
_COMMENT = """\
# What is public of a table. Every owner encodes its own file by this schema: see docs/data.md.
# Ranges and categories say something about the rows that they were taken from; choose round ranges before you share it.
"""


def read_schema(path: str | Path) -> Schema:
    """A .json file, or TOML under any other name. Raises DataError."""
    path = Path(path)
    text = read_text_file(path, "a schema in TOML or JSON")
    try:
        fields = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as exc:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise DataError(f"{path}: expected a schema in {kind}, got other text ({exc}); correct it") from exc
    try:
        return _schema(fields)
    except DataError as exc:
        raise DataError(f"{path}: {exc}") from exc


def write_schema(path: str | Path, schema: Schema) -> None:
    """JSON where the name ends in .json, else TOML."""
    path = Path(path)
    write_atomically(path, as_json(schema) if path.suffix == ".json" else as_toml(schema), public=True)


def as_json(schema: Schema) -> str:
    return json.dumps(_fields(schema), indent=1, ensure_ascii=False) + "\n"


def as_toml(schema: Schema) -> str:
    fields = _fields(schema)
    columns = fields.pop("columns")
    blocks = ["\n".join(f"{key} = {_toml(value)}" for key, value in fields.items())]
    blocks += ["[[columns]]\n" + "\n".join(f"{key} = {_toml(v)}" for key, v in column.items()) for column in columns]
    return _COMMENT + "\n" + "\n\n".join(blocks) + "\n"


def _fields(schema: Schema) -> dict[str, Any]:
    columns = []
    for column in schema.columns:
        entry: dict[str, Any] = {"name": column.name, "kind": str(column.kind)}
        if column.kind is Kind.NUMBER:
            entry |= {"minimum": column.minimum, "maximum": column.maximum}
        if column.kind is Kind.CATEGORY:
            entry["categories"] = list(column.categories)
        if column.fill is not None:
            entry["fill"] = column.fill
        columns.append(entry)
    ignored = {"ignored": list(schema.ignored)} if schema.ignored else {}
    return {"label": schema.label, "classes": list(schema.classes), **ignored, "columns": columns}


def _toml(value: Any) -> str:
    """Strings as JSON writes them are TOML too, but for DEL, which has to be escaped there."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _schema(fields: Any) -> Schema:
    if not isinstance(fields, Mapping):
        raise DataError("expected label, classes and columns, got something else; see docs/data.md")
    _check_keys("schema", fields, _TOP, _TOP - {"ignored"})
    columns = fields["columns"]
    if not isinstance(columns, list) or not all(isinstance(column, Mapping) for column in columns):
        raise DataError("schema: expected a list of tables [[columns]], got something else; see docs/data.md")
    return Schema(
        _text("label", fields["label"]),
        _texts("classes", fields["classes"]),
        tuple(map(_column, columns)),
        _texts("ignored", fields.get("ignored", [])),
    )


def _column(fields: Mapping[str, Any]) -> Column:
    name = _text("name of a column", fields.get("name"))
    kind = fields.get("kind")
    if kind not in set(Kind):
        raise DataError(f"schema: column {name!r}: expected kind {', '.join(Kind)}, got {kind!r}; correct the schema")
    kind = Kind(kind)
    needed = {"name", "kind"} | _KEYS[kind]
    _check_keys(f"schema: column {name!r}", fields, needed | {"fill"}, needed)
    fill = fields.get("fill")
    if fill is not None and not isinstance(fill, bool | int | float | str):
        raise DataError(f"schema: column {name!r}: expected one value as fill, got {type(fill).__name__}; correct it")
    if kind is Kind.NUMBER and isinstance(fill, int) and not isinstance(fill, bool):
        fill = float(fill)
    return Column(
        name,
        kind,
        _number(name, fields.get("minimum", 0.0)),
        _number(name, fields.get("maximum", 1.0)),
        _texts(f"categories of {name!r}", fields.get("categories", [])),
        fill,
    )


def _check_keys(what: str, fields: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    if missing := sorted(needed - set(fields)):
        raise DataError(f"{what}: expected {', '.join(sorted(needed))}, got no {', '.join(missing)}; add it")
    if unknown := sorted(set(map(str, fields)) - known):
        raise DataError(f"{what}: expected {', '.join(sorted(known))}, got {', '.join(unknown)} too; remove it")


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DataError(f"schema: {what}: expected text in quotes, got {type(value).__name__}; correct the schema")
    return value


def _texts(what: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"schema: {what}: expected a list, got {type(value).__name__}; correct the schema")
    return tuple(_text(what, each) for each in value)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(
            f"schema: column {name!r}: expected numbers as its range, got {type(value).__name__}; correct it"
        )
    try:
        return float(value)
    except OverflowError as exc:
        raise DataError(f"schema: column {name!r}: expected a range of finite numbers, got a larger one") from exc
