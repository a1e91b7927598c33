"""docs/walk.md: its commands in their order print what the page says, but for seconds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.places import ROOT
from tests.support.ports import free_ports
from tests.support.processes import COMMAND, started, wait_for

PAGE = (ROOT / "docs" / "walk.md").read_text(encoding="utf-8")
PORT = "15000"
PROMPT, BACKGROUND = "$ mpc-tamper ", " &"
FAILS = {"fail": 1}  # exit codes by the first word of what is printed


def steps() -> Iterator[tuple[str, list[str]]]:
    """Python code with no lines, or a command with the lines that it prints, in the order of the page."""
    for code, block in re.findall(r"^```python\n(.*?)^```|((?:^    [^\n]*\n)+)", PAGE, flags=re.DOTALL | re.MULTILINE):
        if code:
            yield code, []
        else:
            command, *lines = [line[4:] for line in block.splitlines()]
            yield command, lines


def comparable(lines: list[str]) -> list[str]:
    return [re.sub(r"^(seconds +)[\d.]+$", r"\1-", line) for line in lines]


@pytest.mark.slow
def test_the_walk_prints_what_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> None:
    monkeypatch.chdir(tmp_path)
    port = str(free_ports())
    commands = 0
    with ExitStack() as servers:
        for step, expected in steps():
            if not step.startswith(PROMPT):
                exec(compile(step, "walk.md", "exec"), {})
                continue
            commands += 1
            background = step.endswith(BACKGROUND)
            words = [port if word == PORT else word for word in shlex.split(step.removeprefix(PROMPT).rstrip(" &"))]
            if background:
                process = servers.enter_context(started([*COMMAND, *words]))
                assert process.stdout is not None
                printed = [process.stdout.readline().rstrip("\n") for _ in expected]
                wait_for(lambda: Path("runs/serving/clients/service.json").exists())
            else:
                result = invoke(*words)
                printed = result.stdout.splitlines()
                assert result.exit_code == FAILS.get(printed[0].partition(":")[0] if printed else "", 0), result.stderr
            assert comparable(printed) == comparable(expected), step
    assert commands == 9
