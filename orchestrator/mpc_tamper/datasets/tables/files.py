"""Read a CSV or Parquet file into a DataFrame, or say in a line what is wrong with it.

An error names the row, counted from 1 below the names of the columns, and never what stands in it: rows are private.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mpc_tamper.core.errors import DataError, EngineUnavailable, TamperError
from mpc_tamper.core.files import is_folder, read_file
from mpc_tamper.datasets.tables.schema import MOST_FEATURES

if TYPE_CHECKING:
    import pandas as pd

Separator = Literal[",", ";", "\t", "|"]
CSV, PARQUET = (".csv", ".tsv"), (".parquet", ".pq")
_SEPARATORS: tuple[Separator, ...] = (",", ";", "\t", "|")
_MAGIC = b"PAR1"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_KNOWN = (b"PK\x03\x04", "a zip archive or a spreadsheet"), (b"\x1f\x8b", "a compressed file"), (_MAGIC, "Parquet")
MISSING = frozenset({"", "?", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "None"})


@dataclass(frozen=True, eq=False)
class Table:
    """values: as read, a name for each column, rows from 0.  source: for messages.  sha256: of the file, or ""."""

    values: pd.DataFrame
    source: str
    sha256: str = ""

    @property
    def names(self) -> list[str]:
        return list(map(str, self.values.columns))


def is_table(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in CSV + PARQUET


def read_table(path: Path, text: Collection[str] = ()) -> Table:
    """text: columns whose values are kept as they are written, where the file has them. Raises DataError."""
    if is_folder(path):
        raise DataError(f"{path}: expected a CSV or Parquet file, got a folder; name the file")
    content = read_file(path, "a CSV or Parquet file")
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() in PARQUET:
        return Table(_parquet(content, path), str(path), digest)
    return Table(_csv(_decoded(content, path), path, text), str(path), digest)


def check_names(names: list[str], source: str) -> None:
    """Raises DataError for columns without a name, and for names that come twice."""
    if len(names) > MOST_FEATURES:
        raise DataError(
            f"{source}: expected at most {MOST_FEATURES:,} columns, got {len(names):,}; keep those that matter, or "
            "write rows and columns the other way round"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        listed = ", ".join(map(repr, twice[:5])) + (", ..." if len(twice) > 5 else "")
        raise DataError(
            f"{source}: expected a different name for each column, got {listed} more than once; rename or remove one"
        )


def _decoded(content: bytes, path: Path) -> str:
    for magic, name in _KNOWN:
        if content.startswith(magic):
            advice = "name it .parquet" if magic == _MAGIC else "unpack it, and save it as CSV"
            raise DataError(f"{path}: expected a CSV file, got {name}; {advice}")
    if content.startswith(_UTF16):
        raise DataError(f"{path}: expected a CSV file in UTF-8, got UTF-16; save it as UTF-8")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise DataError(f"{path}: expected a CSV file, got a zero byte in line {line}; save it as UTF-8 text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise DataError(
            f"{path}: expected a CSV file in UTF-8, got another or a mixed encoding (line {line}); save it as UTF-8, "
            "such as with iconv -f latin1 -t utf8"
        ) from None  # the cause would quote the bytes


def _csv(text: str, path: Path, as_text: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    # Numbers as written, to the last bit, which pandas 3 gives without being asked.
    exactly: Any = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
    separator = _separator(text)
    names, rows = _measured(text, separator, path)
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=0,
            names=names,
            index_col=False,
            dtype={name: str for name in names if name in as_text},
            keep_default_na=False,
            na_values=sorted(MISSING),
            skipinitialspace=True,
            low_memory=False,
            **exactly,
        )
    except (ValueError, OverflowError):  # pandas' words may quote values
        frame = None
    if frame is None or len(frame) != rows or list(frame.columns) != names:
        raise DataError(
            f"{path}: expected a CSV file of {rows:,} rows and {len(names):,} columns, got one that pandas does not "
            "read so; write it again, such as with pandas.DataFrame.to_csv(index=False)"
        )
    return frame


def _separator(text: str) -> Separator:
    """That of the first line with something in it, outside quotes; a comma where there is none."""
    start = len(text) - len(text.lstrip("\r\n"))
    end = min((i for i in (text.find("\n", start), text.find("\r", start)) if i >= 0), default=len(text))
    outside = "".join(text[start:end].split('"')[::2])
    best = max(_SEPARATORS, key=outside.count)
    return best if best in outside else ","


def _measured(text: str, separator: str, path: Path) -> tuple[list[str], int]:
    """Names of the columns, and how many rows follow; all have as many values as there are names."""
    lines = _lines(text, separator, path)
    header = next(lines, None)
    if header is None:
        raise DataError(f"{path}: expected a CSV file, got an empty one; write the names of the columns and rows")
    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    check_names(names, str(path))
    if all(map(_is_number, header)):
        raise DataError(
            f"{path}: expected the names of the columns in the first line, got numbers alone; add a line with a name "
            "for each column"
        )
    rows = 0
    for rows, line in enumerate(lines, start=1):
        if len(line) != len(names):
            raise DataError(
                f"{path}: row {rows}: expected {len(names)} values, one for each column, got {len(line)}; correct the "
                f"row, and put values with {_called(separator)} in them into quotes"
            )
    if not rows:
        raise DataError(f"{path}: expected rows below the names of the columns, got none; add rows")
    return names, rows


def _lines(text: str, separator: str, path: Path) -> Iterator[list[str]]:
    """Rows that have something in them, the names first."""
    count = 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)
        for line in reader:
            if line and (len(line) > 1 or line[0].strip()):
                yield line
                count += 1
    except csv.Error:  # without its words, as they may quote a value
        where = f"row {count}" if count else "the names of the columns"
        raise DataError(
            f"{path}: {where}: expected values whose quotes are closed, got others; write a quote within quotes twice"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _called(separator: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs"}.get(separator, separator)


def _parquet(content: bytes, path: Path) -> pd.DataFrame:
    try:
        import pyarrow.parquet as parquet
    except ImportError as exc:
        raise EngineUnavailable(
            f"{path}: expected pyarrow, which reads Parquet files, got none; pip install mpc-tamper[parquet], or save "
            "the table as CSV"
        ) from exc
    if not content.startswith(_MAGIC):
        got = "an empty file" if not content else "something else"
        raise DataError(f"{path}: expected a Parquet file, got {got}; name a CSV file .csv, or write it again")
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        check_names([str(name) for name in file.schema_arrow.names], str(path))
        return named_by_text(unindexed(file.read().to_pandas()))
    except TamperError:
        raise
    except Exception as exc:  # Arrow has many kinds of its own, whose words may quote a value
        raise DataError(
            f"{path}: expected a Parquet file, got one that does not read ({type(exc).__name__}); write it again, such "
            "as with pandas.DataFrame.to_parquet"
        ) from None


def named_by_text(frame: pd.DataFrame) -> pd.DataFrame:
    """With columns whose names are text without spaces around it, whatever they were."""
    return frame.set_axis([str(name).strip() for name in frame.columns], axis=1)


def unindexed(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows from 0. An index that somebody has named is a column; one that only counts is none."""
    named = any(name is not None for name in frame.index.names)
    return frame.reset_index(drop=not named)
