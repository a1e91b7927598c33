"""Processes that run a module of this package: of no other one, with nothing of this process but its environment."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mpc_tamper.engines import offspring
from mpc_tamper.engines.offspring import Offspring
from tests.support.processes import parents, wait_for


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """package(source): what the module mpc_tamper.work of a package of the test's own is."""
    folder = tmp_path / "mpc_tamper"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.setattr(offspring, "_PACKAGE", folder)

    def write(source: str) -> None:
        (folder / "work.py").write_text(source)

    return write


def output(*arguments: str) -> str:
    process = Offspring("mpc_tamper.work", *arguments, stdout=subprocess.PIPE, text=True)
    try:
        return process.process.communicate(timeout=240)[0]
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, None),
        *(("", None), (":", None), (":/none", "/none"), ("/none:", "/none"), ("other:/none", "{here}/other:/none")),
    ],
)
def test_nothing_is_imported_from_the_working_folder(
    package: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str | None,
    expected: str | None,
) -> None:
    hostile = tmp_path / "working"
    (hostile / "mpc_tamper").mkdir(parents=True)
    for name in ("mpc_tamper/__init__", "json", "random"):
        (hostile / f"{name}.py").write_text("raise SystemExit('a module of the working folder was imported')\n")
    monkeypatch.chdir(hostile)
    if path is None:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONPATH", path)
    package("import json, os, random\ndef main(_, *words): print(os.environ.get('PYTHONPATH'), *words)\n")
    assert output("one", "two") == f"{expected and expected.format(here=hostile)} one two\n"


def test_another_package_of_that_name_is_not_run(
    package: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shadow" / "mpc_tamper").mkdir(parents=True)
    (tmp_path / "shadow" / "mpc_tamper" / "__init__.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    package("def main(_): print('the right one')\n")
    assert output() == "the right one\n"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks at descriptors in /proc")
def test_it_has_no_descriptor_of_this_process(package: Callable[[str], None]) -> None:
    """Its input, output and errors, the pipe that tells the end, and the list itself."""
    package("import os\ndef main(alive_fd): print(*os.listdir('/proc/self/fd'), 'and', alive_fd)\n")
    ends = os.pipe()
    for end in ends:
        os.set_inheritable(end, True)
    held, _, alive = output().strip().rpartition(" and ")
    for end in ends:
        os.close(end)
    assert {"0", "1", "2", alive} <= set(held.split())
    assert len(held.split()) == 5


def test_it_outlives_the_thread_that_started_it_and_ends_when_it_is_let_go(package: Callable[[str], None]) -> None:
    """Stuck in C code that holds Python's lock."""
    package("import ctypes\ndef main(_):\n    print('here', flush=True)\n    while True: ctypes.PyDLL(None).pause()\n")
    started: list[Offspring] = []

    def start() -> None:
        started.append(Offspring("mpc_tamper.work", stdout=subprocess.PIPE, text=True))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    process = started[0].process
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert process.pid in parents()
        assert process.poll() is None
        started[0].let_go()
        assert process.wait(240) != 0
    started[0].kill()
    wait_for(lambda: process.pid not in parents())


@pytest.mark.parametrize("name", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR"])
def test_folders_are_those_that_this_process_means(
    package: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The process that starts the parties works in /."""
    package("import os\ndef main(*_): print(os.environ.get(os.environ['NAMED']))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAMED", name)
    for given, meant in (("kept", str(tmp_path / "kept")), ("/tmp/kept", "/tmp/kept"), ("", "")):
        monkeypatch.setenv(name, given)
        assert output().strip() == meant
    monkeypatch.delenv(name)
    assert output().strip() == "None"
