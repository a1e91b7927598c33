"""Tiny distributions on a folder of sys.path: a module, and the metadata that name what it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mpc_tamper.attacks.registry import ATTACKS
from mpc_tamper.defences.registry import DEFENCES, NETWORK_DEFENCES, NETWORK_DEFENCES_OF_TEN
from mpc_tamper.models.registry import MODELS

TABLES = (ATTACKS, DEFENCES, NETWORK_DEFENCES, NETWORK_DEFENCES_OF_TEN, MODELS)


def install(folder: Path, distribution: str, code: str, entry_points: str) -> None:
    """The module is called as the distribution is, with _ for -."""
    (folder / f"{distribution.replace('-', '_')}.py").write_text(code, encoding="utf-8")
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(entry_points, encoding="utf-8")


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """What was installed there is found until this ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        for table in TABLES:
            table.forget()
        try:
            yield
        finally:
            patch.undo()
            for table in TABLES:
                table.forget()
