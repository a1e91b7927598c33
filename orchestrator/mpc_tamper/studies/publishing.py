"""Records of a study and what is made of them, put in their place together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mpc_tamper.core.files import write_atomically
from mpc_tamper.core.temporary import TemporaryFolder


def publish(records: Mapping[str, Any], report: Callable[[Path], tuple[str, ...]], out: Path, *, indented: str) -> None:
    """Make every file first, then put each in its place whole.

    records: by file name.  report: writes files beside the records of a folder, and returns their names.
    indented: the record that people read.
    """
    with TemporaryFolder() as folder:
        staging = Path(folder)
        for name, record in records.items():
            indent = 2 if name == indented else None
            (staging / name).write_text(json.dumps(record, indent=indent) + "\n", encoding="utf-8")
        for name in (*records, *report(staging)):
            write_atomically(out / name, (staging / name).read_bytes(), public=True)
