"""Read a data owner's private input in MP-SPDZ's two formats.

text: decimal integers between white space.  binary: little-endian int64, no header. The two are read independently,
each from its beginning on. No error says what a file holds: its text goes to logs, and to the other parties' hosts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.runs.spec import InputFiles

WORD_BYTES = 8
_MODULUS = 1 << 64


def read_text(path: Path) -> np.ndarray:
    """All integers of a text input, from -2^63 to 2^64 - 1, as uint64."""
    words = _contents(path).split()
    try:
        return np.array(words, dtype=np.bytes_).astype(np.int64).view(np.uint64) if words else np.zeros(0, np.uint64)
    except (ValueError, OverflowError):
        return np.array([_integer(path, number, word) for number, word in enumerate(words)], dtype=np.uint64)


def read_binary(path: Path, start: int, count: int) -> np.ndarray:
    """Up to `count` words of a binary input from word `start` on, as uint64; fewer where the file ends."""
    try:
        return np.fromfile(path, "<u8", count, offset=WORD_BYTES * start).astype(np.uint64, copy=False)
    except OSError as exc:
        raise DataError(f"{path}: expected a readable input file: {exc.strerror}") from exc


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


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise DataError(f"{path}: expected a readable input file: {exc.strerror}") from exc


def _integer(path: Path, number: int, word: bytes) -> int:
    try:
        value = int(word)
    except ValueError:  # whose text quotes the word
        raise DataError(f"{path}: expected an integer as number {number}, got something else; correct it") from None
    if not -(_MODULUS >> 1) <= value < _MODULUS:
        raise DataError(
            f"{path}: expected an integer from -2^63 to 2^64 - 1 as number {number}, got one beyond; correct it"
        ) from None
    return value % _MODULUS
