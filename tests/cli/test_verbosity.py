"""-v says what is being done, on standard error, without anybody's values; completion and groups of commands."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mpc_tamper.cli.main import app
from mpc_tamper.cli.verbosity import show_log
from tests.support.processes import COMMAND

PROGRAM = "x = sint.get_input_from(0)\nprint_ln('%s', (x * 2).reveal() > 0)\n"
SECRET = 8_675_309


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logger = logging.getLogger("mpc_tamper")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    (tmp_path / "program.mpc").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "input.txt").write_text(f"{SECRET}\n", encoding="utf-8")
    given = f"0={tmp_path / 'input.txt'}"
    return ["run", str(tmp_path / "program.mpc"), "--input", given, "--run-dir", str(tmp_path / "r")]


@pytest.mark.parametrize(
    ("options", "said", "unsaid"),
    [
        ([], [], ["begins", "done"]),
        (["-v"], ["INFO", "rep3 ring: program.mpc begins", "program.mpc is done: "], ["DEBUG"]),
        (["-vv"], ["program.mpc begins", "DEBUG", "folder "], []),
        (["--verbose", "--quiet"], ["program.mpc begins"], []),
    ],
)
def test_how_much_is_said(words: list[str], options: list[str], said: list[str], unsaid: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, *options])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["1"]
    assert all(text in done.stderr for text in said)
    assert not any(text in done.stderr for text in unsaid)
    assert str(SECRET) not in done.stderr


def test_a_plan_is_told_by_its_size(words: list[str], tmp_path: Path) -> None:
    program, plan = tmp_path / "program.mpc", tmp_path / "plan"
    program.write_text(PROGRAM.replace("x * 2", "x * x"), encoding="utf-8")
    plan.write_text("additive-error-plan 1\n", encoding="utf-8")
    done = CliRunner().invoke(app, [*words, "-v", "--plan", str(plan), "--corrupt-party", "1"])
    assert "party 1 is corrupt and follows a plan of 0 errors" in done.stderr, done.output


def test_names_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    show_log(1)
    logging.getLogger("mpc_tamper.test").info("a name: %s", "\x1b[2J\n%s")
    assert "a name: \\x1b[2J\\n%s\n" in capsys.readouterr().err


def test_asked_twice_it_says_things_once(capsys: pytest.CaptureFixture[str]) -> None:
    show_log(2)
    show_log(1)
    logging.getLogger("mpc_tamper.test").info("once")
    logging.getLogger("mpc_tamper.test").debug("never")
    assert capsys.readouterr().err.count("once") == 1


def test_every_command_has_it_and_a_group() -> None:
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.rich_help_panel, name
        below = getattr(command, "commands", {name: command})
        assert all("--verbose" in [o for p in each.params for o in p.opts] for each in below.values()), name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_the_commands(shell: str) -> None:
    line = {"COMP_WORDS": "mpc-tamper mat", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "mpc-tamper mat"}
    environment = os.environ | line | {"_MPC_TAMPER_COMPLETE": f"complete_{shell}"}
    call = [sys.executable, "-c", "import sys; sys.argv[0] = 'mpc-tamper'; from mpc_tamper.cli.main import run; run()"]
    environment |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(call, env=environment, capture_output=True, text=True, check=False)
    assert "matrix" in done.stdout, (done, COMMAND)
