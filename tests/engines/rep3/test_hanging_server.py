"""A fork server, a party, or what compiles kernels, that hangs: the command gives up, and nothing outlives the command,
not even in C code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpc_tamper.core.errors import PartyError
from mpc_tamper.core.notices import told_to
from mpc_tamper.engines.certificates import make_certificate
from mpc_tamper.engines.rep3 import launcher
from mpc_tamper.engines.rep3.engine import Rep3Engine
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import RunSpec
from tests.support.places import ROOT
from tests.support.processes import COMMAND, descendants, parents, started, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

# Stuck in C code that holds Python's lock, where neither a thread nor a handler of signals gets its turn.
STUCK = """
import ctypes, os, pathlib
pathlib.Path({told!r}, str(os.getpid())).write_text("stuck")
while True:
    ctypes.PyDLL(None).pause()
"""
ONE_NUMBER = "print_ln('%s', sint(3).reveal())\n"
PRODUCT = "x = sint.Matrix(1, 1)\nx.assign_all(3)\nprint_ln('%s', x.dot(x)[0][0].reveal())\n"


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with a file for each process that is stuck, named by its id."""
    folder = tmp_path / "told"
    folder.mkdir()
    return folder


@pytest.fixture
def hanging_library(tmp_path: Path, told: Path) -> Path:
    """A folder for PYTHONPATH in which to import Numba is to hang."""
    folder = tmp_path / "libraries"
    folder.mkdir()
    (folder / "numba.py").write_text(STUCK.format(told=str(told)))
    return folder


# Reached by the search path: to import Numba hangs, but in the process that compiles alone.
HANGING_COMPILER = """
import sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "numba":
            exec({stuck!r})
if "mpc_tamper.engines.kernels.elsewhere" in sys.orig_argv:
    sys.meta_path.insert(0, Finder)
"""


@pytest.fixture
def hanging_compiler(tmp_path: Path, told: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for PYTHONPATH with which the process that compiles hangs; and nothing is compiled yet."""
    folder = tmp_path / "compiler"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HANGING_COMPILER.format(stuck=STUCK.format(told=str(told))))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def stuck(told: Path) -> list[int]:
    return [int(path.name) for path in told.iterdir()]


def run_command(program: Path, path: Path) -> tuple[list[str], list[str]]:
    """The words of a command that runs the program, and what starts it with this folder on the search path."""
    words = [*COMMAND, "run", str(program), "--run-dir", str(program.with_name("run"))]
    return words, ["env", f"PYTHONPATH={path}:{ROOT / 'orchestrator'}"]


def check_that_it_ends_with(
    words: list[str], under: list[str], told: Path, number: signal.Signals, stopped: bool
) -> None:
    """The process that is stuck, with the command that started it, which gets this signal. stopped: it is that, too."""
    with started(words, cwd=told.parent, under=under) as process:
        wait_for(lambda: stuck(told))
        (pid,) = stuck(told)
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        process.send_signal(number)
        assert process.wait(240) != 0
        wait_for(lambda: pid not in parents())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stopped", [False, True])
def test_a_server_that_hangs_ends_with_its_command(
    tmp_path: Path, told: Path, hanging_library: Path, number: signal.Signals, stopped: bool
) -> None:
    program = tmp_path / "program.mpc"
    program.write_text(PRODUCT)
    words, under = run_command(program, hanging_library)
    check_that_it_ends_with(words, under, told, number, stopped)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("alone", [False, True], ids=["three parties", "one party"])
def test_what_compiles_ends_with_the_command(
    tmp_path: Path, told: Path, hanging_compiler: Path, number: signal.Signals, stopped: bool, alone: bool
) -> None:
    """Started by the server of parties, or by the command that is a party on a host of its own."""
    program = tmp_path / "program.mpc"
    program.write_text(PRODUCT)
    words, under = run_command(program, hanging_compiler)
    if alone:
        for party in range(PARTIES):
            make_certificate(party, tmp_path)
        (tmp_path / "hosts").write_text("127.0.0.1:14000\n127.0.0.1:14001\n127.0.0.1:14002\n")
        own = ("--party", "0", "--hosts", "hosts", "--key", "party0.key", "--certificates", ".")
        words = [*COMMAND, "party", str(program), "--run-dir", "run", *own]
    check_that_it_ends_with(words, under, told, number, stopped)


def test_parties_that_hang_end_with_their_command(tmp_path: Path, told: Path) -> None:
    program = tmp_path / "program.mpc"
    program.write_text(STUCK.format(told=str(told)))
    words, under = run_command(program, tmp_path)
    with started(words, cwd=tmp_path, under=under) as process:
        wait_for(lambda: len(stuck(told)) == 3)
        assert set(stuck(told)) <= set(descendants(process.pid))
        process.kill()
        wait_for(lambda: not parents().keys() & set(stuck(told)))


@pytest.fixture
def fresh_server() -> Iterator[None]:
    """None of before, and none is left."""
    launcher._current.end()
    yield
    launcher._current.end()


def run(folder: Path, name: str, source: str) -> tuple[str, ...]:
    program = folder / f"{name}.mpc"
    program.write_text(source)
    return Rep3Engine().run(RunSpec(program, run_dir=folder / name)).lines


def test_a_server_that_hangs_in_a_library_is_given_up(
    tmp_path: Path, told: Path, hanging_library: Path, monkeypatch: pytest.MonkeyPatch, fresh_server: None
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(hanging_library))
        assert run(tmp_path, "first", ONE_NUMBER) == ("3",)
        patch.setattr(launcher, "SILENT_SECONDS", 1.0)
        with pytest.raises(PartyError, match=r"no sign of it for 1 s; the last one was: loading the kernels matmul"):
            run(tmp_path, "second", PRODUCT)
    (server,) = stuck(told)
    wait_for(lambda: server not in parents())
    assert run(tmp_path, "third", PRODUCT) == ("9",)


def test_a_compiler_that_hangs_is_given_up_with_its_server(
    tmp_path: Path, told: Path, hanging_compiler: Path, monkeypatch: pytest.MonkeyPatch, fresh_server: None
) -> None:
    def lose_patience() -> None:
        wait_for(lambda: stuck(told))
        monkeypatch.setattr(launcher, "SILENT_SECONDS", 1.0)

    monkeypatch.setenv("PYTHONPATH", str(hanging_compiler))
    thread = threading.Thread(target=lose_patience)
    thread.start()
    notices: list[str] = []
    with (
        told_to(notices.append),
        pytest.raises(PartyError, match=r"no sign of it for 1 s; the last one was: compiling the kernels matmul"),
    ):
        run(tmp_path, "first", PRODUCT)
    assert notices == ["compiling the kernels matmul, once for all runs"]
    thread.join()
    (compiler,) = stuck(told)
    wait_for(lambda: compiler not in parents())


def test_a_server_that_is_stopped_during_a_run_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_server: None
) -> None:
    """The parties may end well meanwhile: only the server can say so."""
    assert run(tmp_path, "first", ONE_NUMBER) == ("3",)
    server = launcher.get_launcher().pid
    monkeypatch.setattr(launcher, "SILENT_SECONDS", 2.0)
    with pytest.raises(PartyError, match=r"no sign of it for 2 s; the last one was: waiting for work"):
        run(tmp_path, "second", "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)\n")
    assert server not in parents()


def test_a_request_that_finds_no_room_is_given_up_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_server: None
) -> None:
    """A server that is stopped reads nothing, and a large environment does not fit into the socket."""
    assert run(tmp_path, "first", ONE_NUMBER) == ("3",)
    os.kill(launcher.get_launcher().pid, signal.SIGSTOP)
    monkeypatch.setattr(launcher, "SILENT_SECONDS", 0.5)
    for number in range(10):
        monkeypatch.setenv(f"LARGE_{number}", "x" * 100_000)
    with pytest.raises(PartyError, match=r"no sign of it for 0\.5 s"):
        run(tmp_path, "second", ONE_NUMBER)


def test_a_server_that_answers_is_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_server: None
) -> None:
    asked: list[str] = []
    check = launcher.Launcher.check

    def count(server: launcher.Launcher) -> None:
        check(server)
        asked.append(server._doing)
        if len(asked) == 4:
            (tmp_path / "go on").touch()

    monkeypatch.setattr(launcher.Launcher, "check", count)
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'go on')!r}).exists():\n    time.sleep(0.05)\n"
    )
    assert run(tmp_path, "waits", waits + ONE_NUMBER) == ("3",)
    assert len(asked) >= 4
    assert launcher.get_launcher().lives()
