"""All schemas by name, and by the names of the files that hold such records."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import read_text_file
from mpc_tamper.core.finite_json import parsed
from mpc_tamper.core.json_lines import read_lines
from mpc_tamper.records.audits import AUDIT, FINDING
from mpc_tamper.records.costs import COSTS, COUNTS
from mpc_tamper.records.folders import DATA, INVITATION, MODEL, SERVICE
from mpc_tamper.records.leaks import LEAK_MEMBERSHIP, LEAK_RECONSTRUCT, LEAK_ROW, PROBING
from mpc_tamper.records.matrix import MATRIX
from mpc_tamper.records.schema import Schema, name_of
from mpc_tamper.records.studies import ACCURACY, BENCH, CAMPAIGN, FAULT, PRUNING
from mpc_tamper.records.sweeps import RESULT
from mpc_tamper.records.tables import FIGURE, NETWORK_FIGURE, NETWORK_TABLE_1, TABLE_1
from mpc_tamper.records.trainings import DEFENDED_TRAINING, NAMED_ATTACK, OPENING, RUN, TRAINING, VERIFICATION

LINES = ".jsonl"
SCHEMAS: Mapping[str, Schema] = MappingProxyType(
    {
        schema.name: schema
        for schema in (
            *(TABLE_1, NETWORK_TABLE_1, FIGURE, NETWORK_FIGURE, MATRIX, COSTS, COUNTS, BENCH, ACCURACY, PRUNING),
            *(LEAK_ROW, LEAK_RECONSTRUCT, LEAK_MEMBERSHIP, PROBING, CAMPAIGN, FAULT, AUDIT, FINDING),
            *(TRAINING, DEFENDED_TRAINING, NAMED_ATTACK, OPENING, VERIFICATION, RUN, RESULT),
            *(MODEL, DATA, SERVICE, INVITATION),
        )
    }
)


def schemas_of(path: Path) -> list[Schema]:
    """Those of a file of this name: of its first line and of the others where there are two."""
    return [each for each in SCHEMAS.values() if any(fnmatchcase(path.name, name) for name in each.files)]


def read_record(path: Path) -> Any:
    """The record of a file; a list of records where the file has lines. Its schema is the one that the file's name
    promises, or else that it states; without either it is read as JSON.

    Raises DataError, for a line that was cut short as well as for a record of another shape.
    """
    named = schemas_of(path)
    if path.suffix == LINES:
        found = read_lines(path)
        if found.torn:
            raise DataError(f"{found.torn}; write it again")
        promised = itertools.chain(named[:1], itertools.repeat(named[-1])) if named else itertools.repeat(None)
        lines = zip(found.records, promised, strict=False)
        return [
            _checked(line, f"{path}: line {number}", schema) for number, (line, schema) in enumerate(lines, start=1)
        ]
    if named:
        return named[0].read(path)
    try:
        record = parsed(read_text_file(path, "a record of mpc-tamper"))
    except ValueError as exc:
        raise DataError(f"{path}: expected a record of mpc-tamper, got none: {exc}; write it again") from exc
    return _checked(record, path, None)


def _checked(record: Any, where: str | Path, promised: Schema | None) -> Any:
    schema = promised or SCHEMAS.get(name_of(record) or "")
    return record if schema is None else schema.check(record, where)
