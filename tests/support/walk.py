"""docs/walk.md as steps that run: Python code, and commands with the lines that they print.

Where commands are to print something else, `PYTHONPATH=.:orchestrator python -m tests.support.walk` writes it there.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from tests.support.places import ROOT
from tests.support.ports import free_ports
from tests.support.processes import COMMAND, started, wait_for

PAGE = ROOT / "docs" / "walk.md"
PROMPT, BACKGROUND = "$ mpc-tamper ", " &"
_PORT = "15000"  # on the page; a free one here
_BLOCKS = re.compile(r"^```python\n(.*?)^```|((?:^    [^\n]*\n)+)", flags=re.DOTALL | re.MULTILINE)
_READY = Path("runs", "serving", "clients", "service.json")


@dataclass(frozen=True)
class Step:
    """text: Python code, or a command with its prompt.  lines: what it prints on standard output; none of code."""

    text: str
    lines: tuple[str, ...] = ()
    exit_code: int = 0

    @property
    def is_command(self) -> bool:
        return self.text.startswith(PROMPT)


def steps() -> Iterator[Step]:
    """As the page has them. A verdict of "fail" is exit code 1."""
    for code, block in _BLOCKS.findall(PAGE.read_text(encoding="utf-8")):
        if code:
            yield Step(code)
        else:
            command, *lines = [line[4:] for line in block.splitlines()]
            yield Step(command, tuple(lines), int(lines[0].startswith("fail:")))


def run_steps() -> Iterator[Step]:
    """The same steps, run in this folder, with what they print now; a command that ends in & goes on to the end."""
    from mpc_tamper.cli.main import app

    port = str(free_ports())
    with contextlib.ExitStack() as servers:
        for step in steps():
            command = step.text.removeprefix(PROMPT).removesuffix(BACKGROUND)
            words = [port if word == _PORT else word for word in shlex.split(command)] if step.is_command else []
            if not step.is_command:
                exec(compile(step.text, PAGE.name, "exec"), {})
                yield step
            elif step.text.endswith(BACKGROUND):
                process = servers.enter_context(started([*COMMAND, *words]))
                assert process.stdout is not None
                printed = [process.stdout.readline().rstrip("\n") for _ in step.lines]
                wait_for(_READY.exists)
                yield Step(step.text, tuple(printed))
            else:
                result = CliRunner().invoke(app, words, catch_exceptions=False)
                yield Step(step.text, tuple(result.stdout.splitlines()), result.exit_code)


def comparable(lines: tuple[str, ...]) -> list[str]:
    """Without seconds."""
    return [re.sub(r"^(seconds +)[\d.]+$", r"\1-", line) for line in lines]


def _write() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = [step for step in run_steps() if step.is_command]
    for before, now in zip((step for step in steps() if step.is_command), found, strict=True):
        if comparable(before.lines) != comparable(now.lines):
            old, new = ("".join(f"    {line}\n" for line in (step.text, *step.lines)) for step in (before, now))
            page = page.replace(old, new)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    _write()
