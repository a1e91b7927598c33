"""Tables that are refused, each in a line that says what was expected, what came and what to do, and shows no value."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mpc_tamper as mt
from mpc_tamper.core.errors import DataError, EngineUnavailable, ParameterError, UsageError
from mpc_tamper.datasets.tables.files import read_table

HEADER = "p,q,y\n"
ROWS = "".join(f"{i},{2 * i},{'ab'[i % 2]}\n" for i in range(8))
SECRET = "9377.25xyz"  # stands in no message


def dated(form: str) -> str:
    return HEADER + "".join(f"{form.format(i)},{i},{'ab'[i % 2]}\n" for i in range(1, 9))


BAD: dict[str, tuple[str | bytes, str]] = {
    "duplicate columns": ("p,p,y\n" + ROWS, r"a different name for each column, got 'p' more than once; rename"),
    "no label": ("p,q,z\n" + ROWS, r"expected a column 'y' as label, got none; choose 'p', 'q', 'z'$"),
    "a close label": ("p,q,Y \n" + ROWS, r"expected a column 'y' as label, got none; choose 'Y' or another of 3"),
    "text in numbers": (HEADER + ROWS + f"{SECRET},3,a\n", r"column 'p', row 9: expected a number.*got text; correct"),
    "decimal commas": (
        "p;q;y\n" + "".join(f"{i},5;{i};{'ab'[i % 2]}\n" for i in range(8)),
        r"column 'p', row 1: expected a number.*written like 1234.5",
    ),
    "one class": (HEADER + "1,2,a\n3,4,a\n", r"column 'y': expected 2 to 256 classes, got one; add rows of another"),
    "an amount as label": (
        HEADER + "".join(f"{i},{i},{i / 7}\n" for i in range(300)),
        r"column 'y': expected 2 to 256 classes, got 300 different values; choose another label",
    ),
    "infinite": (HEADER + ROWS + "inf,3,a\n-inf,3,a\n", r"column 'p', row 9: expected finite numbers.*\(2 in all\)"),
    "beyond float64": (HEADER + ROWS + "1,-1e999,a\n", r"column 'q', row 9: expected finite numbers"),
    "huge integers": (dated("12345678901234567890123{}"), r"column 'p', row 1: expected whole numbers of at most 15"),
    "integers of 19 digits": (
        dated("123456789012345678{}"),
        r"column 'p', row 1: expected whole numbers of at most 15",
    ),
    "latin-1": (
        (HEADER + ROWS).encode() + b"1,2,\xe9\n",
        r"in UTF-8, got another or a mixed encoding \(line 10\); save",
    ),
    "mixed encodings": ((HEADER + ROWS + "1,2,é\n").encode() + b"1,2,\xe9\n", r"a mixed encoding \(line 11\)"),
    "utf-16": ((HEADER + ROWS).encode("utf-16"), r"got UTF-16; save it as UTF-8"),
    "a zero byte": ((HEADER + ROWS).encode() + b"1,\0,a\n", r"got a zero byte in line 10"),
    "a spreadsheet": (b"PK\x03\x04 and more", r"got a zip archive or a spreadsheet; unpack it"),
    "parquet called csv": (b"PAR1 and more", r"expected a CSV file, got Parquet; name it .parquet"),
    "too many columns": (",".join(map("c{}".format, range(70_000))) + "\n1\n", r"at most 65,536 columns, got 70,000"),
    "a short row": (HEADER + ROWS + f"{SECRET},3\n", r"row 9: expected 3 values, one for each column, got 2; correct"),
    "a long row": (HEADER + ROWS + "1,2,a,4\n", r"row 9: expected 3 values, one for each column, got 4"),
    "an open quote": (HEADER + ROWS + f'1,"{SECRET},a\n3,4,b\n', r"row 9: expected values whose quotes are closed"),
    "empty": ("", r"got an empty one; write the names of the columns and rows"),
    "blank lines": ("\n \n", r"got an empty one"),
    "names alone": (HEADER, r"expected rows below the names of the columns, got none; add rows"),
    "no names": ("1,2,3\n4,5,6\n", r"names of the columns in the first line, got numbers alone; add a line"),
    "a class of one row": (HEADER + "1,2,a\n2,3,a\n3,4,b\n", r"class 'b': expected at least 2 rows.*got 1; add rows"),
    "dates": (dated("2024-01-0{}"), r"column 'p': expected numbers or categories, got dates; write them as numbers"),
    "german dates": (dated("0{}.01.2024"), r"column 'p': expected numbers or categories, got dates"),
    "an index": (
        ",p,y\n" + "".join(f"{i},1,{'ab'[i % 2]}\n" for i in range(8)),
        r"got 'Unnamed: 0', as an index has.*\(index=False\), or leave it out with --ignore 'Unnamed: 0'",
    ),
    "missing values": (
        HEADER + ROWS + ",3,a\n?,NA,b\n",
        r"column 'p': expected a value in every row, got 2 of 10 missing, and 1 in 1 other columns; fill them with",
    ),
    "missing labels": (
        HEADER + ROWS + "1,3,\n",
        r"column 'y': expected a class in every row, got 1 of 9 missing; remove",
    ),
    "nothing in a column": (
        HEADER + "".join(f"{i},,{'ab'[i % 2]}\n" for i in range(8)),
        r"column 'q': expected values, got none in any row; leave it out with --ignore 'q'",
    ),
    "a label alone": ("y\n" + "a\nb\n" * 4, r"expected columns beside the label 'y', got none; add features"),
    "free text": (
        HEADER + "".join(f"text {i},1,{'ab'[i % 2]}\n" for i in range(200)),
        r"column 'p': expected at most 100 categories, got 200 different ones; leave out what is free text",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_in_a_line_without_a_value(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as refused:
        mt.load_task(path, label="y")
    text = str(refused.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert SECRET not in text
    assert len(text) < 400 + len(str(path))


def test_places_that_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.parquet").write_bytes(b"")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    for name, message in (
        ("folder.csv", "got a folder; name the file"),
        ("empty.parquet", "expected a Parquet file, got an empty file"),
        ("cut.parquet", "expected a Parquet file, got one that does not read"),
        ("none.csv", "got No such file or directory"),
    ):
        with pytest.raises(DataError, match=message):
            mt.load_task(tmp_path / name, label="y")


def test_parquet_of_dates_or_lists(tmp_path: Path) -> None:
    labels = list("abababab")
    for values, message in ((pd.date_range("2020", periods=8), "got dates"), ([[1]] * 8, "got ndarray values")):
        pd.DataFrame({"p": values, "y": labels}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(DataError, match=f"column 'p': expected num.*{message}"):
            mt.load_task(tmp_path / "t.parquet", label="y")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(EngineUnavailable, match=r"expected pyarrow.*pip install mpc-tamper\[parquet\]"):
        read_table(tmp_path / "t.parquet")


def test_choices_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    for options, kind, message in (
        ({}, DataError, r"the name of the column of classes, got none; choose one with --label .*'p', 'q', 'y'"),
        ({"label": "y", "test_share": 1}, ParameterError, r"test share: expected .* below 1, got 1; .* --test-data"),
        ({"label": "y", "test_share": 0}, ParameterError, r"test share: expected a number above 0"),
        ({"label": "y", "ignored": ["r"]}, DataError, r"expected a column 'r' as ignored, got none"),
        ({"label": "y", "categories": ["P"]}, DataError, r"expected a column 'P' as category, got none; choose 'p'"),
        ({"label": "y", "ignored": ["y"]}, DataError, r"expected the label 'y' to be kept"),
    ):
        with pytest.raises(kind, match=message):
            mt.load_task(path, **options)  # type: ignore[arg-type]
    with pytest.raises(
        UsageError, match=r"expected a table .* with a label.*got mnist_0_1; save it as one, or leave those"
    ):
        mt.load_task("mnist_0_1", label="y")


def test_owners_whose_files_disagree(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(HEADER + ROWS, encoding="utf-8")
    text = "".join(f"word,{i},{'ab'[i % 2]}\n" for i in range(8))
    for content, message in (
        ("p,r,y\n" + ROWS, r"b.csv: expected the columns of .*a.csv, got no 'q' and 'r' too; rename, add or remove"),
        (HEADER + text, r"column 'p': expected the same kind in all files, got number in .*a.csv, category in .*b.csv"),
    ):
        second.write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            mt.load_tables([first, second], mt.Reading("y"))
    with pytest.raises(DataError, match=r"expected a table of each owner, .csv, .tsv or .parquet"):
        mt.load_tables([first, "mnist_0_1"], mt.Reading("y"))


def test_arrays_and_frames_that_are_no_tables() -> None:
    x, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    for arguments, options, message in (
        ((x.ravel(), y), {}, r"an array with a row for each example, got shape \(8,\)"),
        ((x, y[:3]), {}, r"expected 4 labels, one a row, got an array of shape \(3,\)"),
        ((x, y), {"feature_names": ["a"]}, r"expected 2 feature names"),
        ((x[:0], []), {}, r"expected rows, got none"),
        ((np.where(x == 3, np.nan, x), y), {}, r"column 'x1': expected a value in every row, got 1 of 4 missing"),
        ((np.where(x == 3, np.inf, x), y), {}, r"column 'x1', row 2: expected finite numbers"),
        ((x.astype(complex), y), {}, r"column 'x0': expected numbers, text or booleans, got complex128 values"),
    ):
        with pytest.raises(DataError, match=message):
            mt.table_task(*arguments, **options)  # type: ignore[arg-type]
