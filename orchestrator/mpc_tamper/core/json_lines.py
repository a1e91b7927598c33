"""Files of JSON objects, one to a line, that only ever grow, and that several processes may write at once.

with appending(path) as lines:     # nobody else appends meanwhile
    if record not in lines.records:
        lines.append(record)
read_lines(path).records

A process that dies while it writes can leave a last line without its end. Such a line is reported and not read, the
others are; the next line that is appended takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError, UsageError
from mpc_tamper.core.files import reported
from mpc_tamper.core.finite_json import parsed

_MODE = 0o644
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Lines:
    """records: of the whole lines.  torn: what to say of a last line that was cut short, or None."""

    records: tuple[dict[str, Any], ...]
    torn: str | None


class OpenLines:
    """The file while it is locked. records: all that it holds, with what was appended."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle
        with reported(path, "a file that can be read"):
            content = _content(handle)
        records, self._end = _parse(content, path)
        self.records = list(records)
        self._open_end = self._end == len(content) > 0 and not content.endswith(b"\n")

    def append(self, record: Mapping[str, Any]) -> None:
        """One line in one write, which is on disk when this returns. A write that fails leaves no part of it."""
        line = b"\n" * self._open_end + json.dumps(record, allow_nan=False).encode() + b"\n"
        with reported(self._path, "a file that can be written"):
            os.ftruncate(self._handle, self._end)  # of a torn line; of no effect otherwise
            written = os.write(self._handle, line)
            if written == len(line):
                os.fsync(self._handle)
            else:
                os.ftruncate(self._handle, self._end)
        if written != len(line):
            raise UsageError(
                f"{self._path}: expected room for a line of {len(line)} bytes, got it for {written}; free some space"
            )
        self._end, self._open_end = self._end + len(line), False
        self.records.append(dict(record))


@contextmanager
def appending(path: Path) -> Iterator[OpenLines]:
    """Wait until no other process appends, and keep others waiting. Makes the file and its folder if there are none."""
    with reported(path, "a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        with reported(path, "a file that can be locked"):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield OpenLines(path, handle)
    finally:
        os.close(handle)  # and with it the lock


def read_lines(path: Path) -> Lines:
    """Raises DataError for a file that cannot be read, or that has a line that is no JSON object."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise DataError(f"{path}: expected a file of JSON lines, got: {exc.strerror}; check the path") from exc
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks; there a line may seem torn
            fcntl.flock(handle, fcntl.LOCK_SH)
        content = _content(handle)
    except OSError as exc:
        raise DataError(f"{path}: expected a file of JSON lines, got: {exc.strerror}; check the path") from exc
    finally:
        os.close(handle)
    records, end = _parse(content, path)
    torn = None
    if end < len(content):
        torn = f"{path}: the last line was cut short after {len(content) - end} bytes and is left out"
    return Lines(tuple(records), torn)


def _content(handle: int) -> bytes:
    blocks = []
    while block := os.read(handle, _BLOCK):
        blocks.append(block)
    return b"".join(blocks)


def _parse(content: bytes, path: Path) -> tuple[list[dict[str, Any]], int]:
    """The records, and where the last of them ends. No part of a JSON object is one, so a torn line is known for it."""
    records: list[dict[str, Any]] = []
    end = 0
    for line in content.splitlines(keepends=True):
        try:
            record = parsed(line)
        except ValueError as exc:
            if end + len(line) == len(content) and not line.endswith(b"\n"):
                return records, end
            raise DataError(
                f"{path}: line {len(records) + 1}: expected a JSON object, got something else: {exc}. Restore or "
                "remove this line"
            ) from exc
        if not isinstance(record, dict):
            raise DataError(
                f"{path}: line {len(records) + 1}: expected a JSON object, got {type(record).__name__}. Restore or "
                "remove this line"
            )
        records.append(record)
        end += len(line)
    return records, end
