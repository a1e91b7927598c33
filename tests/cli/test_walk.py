"""docs/walk.md: its commands in their order print what the page says, but for seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.walk import comparable, run_steps, steps


@pytest.mark.slow
def test_the_walk_prints_what_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    expected = list(steps())
    for said, found in zip(expected, run_steps(), strict=True):
        assert comparable(found.lines) == comparable(said.lines), said.text
        assert found.exit_code == said.exit_code, said.text
    assert sum(step.is_command for step in expected) == 9
