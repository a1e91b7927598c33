"""Records of a study and what is made of them, put in their place together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.core.temporary import TemporaryFolder
from mpc_tamper.records.schema import Schema

SchemedRecord = tuple[Schema, Mapping[str, Any]]


def publish(
    records: Mapping[str, SchemedRecord], report: Callable[[Path], tuple[str, ...]], out: Path, *, indented: str
) -> None:
    """Make every file first, then put each in its place whole.

    records: by file name.  report: writes files beside the records of a folder, and returns their names.
    indented: the record that people read.
    """
    with TemporaryFolder() as folder:
        staging = Path(folder)
        for name, (schema, record) in records.items():
            text = schema.text(record, out / name, indent=2 if name == indented else None)
            (staging / name).write_text(text, encoding="utf-8")
        for name in (*records, *report(staging)):
            write_atomically(out / name, (staging / name).read_bytes(), public=True)
