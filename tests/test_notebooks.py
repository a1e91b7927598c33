"""The notebooks run, their own assertions hold, and each tells its story in figures within ten minutes' reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site import notebooks

WORDS = 2000  # that are read in ten minutes, code included


@pytest.mark.slow
@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=notebooks.name)
def test_a_notebook_runs(path: Path) -> None:
    """What comes out is kept in build/notebooks, where `make site` finds it."""
    notebook = notebooks.run(path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert sum("assert " in cell.source for cell in notebook.cells) >= 3
    assert sum(len(cell.source.split()) for cell in notebook.cells) <= WORDS
    assert notebooks.read(path.read_text(encoding="utf-8")).cells == notebook.cells


def test_there_are_four() -> None:
    names = [notebooks.name(path) for path in notebooks.NOTEBOOKS]
    assert names == ["attack_your_own_model", "choose_a_protocol", "reproduce_the_paper", "write_an_attack"]
