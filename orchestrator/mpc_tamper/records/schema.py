"""A record and its schema: nothing is written, and nothing is read, that is not of the shape that its name promises.

LEAK_ROW.write(path, record)   # {"schema": "mpc-tamper/leak-row/1", ...}, or DataError and no file
LEAK_ROW.read(path)            # the record as it stands, or DataError in one line

A record without "schema" was written before there were schemas, and is of version 1. A field that the shape does not
name is allowed, in reading and in writing: a version may gain fields, and only a change that would mislead those who
read it makes a new one. Numbers are finite: JSON has no others.

msgspec checks (https://jcristharf.com/msgspec/).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import NOTHING, read_text_file, what_is, write_atomically
from mpc_tamper.core.finite_json import parsed

SCHEMA = "schema"  # the key, the first of a record
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PROJECT = "mpc-tamper"
_IDENTITY = re.compile(rf"{_PROJECT}/([a-z0-9-]+)/([1-9][0-9]*)")
_PLACE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)  # msgspec's words, and the path behind them
_UNEXPECTED = re.compile(r"Expected (.*), got (.*)", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN = re.compile(r"Invalid (?:enum )?value (.*)", re.DOTALL)
_FAULT = f"nothing was written; this is a fault of {_PROJECT} or of a plug-in, report it"


@dataclass(frozen=True)
class Schema:
    """name: as in "mpc-tamper/NAME/1".  written_by: what to run for such a record, such as "mpc-tamper leak row".

    files: names of files that hold it; a * stands for what names have in addition.
    shapes: of version 1, 2, ...: msgspec Structs, or unions of them that a tag tells apart.
    what, advice: for messages, what it is and how to come by a whole one; where empty, they name written_by.
    """

    name: str
    written_by: str
    files: tuple[str, ...]
    shapes: tuple[Any, ...]
    what: str = ""
    advice: str = ""

    @property
    def version(self) -> int:
        """Which is written."""
        return len(self.shapes)

    @property
    def identity(self) -> str:
        return f"{_PROJECT}/{self.name}/{self.version}"

    def stamped(self, record: Mapping[str, Any], where: str | Path) -> dict[str, Any]:
        """The record as it is written, its schema first.  where: in messages, what it would be written to.

        Raises DataError for one that is not of this schema's shape, which is a fault of what made it.
        """
        try:
            found = json.loads(json.dumps({SCHEMA: self.identity} | dict(record), allow_nan=False))
        except (TypeError, ValueError) as exc:
            raise self._refused(where, _not_json(record) or str(exc), _FAULT) from exc
        found[SCHEMA] = self.identity
        self._check_shape(found, where, _FAULT)
        return {SCHEMA: found.pop(SCHEMA), **found}

    def text(self, record: Mapping[str, Any], where: str | Path, indent: int | None = None) -> str:
        """As stamped(), as JSON that ends with its line."""
        return json.dumps(self.stamped(record, where), indent=indent) + "\n"

    def write(
        self, path: Path, record: Mapping[str, Any], indent: int | None = None, *, public: bool = True
    ) -> dict[str, Any]:
        """Whole or not at all; for everybody to read, or for its owner alone. Returns the record as it was written."""
        written = self.stamped(record, path)
        write_atomically(path, json.dumps(written, indent=indent) + "\n", public=public)
        return written

    def read(self, path: Path) -> dict[str, Any]:
        """Raises DataError where there is no such record, or one of another shape or of a newer version."""
        if what_is(path) == NOTHING:
            advice = self.advice or f"run {self.written_by} first"
            raise DataError(f"{path}: expected {self._what}, got {NOTHING}; {advice}")
        text = read_text_file(path, self._what)
        try:
            record = parsed(text)
        except ValueError as exc:
            raise DataError(f"{path}: expected {self._what}, got none: {exc}; {self._advice}") from exc
        return self.check(record, path)

    def check(self, record: Any, where: str | Path) -> dict[str, Any]:
        """The record, which has been read and is of JSON's types, if it is of this schema. Raises DataError."""
        if not isinstance(record, dict):
            got = "a list" if isinstance(record, list) else type(record).__name__
            raise DataError(f"{where}: expected {self._what}, a JSON object, got {got}; {self._advice}")
        self._check_shape(record, where, self._advice)
        return record

    @contextmanager
    def fitting(self, path: Path) -> Iterator[None]:
        """Around what is made of a record of this shape: raises DataError where its parts do not fit together, such as
        an image of another size than the record says."""
        try:
            yield
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            raise DataError(
                f"{path}: expected {self._what} whose parts fit together, got {exc!r}; {self._advice}"
            ) from exc

    def json_schema(self) -> dict[str, Any]:
        """Of the version that is written, as JSON Schema."""
        return {"$schema": DIALECT, "title": self.identity, **msgspec.json.schema(self.shapes[-1])}

    @property
    def _what(self) -> str:
        return self.what or f"a record of {self.written_by}"

    @property
    def _advice(self) -> str:
        return self.advice or f"restore the file, or remove it and run {self.written_by} again"

    def _check_shape(self, record: dict[str, Any], where: str | Path, advice: str) -> None:
        version = self._version_of(record, where, advice)
        try:
            msgspec.convert(record, self.shapes[version - 1])
        except msgspec.ValidationError as exc:
            reason = in_words(str(exc))
            if self.what:
                reason = reason.replace("expected ", f"expected {self.what} with ", 1)
            raise self._refused(where, reason, advice) from exc

    def _version_of(self, record: Mapping[str, Any], where: str | Path, advice: str) -> int:
        """1 where it says nothing."""
        stated = record.get(SCHEMA, f"{_PROJECT}/{self.name}/1")
        found = _IDENTITY.fullmatch(stated) if isinstance(stated, str) else None
        if found is None or found[1] != self.name:
            raise self._refused(where, f"expected {self.identity} at {SCHEMA}, got {stated!r}", advice)
        if int(found[2]) > self.version:
            raise DataError(
                f"{where}: expected {self.identity} or an older one, got {stated}, which a newer {_PROJECT} wrote; "
                f"update this one (pip install --upgrade {_PROJECT})"
            )
        return int(found[2])

    def _refused(self, where: str | Path, reason: str, advice: str) -> DataError:
        return DataError(f"{where}: {reason}; {advice}")


def name_of(record: Any) -> str | None:
    """The name of the schema that a record states; None where it states none."""
    stated = record.get(SCHEMA) if isinstance(record, dict) else None
    found = _IDENTITY.fullmatch(stated) if isinstance(stated, str) else None
    return None if found is None else found[1]


def in_words(message: str) -> str:
    """'expected int at found[3].row, got str', of what msgspec says."""
    found = _PLACE.fullmatch(message)
    said, place = (found[1], found[2] or "") if found else (message, "")
    at = f" at {place}" if place else ""
    if unexpected := _UNEXPECTED.fullmatch(said.replace("`", "")):
        return f"expected {unexpected[1]}{at}, got {unexpected[2]}"
    if missing := _MISSING.fullmatch(said):
        return f"expected a field {missing[1]}{at}, got none"
    if unknown := _UNKNOWN.fullmatch(said):
        return f"expected a value that is known{at}, got {unknown[1]}"
    return f"expected a valid record{at}, got one that is not: {said}"


def _not_json(value: Any, place: str = "") -> str | None:
    """The first that JSON has nothing for, in words; None where there is none."""
    if isinstance(value, Mapping):
        items = [(f"{place}.{key}" if place else str(key), each) for key, each in value.items()]
        return next((found for inner, each in items if (found := _not_json(each, inner))), None)
    if isinstance(value, list | tuple):
        return next((found for i, each in enumerate(value) if (found := _not_json(each, f"{place}[{i}]"))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number at {place}, got {value}"
    if value is None or isinstance(value, str | int | float):
        return None
    return f"expected a value of JSON at {place}, got {type(value).__name__}"
