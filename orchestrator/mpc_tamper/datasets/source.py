"""Where a task came from, so that a run remembers its data set and later commands need not be told again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.files import exists
from mpc_tamper.datasets.classes import ALL, Choice
from mpc_tamper.datasets.load import COLLECTIONS, load_tables, load_task
from mpc_tamper.datasets.tables.files import is_table
from mpc_tamper.datasets.tables.task import Reading
from mpc_tamper.datasets.task import Task
from mpc_tamper.records.folders import DATA

FILE = "data.json"  # beside the shares of a run
_PATHS = ("schema", "tests")  # of a Reading


@dataclass(frozen=True)
class DataSource:
    """What load_task() and load_tables() are given.

    data: a name or a path.  owner_data: tables of further owners.  sha256: what the task hashed to; "" before it is
    read.
    """

    data: str
    classes: Choice | None = None
    root: str | None = None
    owner_data: tuple[str, ...] = ()
    reading: Reading = Reading()
    sha256: str = ""

    def load(self, *, download: bool = False) -> Task:
        """Raises DataError as load_task() does, and where a source that a run remembered gives other data now."""
        task = self._read(download)
        if self.sha256 and task.sha256 != self.sha256:
            raise DataError(
                f"{self.data}: expected the data of the training, sha256 {self.sha256}, got {task.sha256}: the file or "
                "its schema was changed since. Restore it, or name the data with --data"
            )
        return task

    def write(self, run_dir: Path, task: Task) -> None:
        """Beside the shares, readable by its owner alone, as it names places of this machine."""
        reading = {
            key: None if value is None else _absolute(str(value)) if key in _PATHS else value
            for key, value in asdict(self.reading).items()
        }
        record = asdict(self) | {
            "data": _absolute(self.data),
            "root": None if self.root is None else str(Path(self.root).absolute()),
            "owner_data": [_absolute(path) for path in self.owner_data],
            "reading": reading,
            "sha256": task.sha256,
        }
        DATA.write(run_dir / FILE, record, indent=1, public=False)

    @classmethod
    def of_run(cls, run_dir: Path) -> DataSource | None:
        """What a training left beside its shares; None where it left nothing. Raises DataError."""
        path = run_dir / FILE
        if not exists(path):
            return None
        record = DATA.read(path)
        with DATA.fitting(path):
            return cls._of(record)

    def with_schema(self, schema: Path) -> DataSource:
        """The same rows by this schema. What it says already is no longer taken from the rows."""
        return replace(self, reading=replace(self.reading, schema=schema, fill=None, categories=(), ignored=()))

    def tested_on(self, tests: Path, schema: Path) -> DataSource:
        """The training's rows by its schema, with another table's rows to test with."""
        source = self.with_schema(schema)
        return replace(source, reading=replace(source.reading, tests=tests), sha256="")

    def _read(self, download: bool) -> Task:
        if is_table(Path(self.data)):
            return load_tables([self.data, *self.owner_data], self.reading, classes=self.classes)
        if self.owner_data:
            raise ParameterError(
                f"expected tables for several owners, got {self.data}; split other data with --owners, or give CSV or "
                "Parquet files"
            )
        if self.reading != Reading():
            raise ParameterError(
                f"expected a table (.csv, .tsv or .parquet) with --label, --schema and what else tables take, got "
                f"{self.data}; save it as one, or leave those options out"
            )
        root = None if self.root is None else Path(self.root)
        return load_task(self.data, classes=self.classes, root=root, download=download)

    @classmethod
    def _of(cls, record: Mapping[str, Any]) -> DataSource:
        given = dict(record["reading"])
        if unknown := set(given) - {each.name for each in fields(Reading)}:
            raise ValueError(f"unknown {', '.join(sorted(unknown))}")
        for key in _PATHS:
            given[key] = None if given[key] is None else Path(given[key])
        for key in ("categories", "ignored"):
            given[key] = tuple(given[key])
        classes = record["classes"]
        return cls(
            record["data"],
            classes if classes is None or classes == ALL else tuple(classes),
            record["root"],
            tuple(record["owner_data"]),
            Reading(**given),
            record["sha256"],
        )


def _absolute(name: str) -> str:
    """A path as it can be read from any folder; the name of a data set as it is."""
    if name in COLLECTIONS or not exists(Path(name)):
        return name
    return str(Path(name).absolute())
