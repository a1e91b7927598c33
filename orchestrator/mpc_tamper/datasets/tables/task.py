"""Tasks from tables: files, one for each owner if need be, DataFrames and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.checks import checked
from mpc_tamper.datasets.classes import sha256_of
from mpc_tamper.datasets.tables.draft import check_columns, classes_of, drafted
from mpc_tamper.datasets.tables.encoding import label_texts, labels, levels
from mpc_tamper.datasets.tables.files import Table, check_names, named_by_text, read_table, unindexed
from mpc_tamper.datasets.tables.schema import Schema
from mpc_tamper.datasets.tables.schema_files import read_schema
from mpc_tamper.datasets.tables.split import SEED, SHARE, split_rows
from mpc_tamper.datasets.task import Task

if TYPE_CHECKING:
    import pandas as pd

LABEL = "label"  # what the label of an array is called, which has no names


@dataclass(frozen=True)
class Reading:
    """How tables become a task.

    label: the column of classes; the schema's where None.  schema: a file, or None to take one from the rows.
    tests: a file whose rows test, all of them; where None, a share of each class does, drawn with the seed.
    fill: mean, median, most-frequent or a value for missing ones, from training rows; None refuses them, but where the
    schema fills them.  categories: columns of numbers that are categories.  ignored: columns to leave out.
    """

    label: str | None = None
    schema: Path | None = None
    tests: Path | None = None
    test_share: float = SHARE
    seed: int = SEED
    fill: str | None = None
    categories: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_tables(paths: Sequence[Path], reading: Reading) -> Task:
    """A task of the tables of one or more owners, in order.

    Raises DataError for files that are no such tables or disagree; EngineUnavailable for Parquet without pyarrow.
    """
    schema = _schema(reading)
    tests = [] if reading.tests is None else [reading.tests]
    label = reading.label if schema is None else schema.label
    text = (label, *reading.categories) if schema is None else schema.text_columns
    tables = [read_table(path, [name for name in text if name is not None]) for path in (*paths, *tests)]
    owners, test = tables[: len(paths)], tables[len(paths) :]
    return _task(owners, test, schema, reading, paths[0].stem)


def read_labelled(path: str | Path, schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """(m, n) uint8 levels and (m,) uint8 labels of one owner's or client's file, by the schema that all agree upon.

    Raises DataError.
    """
    table = read_table(Path(path), schema.text_columns)
    return levels(table, schema), labels(table, schema)


def read_unlabelled(path: str | Path, schema: Schema) -> np.ndarray:
    """(m, n) uint8 levels of rows to be classified. The file may have the label's column all the same."""
    return levels(read_table(Path(path), schema.text_columns), schema, label=False)


def draft_schema(paths: Sequence[Path], reading: Reading) -> Schema:
    """The schema of these tables, from all of their rows, for people to read and change. Raises DataError."""
    tables = [read_table(path, [name for name in (reading.label, *reading.categories) if name]) for path in paths]
    everything = [np.ones(len(table.values), dtype=bool) for table in tables]
    return _drafted(tables, everything, reading)


def table_task(
    x: pd.DataFrame | np.ndarray,
    y: pd.Series | np.ndarray | Sequence[object] | str,
    *,
    test: tuple[pd.DataFrame | np.ndarray, pd.Series | np.ndarray | Sequence[object]] | None = None,
    feature_names: Sequence[str] | None = None,
    schema: Schema | str | Path | None = None,
    test_share: float = SHARE,
    seed: int = SEED,
    fill: str | float | None = None,
    categories: Sequence[str] = (),
    ignored: Sequence[str] = (),
    name: str = "table",
) -> Task:
    """A task of a DataFrame, or of an array of numbers with a row for each example.

    y: the labels, or the name of their column in x.  test: rows and labels to test with; where None, a share of each
    class, drawn with the seed.  feature_names: of an array's columns; x0, x1, ... where None.  schema: what is public,
    a Schema or a file; where None, it is taken from the rows.  fill, categories, ignored: as in load_task().

    Raises DataError as load_task() does; a row is counted from 1.
    """
    read = read_schema(schema) if isinstance(schema, str | Path) else schema
    label = y if isinstance(y, str) else LABEL if read is None else read.label
    tables = [_frame(x, y, label, feature_names, name)]
    if test is not None:
        tables.append(_frame(test[0], label if isinstance(y, str) else test[1], label, feature_names, f"{name}, tests"))
    text = None if fill is None else str(fill)
    reading = Reading(label, None, None, test_share, seed, text, tuple(categories), tuple(ignored))
    return _task(tables[:1], tables[1:], read, reading, name)


def _task(owners: list[Table], test: list[Table], schema: Schema | None, reading: Reading, name: str) -> Task:
    if schema is None:
        schema, split = _without_schema(owners, test, reading)
    else:
        y = np.concatenate([labels(table, schema) for table in owners])
        split = None if test else _split(y, schema.classes, owners, reading)
    x, y = _encoded(owners, schema)
    owner = np.repeat(np.arange(len(owners)), [len(table.values) for table in owners])
    if split is None:
        order = np.random.default_rng(reading.seed).permutation(len(y))
        x_test, y_test = _encoded(test, schema)
    else:
        order, tests = split
        x_test, y_test = x[tests], y[tests]
    order = order[np.argsort(owner[order], kind="stable")]
    x_train, y_train = x[order], y[order]
    counts = tuple(np.bincount(owner[order], minlength=len(owners)).tolist())
    if min(counts) < 1:
        raise DataError(f"{owners[counts.index(min(counts))].source}: expected a row to train on, got none; add rows")
    task = Task(
        name,
        x_train,
        y_train,
        x_test,
        y_test,
        image_shape=(),
        classes=schema.classes,
        source=", ".join(table.source for table in owners),
        sha256=sha256_of((x_train, y_train, x_test, y_test)),
        feature_names=schema.feature_names,
        owner_rows=counts if len(owners) > 1 else (),
        schema=schema,
    )
    return checked(task)


def _without_schema(
    owners: list[Table], test: list[Table], reading: Reading
) -> tuple[Schema, tuple[np.ndarray, np.ndarray] | None]:
    label = _label(owners[0], reading)
    check_columns([*owners, *test], label, reading.categories, reading.ignored)
    texts = np.concatenate([label_texts(table, label) for table in owners])
    classes = classes_of(texts, owners[0].source, label)
    numbers = {each: number for number, each in enumerate(classes)}
    y = np.array([numbers[each] for each in texts])
    split = None if test else _split(y, classes, owners, reading)
    training = np.ones(len(y), dtype=bool)
    if split is not None:
        training[split[1]] = False
    masks = [training, *(np.zeros(len(table.values), dtype=bool) for table in test)]
    return _drafted([*owners, *test], masks, reading, classes), split


def _drafted(
    tables: list[Table], training: list[np.ndarray], reading: Reading, classes: tuple[str, ...] | None = None
) -> Schema:
    label = _label(tables[0], reading)
    check_columns(tables, label, reading.categories, reading.ignored)
    if classes is None:
        texts = np.concatenate([label_texts(table, label) for table in tables])
        classes = classes_of(texts, tables[0].source, label)
    return drafted(
        tables,
        label,
        training,
        classes=classes,
        categories=reading.categories,
        ignored=reading.ignored,
        fill=reading.fill,
    )


def _split(
    y: np.ndarray, classes: tuple[str, ...], owners: list[Table], reading: Reading
) -> tuple[np.ndarray, np.ndarray]:
    return split_rows(y, classes, reading.test_share, reading.seed, owners[0].source)


def _encoded(tables: list[Table], schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    x = np.concatenate([levels(table, schema) for table in tables])
    return x, np.concatenate([labels(table, schema) for table in tables])


def _schema(reading: Reading) -> Schema | None:
    if reading.schema is None:
        return None
    schema = read_schema(reading.schema)
    if reading.label not in (None, schema.label):
        raise ParameterError(
            f"expected the label of the schema, {schema.label!r}, got --label {reading.label!r}; leave the option out"
        )
    given = {"--fill": reading.fill, "--category": reading.categories, "--ignore": reading.ignored}
    if too := [option for option, value in given.items() if value]:
        raise ParameterError(
            f"expected a schema or {too[0]}, got both; write it into {reading.schema}, so that all owners have it"
        )
    return schema


def _label(table: Table, reading: Reading) -> str:
    if reading.label is None:
        names = table.names
        raise DataError(
            f"{table.source}: expected the name of the column of classes, got none; choose one with --label "
            f"(label=...): {', '.join(map(repr, names[:8]))}{' ...' if len(names) > 8 else ''}"
        )
    return reading.label


def _frame(x: object, y: object, label: str, feature_names: Sequence[str] | None, source: str) -> Table:
    """A table of what a program holds already."""
    import pandas as pd

    if isinstance(x, pd.DataFrame):
        if feature_names is not None:
            raise ParameterError(
                "expected feature_names with an array, got a DataFrame, which has names; leave them out"
            )
        frame = unindexed(x) if any(name is not None for name in x.index.names) else x.reset_index(drop=True)
    else:
        array = np.asarray(x)
        if array.ndim != 2:
            raise DataError(f"{source}: expected an array with a row for each example, got shape {array.shape}")
        names = [f"x{i}" for i in range(array.shape[1])] if feature_names is None else list(feature_names)
        if len(names) != array.shape[1]:
            raise DataError(f"{source}: expected {array.shape[1]} feature names, one a column, got {len(names)}")
        frame = pd.DataFrame(array, columns=pd.Index(names))
    frame = named_by_text(frame)
    check_names(list(frame.columns), source)
    if not isinstance(y, str):
        values = np.asarray(y, dtype=object)
        if values.shape != (len(frame),):
            raise DataError(f"{source}: expected {len(frame)} labels, one a row, got an array of shape {values.shape}")
        if label in frame.columns:
            raise DataError(f"{source}: expected no column {label!r} beside the labels, got one; rename or drop it")
        frame = frame.assign(**{label: values})
    if not len(frame):
        raise DataError(f"{source}: expected rows, got none; add rows")
    return Table(frame, source)
