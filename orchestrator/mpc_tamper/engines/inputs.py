"""Read a data owner's private input in MP-SPDZ's two formats.

text: decimal integers between white space.  binary: little-endian int64, no header. The two are read independently,
each from its beginning on. No error says what a file holds: its text goes to logs, and to the other parties' hosts.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import read_file, what_is
from mpc_tamper.runs.spec import InputFiles

WORD_BYTES = 8
_MODULUS = 1 << 64
_TEXT = "a text input, integers between white space"
_INTEGER = re.compile(rb"[+-]?[0-9]+")
_DIGITS = 21  # more than any integer in range has, sign included


def read_text(path: Path) -> np.ndarray:
    """All integers of a text input, from -2^63 to 2^64 - 1, as uint64."""
    words = read_file(path, _TEXT).split()
    if max(map(len, words), default=0) < _DIGITS and not b"".join(words).translate(None, b"0123456789-"):
        try:
            return np.array(words, dtype=np.bytes_).astype(np.int64).view(np.uint64)
        except (ValueError, OverflowError):
            pass
    return np.array([_integer(path, number, word) for number, word in enumerate(words)], dtype=np.uint64)


def read_binary(path: Path, start: int, count: int) -> np.ndarray:
    """Up to `count` words of a binary input from word `start` on, as uint64; fewer where the file ends."""
    try:
        return np.fromfile(path, "<u8", count, offset=WORD_BYTES * start).astype(np.uint64, copy=False)
    except (OSError, ValueError) as exc:
        raise DataError(f"{path}: expected a readable input file, got {what_is(path)}: {exc}; check the path") from exc


class OwnerInput:
    """One owner's inputs, handed out in order."""

    def __init__(self, owner: int, files: InputFiles | None) -> None:
        self._owner = owner
        self._files = files or InputFiles()
        self._text: np.ndarray | None = None
        self._next = {False: 0, True: 0}

    def take(self, count: int, *, binary: bool) -> np.ndarray:
        """The next `count` integers, uint64. Raises DataError where the file ends."""
        form = "binary" if binary else "text"
        path = self._files.binary if binary else self._files.text
        if path is None:
            raise DataError(f"expected a {form} input of owner {self._owner}, got none: give one with --input")
        start = self._next[binary]
        if binary:
            words = read_binary(path, start, count)  # part by part: it may be as large as the shares
        else:
            self._text = read_text(path) if self._text is None else self._text
            words = self._text[start : start + count]
        if words.size < count:
            raise DataError(
                f"{path}: expected {count} integers from number {start} on, got {words.size}: the program reads more "
                "than the file holds"
            )
        self._next[binary] = start + count
        return words


def _integer(path: Path, number: int, word: bytes) -> int:
    """The word itself is its owner's secret, and no part of a message."""
    if not _INTEGER.fullmatch(word):
        raise DataError(
            f"{path}: expected integers between white space, got something else, {len(word):,} characters long, as "
            f"number {number} (the first is 0); correct it"
        )
    digits = word.lstrip(b"+-").lstrip(b"0") or b"0"
    value = int(digits) if len(digits) < _DIGITS else _MODULUS
    value = -value if word.startswith(b"-") else value
    if not -(_MODULUS >> 1) <= value < _MODULUS:
        raise DataError(
            f"{path}: expected integers from -2^63 to 2^64 - 1, got one outside as number {number} (the first is 0); "
            "correct it"
        )
    return value % _MODULUS
