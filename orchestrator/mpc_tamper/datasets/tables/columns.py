"""From a column as it was read to numbers or categories, by its kind; and which kind it is, where nobody has said.

Missing values are NaN among numbers and booleans, and None among categories. No error shows a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.tables.files import MISSING, Table
from mpc_tamper.datasets.tables.schema import Kind

if TYPE_CHECKING:
    import pandas as pd

_EXACT = 1 << 53  # beyond it not every whole number is a float64 of its own
_WHOLE = re.compile(r"[+-]?\d{16,}")
_WHOLE_AS_DECIMAL = re.compile(r"([+-]?\d+)\.0+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?")
_GROUPED = re.compile(r"[+-]?(\d+,\d+|\d{1,3}([.,' ]\d{3})+([.,]\d+)?)")  # a decimal comma, or thousands apart
_MOSTLY = 0.5  # the share of numbers from which on the others are mistakes, and the column is none of categories
_TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


def kind_of(table: Table, name: str, categories: Collection[str] = ()) -> Kind | None:
    """None where all values are missing.  categories: columns whose values are categories, whatever they look like.

    Raises DataError for dates, and for what is neither text nor a number nor a boolean.
    """
    column = _cleaned(table, name)
    present = column[~column.isna()]
    if name in categories:
        return Kind.CATEGORY if len(present) else None
    if not len(present):
        return None
    if present.dtype.kind in "iuf":
        return Kind.NUMBER
    if _is_boolean(present):
        return Kind.BOOLEAN
    if present.dtype.kind in "mM" or present.map(_is_date).all():
        raise DataError(
            f"{_at(table, name)}: expected numbers or categories, got dates; write them as numbers, such as days since "
            f"a date, or leave them out with --ignore {name!r} (ignored=[{name!r}])"
        )
    if not present.map(lambda value: isinstance(value, str | int | float) or hasattr(value, "as_tuple")).all():
        raise DataError(
            f"{_at(table, name)}: expected numbers, text or booleans, got {type(present.iloc[0]).__name__} values; "
            f"leave them out with --ignore {name!r} (ignored=[{name!r}])"
        )
    found = _numeric(present)
    if found.notna().all():
        return Kind.NUMBER
    meant = found.notna() | present.map(lambda value: isinstance(value, str) and bool(_GROUPED.fullmatch(value)))
    if meant.mean() > _MOSTLY:
        raise _text_among_numbers(table, name, int(found.index[found.isna()][0]))
    return Kind.CATEGORY


def numbers(table: Table, name: str) -> np.ndarray:
    """(m,) float64, NaN where missing. Raises DataError for text, infinite values and numbers that lose digits."""
    column = _cleaned(table, name)
    found = _numeric(column)
    if column.dtype.kind in "mM":
        raise DataError(f"{_at(table, name)}: expected numbers, got dates; write them as numbers, such as days")
    if (wrong := found.isna() & ~column.isna()).any():
        raise _text_among_numbers(table, name, int(np.flatnonzero(wrong)[0]))
    values = np.array(found, dtype=np.float64)  # a copy, which may be filled
    if (infinite := np.isinf(values)).any():
        raise DataError(
            f"{_at(table, name)}, row {np.flatnonzero(infinite)[0] + 1}: expected finite numbers, got an infinite one "
            f"({infinite.sum():,} in all); correct the rows, or leave the values empty and fill them"
        )
    if (large := _inexact(column, values)).any():
        raise DataError(
            f"{_at(table, name)}, row {np.flatnonzero(large)[0] + 1}: expected whole numbers of at most 15 digits, got "
            f"a larger one; leave out what is an identifier with --ignore {name!r} (ignored=[{name!r}]), and write "
            "large amounts with an exponent, such as 1.5e20"
        )
    return values


def booleans(table: Table, name: str) -> np.ndarray:
    """(m,) float64: 1 for true, 0 for false, NaN where missing. true, false, 1 and 0 are taken."""
    texts = categories(table, name)
    values = np.array([np.nan if text is None else _TRUTH.get(text.lower(), -1.0) for text in texts])
    if (wrong := values == -1).any():
        raise DataError(
            f"{_at(table, name)}, row {np.flatnonzero(wrong)[0] + 1}: expected true or false, got something else; "
            "correct the row, or make the column a category in the schema"
        )
    return values


def categories(table: Table, name: str) -> np.ndarray:
    """(m,) of text, None where missing. Whole numbers are written without a point, however they were read."""
    column = _cleaned(table, name)
    missing = column.isna().to_numpy()
    found = np.empty(len(column), dtype=object)
    codes, distinct = column.factorize()  # a name is made once for each value that is there
    names = [_as_text(value) for value in distinct]
    for i, code in enumerate(codes):
        found[i] = None if missing[i] else names[code]
    return found


def missing(table: Table, name: str) -> np.ndarray:
    """(m,) bool."""
    return np.asarray(_cleaned(table, name).isna().to_numpy(), dtype=bool)


def _cleaned(table: Table, name: str) -> pd.Series[Any]:
    """Text without spaces around it, and missing where it stands for nothing."""
    column: pd.Series[Any] = table.values[name]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufmM":
        return column
    cleaned = column.astype(object).map(_tidied)
    inferred = cleaned.infer_objects()
    return inferred if isinstance(inferred.dtype, np.dtype) and inferred.dtype.kind in "biuf" else cleaned


def _tidied(value: Any) -> Any:
    """None where it is missing."""
    import pandas as pd

    if isinstance(value, str):
        value = value.strip()
        return None if value in MISSING else value
    return None if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value) else value


def _is_boolean(present: pd.Series[Any]) -> bool:
    if present.dtype.kind == "b":
        return True
    return bool(present.map(lambda v: isinstance(v, bool | np.bool_) or str(v).lower() in ("true", "false")).all())


def _is_date(value: Any) -> bool:
    return hasattr(value, "isoformat") or (isinstance(value, str) and _DATE.fullmatch(value) is not None)


def _numeric(column: pd.Series[Any]) -> pd.Series[Any]:
    """float64, NaN where there is none."""
    import pandas as pd

    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    return pd.to_numeric(column.map(lambda v: None if v is None else str(v)), errors="coerce").astype(np.float64)


def _inexact(column: pd.Series[Any], values: np.ndarray) -> np.ndarray:
    """(m,) bool: whole numbers that a float64 does not hold as they are."""
    large = np.abs(values) > _EXACT
    if column.dtype.kind == "f" or not large.any():
        return np.zeros(len(values), dtype=bool) if column.dtype.kind == "f" else large
    if column.dtype.kind in "iu":
        return large
    return large & np.array([_WHOLE.fullmatch(str(value)) is not None for value in column])


def _as_text(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return str(int(value)) if np.isfinite(value) and value == int(value) else repr(float(value))
    text = str(value).strip()
    whole = _WHOLE_AS_DECIMAL.fullmatch(text)
    return whole[1] if whole else text


def _text_among_numbers(table: Table, name: str, row: int) -> DataError:
    return DataError(
        f"{_at(table, name)}, row {row + 1}: expected a number, as in most rows, got text; correct the row (numbers "
        f"are written like 1234.5), or make the column a category with --category {name!r} (categories=[{name!r}])"
    )


def _at(table: Table, name: str) -> str:
    return f"{table.source}: column {name!r}"
