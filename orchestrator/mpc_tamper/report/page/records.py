"""The records of a folder as the page takes them: each is there, or is not there yet and a command makes it.

A record that is damaged ends the page instead: a page without it would look as if there had been nothing to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import exists, read_text_file

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Missing:
    """A file that is not there. command: what makes it."""

    name: str
    command: str


def read_json(folder: Path, name: str, command: str) -> dict[str, Any] | Missing:
    """Raises DataError for a file that is no JSON object; the line is said where it is known."""
    path = folder / name
    if not exists(path):
        return Missing(name, command)
    text = read_text_file(path, "a JSON record")
    try:
        record = json.loads(text)
    except json.JSONDecodeError as exc:
        raise DataError(
            f"{path}: line {exc.lineno}: expected a JSON record, got something else: {exc.msg}. Restore the file, or "
            f"make it again: {command}"
        ) from exc
    if not isinstance(record, dict):
        raise DataError(
            f"{path}: line 1: expected a JSON object, got {type(record).__name__}. Make it again: {command}"
        )
    return record


@contextmanager
def told_of(path: Path, command: str) -> Iterator[None]:
    """Around what makes something of a record: one that lacks a field is a DataError with the file's name."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as exc:
        said = f"one without {exc}" if isinstance(exc, KeyError) else f"one that does not read ({exc})"
        raise DataError(f"{path}: expected a record of {command}, got {said}. Make it again: {command}") from exc
