"""An interrupt ends a command in one line and one exit code, wherever it strikes and however often it comes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.processes import started

# Each defines a `command` in place of the application.
SWALLOWED = """
class Interrupts:
    def __del__(self):
        signal.raise_signal(signal.{signal})

def command():
    del kept[0]
    time.sleep(60)

kept = [Interrupts()]
"""
BEFORE_THE_WORDS_ARE_READ = """
def command():
    signal.raise_signal(signal.{signal})
"""
WHILE_THEY_ARE_READ = """
class Group(main.ReportingGroup):
    def parse_args(self, ctx, args):
        signal.raise_signal(signal.{signal})

def command():
    Group(name="mpc-tamper").main(args=["run"])
"""
AGAIN_WHILE_IT_CLEANS_UP = """
def command():
    try:
        signal.raise_signal(signal.{signal})
    finally:
        signal.raise_signal(signal.{signal})
        signal.raise_signal(signal.SIGTERM)
        print("cleaned up", flush=True)
"""
AT_THE_END = """
def command():
    def end():
        signal.raise_signal(signal.{signal})
        print("cleaned up", flush=True)
    atexit.register(end)
"""
PREAMBLE = "import signal, time\nfrom mpc_tamper.cli import main\n"


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("command", "printed"),
    [
        pytest.param(SWALLOWED, "", id="where Python prints the exception and goes on"),
        pytest.param(BEFORE_THE_WORDS_ARE_READ, "", id="before the words are read"),
        pytest.param(WHILE_THEY_ARE_READ, "", id="while they are read"),
        pytest.param(AGAIN_WHILE_IT_CLEANS_UP, "cleaned up\n", id="again"),
    ],
)
def test_an_interrupt_is_one_line(command: str, printed: str, signal: str, tmp_path: Path) -> None:
    code = PREAMBLE + command.replace("{signal}", signal) + "\nmain.app = command\nmain.run()\n"
    with started([sys.executable, "-c", code], cwd=tmp_path) as process:
        out, said = process.communicate(timeout=240)
    assert (process.returncode, out, said) == (130, printed, "interrupted\n")


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_after_the_work_is_no_fault(signal: str, tmp_path: Path) -> None:
    code = "import atexit\n" + PREAMBLE + AT_THE_END.replace("{signal}", signal) + "\nmain.app = command\nmain.run()\n"
    with started([sys.executable, "-c", code], cwd=tmp_path) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "cleaned up\n", "")
