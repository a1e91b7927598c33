"""A schema from the rows themselves, where nobody has written one down: kinds, ranges, categories, fills.

Ranges and fills come from training rows alone, and lists of categories from all rows. What is taken from rows is public
from then on, as every owner, server and client has to know it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.names import near
from mpc_tamper.datasets.advice import MOST_CLASSES
from mpc_tamper.datasets.tables import columns
from mpc_tamper.datasets.tables.files import Table
from mpc_tamper.datasets.tables.schema import MOST_CATEGORIES, Column, Fill, Kind, Schema

MEAN, MEDIAN, MOST_FREQUENT = "mean", "median", "most-frequent"
FILLS = (MEAN, MEDIAN, MOST_FREQUENT)
_UNNAMED = re.compile(r"(Unnamed: \d+)?")


def drafted(
    tables: Sequence[Table],
    label: str,
    training: Sequence[np.ndarray],
    *,
    classes: tuple[str, ...],
    categories: Collection[str] = (),
    ignored: Collection[str] = (),
    fill: str | None = None,
) -> Schema:
    """tables: of the owners and, if there is one, of tests; all of the same columns.

    training: (m,) bool for each table, which rows are trained on.  categories: columns of categories that look like
    numbers.  fill: one of FILLS, or a value, for columns in which some are missing; None refuses those.
    """
    names = check_columns(tables, label, categories, ignored)
    kinds = {name: _kind(tables, name, categories) for name in names}
    check_present(tables, kinds, filled=fill is not None)
    chosen = np.concatenate(list(training))
    made = [
        _column(tables[0].source, name, kind, np.concatenate([parsed(t, name, kind) for t in tables]), chosen, fill)
        for name, kind in kinds.items()
    ]
    there = set(tables[0].names)
    return Schema(label, classes, tuple(made), tuple(name for name in dict.fromkeys(ignored) if name in there))


def check_columns(
    tables: Sequence[Table], label: str, categories: Collection[str] = (), ignored: Collection[str] = ()
) -> list[str]:
    """The names of columns that become features, in the first table's order. Raises DataError."""
    first = tables[0]
    for option, wanted in (("label", [label]), ("category", categories), ("ignored", ignored)):
        for name in wanted:
            if name not in first.names:
                raise DataError(
                    f"{first.source}: expected a column {name!r} as {option}, got none; choose "
                    f"{near(name, first.names)}"
                )
    for other in tables[1:]:
        check_same(first.names, other, f"the columns of {first.source}")
    if label in ignored:
        raise DataError(f"{first.source}: expected the label {label!r} to be kept, got it among the ignored columns")
    names = [name for name in first.names if name != label and name not in ignored]
    for name in names:
        if _UNNAMED.fullmatch(name):
            raise DataError(
                f"{first.source}: expected a name for each column, got {name!r}, as an index has that was written "
                f"with the rows; write without it (index=False), or leave it out with --ignore {name!r} "
                f"(ignored=[{name!r}])"
            )
    if not names:
        raise DataError(f"{first.source}: expected columns beside the label {label!r}, got none; add features")
    return names


def check_same(expected: Sequence[str], table: Table, whose: str) -> None:
    """Raises DataError where the table lacks some of these columns, or has others."""
    missing, others = set(expected) - set(table.names), set(table.names) - set(expected)
    if missing or others:
        got = [f"no {_listed(missing)}"] if missing else []
        got += [f"{_listed(others)} too"] if others else []
        raise DataError(
            f"{table.source}: expected {whose}, got {' and '.join(got)}; rename, add or remove columns so that all "
            "owners have the same"
        )


def check_present(tables: Sequence[Table], kinds: dict[str, Kind], *, filled: bool) -> None:
    """Raises DataError for columns without any value, and for missing values that nothing fills."""
    for table in tables:
        gaps = {name: int(columns.missing(table, name).sum()) for name in kinds}
        gaps = {name: count for name, count in gaps.items() if count}
        if gaps and not filled:
            name, count = next(iter(gaps.items()))
            others = "" if len(gaps) == 1 else f", and {sum(gaps.values()) - count:,} in {len(gaps) - 1} other columns"
            raise DataError(
                f"{table.source}: column {name!r}: expected a value in every row, got {count:,} of "
                f"{len(table.values):,} missing{others}; fill them with --fill mean, median, most-frequent or a value "
                f"(fill=...), or leave the column out with --ignore {name!r} (ignored=[{name!r}])"
            )


def parsed(table: Table, name: str, kind: Kind) -> np.ndarray:
    """(m,): see columns.py."""
    return {Kind.NUMBER: columns.numbers, Kind.BOOLEAN: columns.booleans, Kind.CATEGORY: columns.categories}[kind](
        table, name
    )


def ordered(names: Collection[str]) -> tuple[str, ...]:
    """Numbers by size, and otherwise by the alphabet."""
    try:
        values = {name: float(name) for name in names}
    except ValueError:
        values = {}
    finite = all(map(math.isfinite, values.values()))
    return tuple(sorted(names, key=lambda name: (values.get(name, 0.0) if finite else 0.0, name)))


def classes_of(texts: np.ndarray, source: str, label: str) -> tuple[str, ...]:
    """texts: (m,), none missing. Raises DataError where there are too few or too many."""
    classes = ordered(set(texts.tolist()))
    if len(classes) < 2:
        raise DataError(
            f"{source}: column {label!r}: expected 2 to {MOST_CLASSES} classes, got one; add rows of another class"
        )
    if len(classes) > MOST_CLASSES:
        raise DataError(
            f"{source}: column {label!r}: expected 2 to {MOST_CLASSES} classes, got {len(classes):,} different values; "
            "choose another label, or make classes of what is an amount"
        )
    return classes


def _kind(tables: Sequence[Table], name: str, categories: Collection[str]) -> Kind:
    kinds = {table.source: kind for table in tables if (kind := columns.kind_of(table, name, categories)) is not None}
    if not kinds:
        raise DataError(
            f"{tables[0].source}: column {name!r}: expected values, got none in any row; leave it out with --ignore "
            f"{name!r} (ignored=[{name!r}])"
        )
    if len(set(kinds.values())) > 1:
        got = ", ".join(f"{kind} in {source}" for source, kind in kinds.items())
        raise DataError(
            f"column {name!r}: expected the same kind in all files, got {got}; correct one, or take categories with "
            f"--category {name!r} (categories=[{name!r}])"
        )
    return next(iter(kinds.values()))


def _column(source: str, name: str, kind: Kind, values: np.ndarray, training: np.ndarray, fill: str | None) -> Column:
    at = f"{source}: column {name!r}"
    gaps = np.array([v is None for v in values]) if kind is Kind.CATEGORY else np.isnan(values)
    known = values[training & ~gaps]
    if not len(known):
        raise DataError(f"{at}: expected values in the training rows, got none; leave the column out, or add rows")
    value = _filled(at, kind, known, fill) if fill is not None and gaps.any() else None
    if kind is Kind.NUMBER:
        seen = known if value is None else np.append(known, float(value))
        return Column(name, kind, float(seen.min()), float(seen.max()), fill=value)
    if kind is Kind.BOOLEAN:
        return Column(name, kind, fill=value)
    found = set(values[~gaps].tolist())
    if len(found) > MOST_CATEGORIES:
        raise DataError(
            f"{at}: expected at most {MOST_CATEGORIES} categories, got {len(found):,} different ones; leave out what "
            f"is free text or an identifier with --ignore {name!r} (ignored=[{name!r}]), or list them in a schema"
        )
    return Column(name, kind, categories=ordered(found | ({str(value)} if value is not None else set())), fill=value)


def _filled(at: str, kind: Kind, known: np.ndarray, fill: str) -> Fill:
    if fill == MOST_FREQUENT or (fill in FILLS and kind is not Kind.NUMBER):
        distinct, counts = np.unique(known, return_counts=True)
        most = distinct[int(counts.argmax())]
        return bool(most) if kind is Kind.BOOLEAN else str(most) if kind is Kind.CATEGORY else float(most)
    if fill in FILLS:
        return float(known.mean() if fill == MEAN else np.median(known))
    if kind is Kind.CATEGORY:
        return fill
    if kind is Kind.BOOLEAN and fill.lower() in ("true", "false", "0", "1"):
        return fill.lower() in ("true", "1")
    try:
        value = float(fill)
    except ValueError:
        value = math.nan
    if kind is Kind.BOOLEAN or not math.isfinite(value):
        wanted = "a finite number" if kind is Kind.NUMBER else "true or false"
        raise ParameterError(f"{at}: expected --fill {', '.join(FILLS)} or {wanted}, got {fill!r}; choose one of these")
    return value


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(map(repr, shown[:5])) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
