"""From the rows of one file to levels and labels, by the schema that all owners share."""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.counted import counted
from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.tables import columns
from mpc_tamper.datasets.tables.draft import check_same, parsed
from mpc_tamper.datasets.tables.files import Table
from mpc_tamper.datasets.tables.schema import Column, Kind, Schema

_SHOWN = 10  # categories in a message


def levels(table: Table, schema: Schema, *, label: bool = True) -> np.ndarray:
    """(m, n) uint8.  label: whether the table has to have the label's column; else it may. Raises DataError."""
    required = {column.name for column in schema.columns} | ({schema.label} if label else set())
    allowed = required | {schema.label, *schema.ignored}
    check_same(sorted(required | (allowed & set(table.names))), table, "the columns of the schema")
    return schema.scaling.levels(np.column_stack([_features(table, column) for column in schema.columns]))


def labels(table: Table, schema: Schema) -> np.ndarray:
    """(m,) uint8. Raises DataError for missing labels, and for values that are none of the schema's classes."""
    texts = label_texts(table, schema.label)
    numbers = {name: number for number, name in enumerate(schema.classes)}
    found = np.array([numbers.get(text, -1) for text in texts], dtype=np.int64)
    if (wrong := found < 0).any():
        raise DataError(
            f"{table.source}: column {schema.label!r}, row {np.flatnonzero(wrong)[0] + 1}: expected one of the classes "
            f"{_shown(schema.classes)}, got another ({counted(int(wrong.sum()), 'row')} in all); correct the rows, or "
            "agree on another schema"
        )
    return found.astype(np.uint8)


def label_texts(table: Table, label: str) -> np.ndarray:
    """(m,) of text. Raises DataError where some are missing."""
    texts = columns.categories(table, label)
    missing = sum(text is None for text in texts)
    if missing:
        raise DataError(
            f"{table.source}: column {label!r}: expected a class in every row, got {missing:,} of {len(texts):,} "
            "missing; remove those rows, or name another label"
        )
    return texts


def _features(table: Table, column: Column) -> np.ndarray:
    """(m, k) float64, missing values filled."""
    values = parsed(table, column.name, column.kind)
    gaps = columns.missing(table, column.name)
    if gaps.any():
        if column.fill is None:
            raise DataError(
                f"{table.source}: column {column.name!r}: expected a value in every row, got {gaps.sum():,} of "
                f"{len(values):,} missing; write the missing values in, or let the owners agree on a fill in the schema"
            )
        values[gaps] = column.fill
    if column.kind is not Kind.CATEGORY:
        return values[:, None]
    numbers = {name: number for number, name in enumerate(column.categories)}
    found = np.array([numbers.get(text, -1) for text in values], dtype=np.int64)
    if (wrong := found < 0).any():
        raise DataError(
            f"{table.source}: column {column.name!r}, row {np.flatnonzero(wrong)[0] + 1}: expected one of the schema's "
            f"categories {_shown(column.categories)}, got another ({counted(int(wrong.sum()), 'row')} in all); correct "
            "the rows, or let the owners agree on a schema with it"
        )
    return np.eye(len(column.categories))[found]


def _shown(names: tuple[str, ...]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
