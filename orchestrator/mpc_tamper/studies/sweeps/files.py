"""What a sweep has found so far: a file for each result, named by a digest of what the result depends on.

found = ResultFiles(Path("results/matrix.cells"))
found.put({"attack": "backdoor_1", "defence": "none"}, {"clean_accuracy": 0.99})
found.get({"defence": "none", "attack": "backdoor_1"})   # {"clean_accuracy": 0.99}

Any number of processes may write at once, on any number of machines that share the folder: each writes a whole file and
then gives it its name, so that nobody waits, nobody sees half of it, and of two that found the same result one stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import exists, reported
from mpc_tamper.records.sweeps import RESULT

Key = Mapping[str, Any]  # JSON types
FOLDER = ".cells"  # after the name of the record that the files are for
_SUFFIX = ".json"


class ResultFiles:
    """The files of one folder. The folder is made with the first of them, and goes with the last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, out: Path, name: str) -> ResultFiles:
        """Those of the record `name` in the folder `out`, which every process of the sweep can write to."""
        return cls(out.resolve() / f"{name}{FOLDER}")

    def put(self, key: Key, result: Mapping[str, Any]) -> None:
        """key, result: JSON types. What was there for the same key is replaced."""
        RESULT.write(self._path(key), {"key": dict(key), "result": dict(result)})

    def get(self, key: Key) -> dict[str, Any] | None:
        """None where there is no such result. Raises DataError where its file was changed."""
        found = self._at(self._path(key))
        return None if found is None else found[1]

    def all(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each key with its result, by the names of the files. Raises DataError where one was changed."""
        for path in sorted(self.folder.glob(f"[0-9a-f]*{_SUFFIX}")):
            if (found := self._at(path)) is not None:
                yield found

    def remove(self, key: Key) -> None:
        """Of no effect where there is none."""
        path = self._path(key)
        with reported(path, "a file that can be removed"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are there
            self.folder.rmdir()

    def _at(self, path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Key and result; None where there is no file, or where another process has just taken it up."""
        try:
            record = RESULT.read(path)
        except DataError as exc:
            if not exists(path):
                return None
            raise _changed(path, "something else") from exc
        if self._path(record["key"]) != path:
            raise _changed(path, "one of another key")
        return record["key"], record["result"]

    def _path(self, key: Key) -> Path:
        text = json.dumps(dict(key), sort_keys=True, separators=(",", ":"))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}{_SUFFIX}"


def _changed(path: Path, got: str) -> DataError:
    return DataError(
        f"{path}: expected a result of a sweep as it was written, got {got}; remove the file, and it is run again"
    )
