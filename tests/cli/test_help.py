"""What --help says: whole sentences, of every command and every option."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from mpc_tamper.cli.main import app
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.runs.protocols import EngineName, ProtocolName

# A sentence or more, then what --help adds in brackets or parentheses.
SENTENCES = re.compile(r"[A-Z].*[.?](?: [(\[]default: .*[)\]])?", re.DOTALL)
FRAGMENTS = ("Of ", "To ", "In ", "With ", "For ", "And ")
FEWEST_WORDS = 4
OF_CLICK = {"help"}


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    for name, command in group.commands.items():
        yield " ".join((*path, name)), command
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))


GROUP = typer.main.get_command(app)
ALL = dict(commands(GROUP))
PARAMETERS = {
    f"{name} {parameter.opts[0]}": parameter
    for name, command in {"": GROUP, **ALL}.items()
    for parameter in command.params
    if parameter.name not in OF_CLICK
}


def is_prose(text: str) -> bool:
    whole = bool(SENTENCES.fullmatch(text)) and not text.startswith(FRAGMENTS)
    return whole and len(text.split()) >= FEWEST_WORDS


@pytest.mark.parametrize("name", ALL)
def test_a_command_says_what_it_does_in_sentences(name: str) -> None:
    text = " ".join((ALL[name].help or "").split())
    assert is_prose(text), text


@pytest.mark.parametrize("name", PARAMETERS)
def test_an_option_says_what_it_is_in_sentences(name: str) -> None:
    text = getattr(PARAMETERS[name], "help", None) or ""
    assert is_prose(text), text


def test_the_help_of_protocol_has_those_of_the_built_in_engines() -> None:
    """It is written out, because engines are not imported for --help."""
    text = PARAMETERS["train --protocol"].help  # type: ignore[attr-defined]
    for name, words in ((EngineName.REP3, text.partition(" on rep3")[0]), (EngineName.CLEAR, text.partition(",")[2])):
        said = {protocol for protocol in ProtocolName if protocol in words.split(" on ")[0].replace("(", " ").split()}
        assert said == get_engine(name).capabilities.protocols


OLD_NAMES = {
    "verify": {"--rows": "--tests", "--certificate": "--robustness"},
    "matrix": {"--dataset": "--data"},
    "rerun": {"--dataset": "--data"},
    "serve": {"--port-base": "--client-port", "--clients": "--known-clients"},
    "contribute": {"--rows": "--only-rows"},
}
RENAMED = [(command, old, new) for command, names in OLD_NAMES.items() for old, new in names.items()]


@pytest.mark.parametrize(("command", "old", "new"), RENAMED)
def test_old_names_of_options_still_work(command: str, old: str, new: str) -> None:
    assert f"{command} {new}" in PARAMETERS
    assert f"{command} {old}" not in PARAMETERS
    wrong = CliRunner().invoke(app, [command, f"{old}=", "--", old])
    note = f"{old} is now called {new}; the old name still works"
    assert wrong.output.count(note) == 1
    assert "No such option" not in wrong.output


def test_the_version_is_an_option_too() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.output == CliRunner().invoke(app, ["version"]).output
