"""Text inputs: what is no integer is told by its place, quickly, and without the value, which is its owner's secret."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_tamper.core.errors import DataError
from mpc_tamper.engines.inputs import read_text


@given(st.lists(st.integers(-(2**63), 2**64 - 1)), st.sampled_from([" ", "\n", "\t ", "\r\n"]))
def test_integers_are_read_as_they_are(tmp_path_factory: pytest.TempPathFactory, numbers: list[int], gap: str) -> None:
    path = tmp_path_factory.mktemp("inputs") / "x.txt"
    path.write_text(gap.join(map(str, numbers)), newline="")
    assert read_text(path).tolist() == [number % 2**64 for number in numbers]


@pytest.mark.parametrize(
    "token",
    [
        *(b"x", b"1_0", b"1.5", b"1e3", b"0x1f", b"--1", b"-", b"+", b"5\x00", b"\x005", b"\xef\xbb\xbf5", b"\xd9\xa3"),
        *(b"18446744073709551616", b"-9223372036854775809", b"9" * 5000, b"7" * 2_400_000, b"x" * 2_400_000),
    ],
    ids=lambda token: repr(token[:20]),
)
def test_one_token_that_is_none_among_many(tmp_path: Path, token: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"1 2 " * 5000 + token + b" 4" * 5000)
    began = time.process_time()
    with pytest.raises(DataError, match=r"x\.txt: expected integers .*number 10000 ") as caught:
        read_text(path)
    assert time.process_time() - began < 10
    message = str(caught.value)
    assert len(message) < 400 + len(str(path))
    shown = token[:20].decode("latin-1")
    assert len(token) < 3 or shown not in message


@pytest.mark.parametrize("token", [b"+5", b"005", b"0" * 5000 + b"5"])
def test_other_ways_to_write_an_integer(tmp_path: Path, token: bytes) -> None:
    path = tmp_path / "x.txt"
    path.write_bytes(b"1 " + token + b" -5")
    np.testing.assert_array_equal(read_text(path), np.array([1, 5, 2**64 - 5], np.uint64))


def test_an_empty_file_has_none(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text(" \n")
    assert read_text(tmp_path / "x.txt").tolist() == []
