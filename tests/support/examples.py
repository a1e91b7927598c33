"""The examples of the pages: every block of commands, Python or a file format, found and made to run.

A block that stands for a formula or a drawing is no example. A block in a language that nobody can run fails the tests,
and so does a command that neither runs as it stands nor has a rule in tests/test_examples.py.
"""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from typing import Any

import typer
from markdown_it import MarkdownIt

from mpc_tamper.cli.main import app
from tests.support.places import ROOT

PAGES = tuple(ROOT / name for name in ("README.md", "CONTRIBUTING.md")) + tuple(sorted(ROOT.glob("docs/*.md")))
PROGRAM = "mpc-tamper"
# Of a line of commands.
FIRST_WORDS = (PROGRAM, "make", "docker", "dask", "python3.11", "export", "pip", "git", "pre-commit", ".ci/run")
_ASSIGNMENT = re.compile(r"([A-Z_]+)=(\S+)")


@dataclass(frozen=True)
class Block:
    """line: of the page, from 1.  language: "" where none is named.  info: what else the fence says."""

    page: Path
    line: int
    language: str
    info: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Those that are fenced, and those that are indented, in the order of the page."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block") and token.map is not None:
            language, _, info = token.info.strip().partition(" ")
            yield Block(page, token.map[0] + 1, language or _language(token.content), info, token.content)


def _language(text: str) -> str:
    """Of a block that names none: "console" for commands, "python" for statements that call something, else ""."""
    lines = [line.removeprefix("$ ") for line in text.splitlines()]
    if any(line.partition(" ")[0] in FIRST_WORDS or _ASSIGNMENT.fullmatch(line) for line in lines):
        return "console"
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    return "mpc" if any(isinstance(node, ast.Call) for node in ast.walk(tree)) else ""


@dataclass(frozen=True)
class Command:
    """line: without its prompt and its comment.  printed: what the page says that it prints; None if it does not."""

    line: str
    printed: str | None


def commands(block: Block) -> Iterator[Command]:
    """Where a block has prompts, what is between them is printed; else each line is a command."""
    if block.text.startswith("$ "):
        for line, printed in re.findall(r"^\$ (.*)\n((?:[^$].*\n|\n)*)", block.text, flags=re.MULTILINE):
            yield Command(line, printed or None)
    else:
        for line in block.text.splitlines():
            yield Command(re.sub(r"(?:^|\s)#.*", "", line).strip(), None)


@dataclass
class Shell:
    """Turns commands into words: variables, and what stands for something in a line, such as FILE.

    stands_for: words and parts of words, and what takes their place.
    """

    stands_for: dict[str, str]
    variables: dict[str, str]

    def words(self, line: str) -> list[str]:
        """Of one command; none of an assignment, which is remembered."""
        if found := _ASSIGNMENT.fullmatch(line.removeprefix("export ")):
            self.variables[found[1]] = found[2]
            return []
        text = Template(line).safe_substitute(self.variables)
        words: list[str] = []
        for word in shlex.split(re.sub(r"\[(.*?)\]", r"\1", text) if " [" in text else text):
            words += self._word(word, words)
        return words

    def _word(self, word: str, before: list[str]) -> list[str]:
        if word == "...":
            option = before[-1] if before and before[-1].startswith("--") else ""
            return [self.stands_for[f"{option} ..."]] if option else shlex.split(self.stands_for["..."])
        if word in self.stands_for:
            return shlex.split(self.stands_for[word])
        key, equals, value = word.partition("=")
        return [f"{key}={self.stands_for.get(value, value)}"] if equals else [word]


def parse(words: list[str]) -> None:
    """As the command line does before it runs the command. Raises click's UsageErrors for what it would not take."""
    _parse(typer.main.get_command(app), PROGRAM, words)


def parse_of_dask(words: list[str]) -> None:
    """As Dask's own command line does; what follows `dask` is the name of an entry point."""
    (found,) = entry_points(group="dask_cli", name=words[0])
    _parse(found.load(), f"dask {words[0]}", words[1:])


def is_configuration(text: str) -> bool:
    """Whether a TOML file is one for --config, with a table for each command, and not the schema of a table."""
    return set(tomllib.loads(text)) <= set(typer.main.get_command(app).commands)


def tables_of(text: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The commands of a configuration, each with its options."""
    waiting = [((), tomllib.loads(text), typer.main.get_command(app))]
    while waiting:
        path, table, command = waiting.pop()
        if hasattr(command, "commands"):
            waiting += [((*path, name), inner, command.commands[name]) for name, inner in table.items()]
        else:
            yield path, table


def _parse(command: Any, name: str, words: list[str]) -> None:
    context = command.make_context(name, list(words), resilient_parsing=False)
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        name, command, arguments = command.resolve_command(context, rest)
        context = command.make_context(name, arguments, parent=context)
