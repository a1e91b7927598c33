"""One data owner's private input: MP-SPDZ's text and binary formats, read in order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from orchestrator.errors import DataError
from orchestrator.records import InputFiles


class InputReader:
    """Reads forward; text and binary each have a position of their own, as in MP-SPDZ."""

    def __init__(self, owner: int, files: InputFiles) -> None:
        self._owner = owner
        self._files = files
        self._binary_position = 0
        self._words: Iterator[str] | None = None

    def read(self, count: int, *, binary: bool) -> np.ndarray:
        """The next `count` integers, modulo 2^64. Raises DataError where the file ends before."""
        return self._read_binary(count) if binary else self._read_text(count)

    def _read_binary(self, count: int) -> np.ndarray:
        path = self._path(self._files.binary, "binary")
        values = np.fromfile(path, "<i8", count, offset=8 * self._binary_position)
        self._binary_position += len(values)
        self._check_count(path, count, len(values))
        return values.astype(np.int64).view(np.uint64)

    def _read_text(self, count: int) -> np.ndarray:
        path = self._path(self._files.text, "text")
        if self._words is None:
            self._words = _words(path)
        values = np.empty(count, np.uint64)
        for i in range(count):
            word = next(self._words, None)
            if word is None:
                self._check_count(path, count, i)
            try:
                values[i] = int(word or "") % (1 << 64)
            except ValueError as exc:
                raise DataError(f"{path}: expected decimal integers, got {word!r}") from exc
        return values

    def _path(self, path: Path | None, form: str) -> Path:
        if path is None:
            raise DataError(f"the program reads {form} input of party {self._owner}: give --input {self._owner}=FILE")
        return path

    def _check_count(self, path: Path, expected: int, got: int) -> None:
        if got < expected:
            raise DataError(f"{path}: the program reads {expected - got} more integers than the file holds")


def _words(path: Path) -> Iterator[str]:
    with path.open(encoding="ascii", errors="replace") as file:
        for line in file:
            yield from line.split()
