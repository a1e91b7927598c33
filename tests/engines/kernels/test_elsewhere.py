"""Kernels are compiled in a process of their own, and by whoever needs them only where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines import offspring
from mpc_tamper.engines.kernels import elsewhere
from tests.support.places import ROOT
from tests.support.processes import descendants, kill, words

NAME = "kernels_of_a_test"
KERNELS = """
import os, pathlib
from mpc_tamper.engines.kernels.compilation import kernel

@kernel("uint64(uint64)")
def once(x):
    return x + 1

@kernel("uint64(uint64)")
def twice(x):
    return x + 2

folder = pathlib.Path(__file__).parent
misses = sum(sum(each.stats.cache_misses.values()) for each in (once, twice))
(folder / f"{os.getpid()}.{__name__}.compiled").write_text(str(misses))
"""
# Needs them, and prints how many kernels this process has compiled.
LOAD = f"""
from mpc_tamper.engines.kernels import WhenUsed
kernels = WhenUsed("{NAME}")
assert (kernels.once(1), kernels.twice(1)) == (2, 3)
print(kernels.misses)
"""


@dataclass
class Kernels:
    """A module of two kernels. What is compiled of it is kept in a folder of the test."""

    folder: Path

    def python(self, code: str, **variables: str) -> str:
        """What a new process prints that runs this code and has the module on its search path."""
        command, environment = [sys.executable, "-c", code], self._environment(**variables)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def start(self, code: str) -> subprocess.Popen[str]:
        """A process that runs this code and waits for its standard input."""
        return subprocess.Popen(
            [sys.executable, "-c", code],
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _environment(self, **variables: str) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (self.folder, ROOT / "orchestrator"))),
            "NUMBA_CACHE_DIR": str(self.folder / "cache"),
            **variables,
        }

    def load(self, code: str = "", **variables: str) -> tuple[int, int]:
        """How many kernels a new process compiles that runs this code before it needs them, and how many another
        compiles for it."""
        here = int(self.python(code + LOAD, **variables))
        told = list(self.folder.glob("*.compiled"))
        compiled = sum(int(path.read_text()) for path in told)
        for path in told:
            path.unlink()
        return here, compiled - here


@pytest.fixture
def kernels(tmp_path: Path) -> Kernels:
    (tmp_path / f"{NAME}.py").write_text(KERNELS)
    return Kernels(tmp_path)


def test_another_process_compiles_and_this_one_loads(kernels: Kernels) -> None:
    assert kernels.load() == (0, 2)
    assert kernels.load() == (0, 0)


# Imports them in a process that ends as if it had been killed when the first one has been kept.
INTERRUPTED = f"""
import importlib, os
from numba.core.caching import FunctionCache
save = FunctionCache.save_overload
FunctionCache.save_overload = lambda *what: (save(*what), os._exit(0))
import {NAME}
"""


def test_what_an_interrupted_process_has_left_out_is_compiled_elsewhere(kernels: Kernels) -> None:
    """Numba keeps one kernel after the other."""
    kernels.python(INTERRUPTED)
    assert len(list(kernels.folder.glob(f"cache/*/**/{NAME}.*.nbi"))) == 1
    assert kernels.load() == (0, 1)
    assert kernels.load() == (0, 0)


def test_for_another_processor_they_are_compiled_elsewhere_too(kernels: Kernels) -> None:
    """A folder of theirs may be shared by machines. What was kept for the first is kept."""
    assert kernels.load() == (0, 2)
    assert kernels.load(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == (0, 2)
    assert kernels.load(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == (0, 0)
    assert kernels.load() == (0, 0)


def test_two_processes_compile_each_kernel_once(kernels: Kernels) -> None:
    """They come to the same modules in different orders."""
    others = [f"{NAME}_{number}" for number in range(3)]
    for other in others:
        (kernels.folder / f"{other}.py").write_text(KERNELS)
    kernels.python(f"""
from mpc_tamper.engines.kernels import elsewhere
elsewhere._two_have_room = lambda: True
elsewhere.compile_missing({[NAME, *others]}, lambda name: None)
""")
    told = list(kernels.folder.glob("*.compiled"))
    assert sum(int(path.read_text()) for path in told) == 2 * len([NAME, *others])
    assert {len(list(kernels.folder.glob(f"cache/*/**/{other}.*.nbi"))) for other in [NAME, *others]} == {2}


HELD = """
import sys, types
from mpc_tamper.engines.kernels import compilation
once = types.SimpleNamespace(__module__="{name}", __qualname__="once")
with (compilation._folder_of_sources() / compilation._TURNS).open("ab") as turns:
    compilation._turns.set(turns)
    with compilation._compiled_once(once):
        print("held", flush=True)
        sys.stdin.read()
"""
PATIENT = """
from mpc_tamper.engines.kernels import compilation
compilation._TURN_SECONDS = 1e6
"""


def test_nobody_waits_for_another_process_where_nothing_is_compiled(kernels: Kernels) -> None:
    """That one may be stopped while it holds a kernel."""
    assert kernels.load() == (0, 2)
    with kernels.start(HELD.format(name=NAME)) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert kernels.load(PATIENT) == (0, 0)
        holder.communicate("")


REMOVED = f"""
import shutil
from mpc_tamper.engines.kernels import WhenUsed, compilation
with compilation.kept_whole("{NAME}"):
    import {NAME}
    shutil.rmtree(compilation._folder_of_sources())
"""


def test_what_another_has_removed_is_not_taken_for_whole(kernels: Kernels) -> None:
    """As a process of other sources does that cleans up."""
    kernels.python(REMOVED)
    for path in kernels.folder.glob("*.compiled"):
        path.unlink()
    assert kernels.load() == (0, 2)


NO_PROCESS = """
import subprocess
def refuse(*words, **options):
    raise BlockingIOError
subprocess.Popen = refuse
"""
FAILS = """
from mpc_tamper.engines.kernels import elsewhere
elsewhere.__name__ = "nothing.of.this.name"
"""
UNKEPT = """
from mpc_tamper.engines.kernels import compilation
compilation.cache_folder = lambda: None
"""


@pytest.mark.parametrize("code", [NO_PROCESS, FAILS, UNKEPT], ids=["no process", "it fails", "nothing is kept"])
def test_where_no_other_process_can_who_needs_them_compiles(kernels: Kernels, code: str) -> None:
    assert kernels.load(code) == (2, 0)


def test_an_error_is_met_again_by_who_needs_them(kernels: Kernels) -> None:
    (kernels.folder / f"{NAME}.py").write_text("raise ImportError('a library is missing')")
    told = kernels.python(f"""
from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.engines.kernels import WhenUsed
try:
    WhenUsed("{NAME}").once
except EngineUnavailable as exc:
    print(exc)
""")
    assert f"{NAME}, got: a library is missing" in told


# What stands for the process that compiles, in the folder of an own package.
STUCK = """
import ctypes, os
def main(alive_fd, *modules):
    os.write(1, b"lanes\\n")
    while True:
        ctypes.PyDLL(None).pause()
"""
DIES = "import os, signal\ndef main(*_): os.kill(os.getpid(), signal.SIGABRT)\n"


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """compiler(source): the module that the process runs from now on, in this test process."""
    package = tmp_path / "mpc_tamper"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(offspring, "_PACKAGE", package)
    monkeypatch.setattr(elsewhere, "__name__", "mpc_tamper.compiler")
    monkeypatch.setattr(elsewhere, "compiles_into", lambda module: tmp_path)
    before = set(descendants(os.getpid()))
    yield (package / "compiler.py").write_text
    assert set(descendants(os.getpid())) <= before


SAYS_WHAT_IS_FIRST = """
import os, signal
def main(alive_fd, *modules):
    os.write(1, modules[0].encode() + b"\\n")
    if modules[0] in {killed}:
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(1, b"\\n" * {ends})
"""


@pytest.mark.parametrize(
    ("cores", "room", "first"),
    [
        (2, None, ["lanes", "subsets"]),
        (2, 1 << 30, ["lanes", "subsets"]),
        (1, None, ["lanes"]),
        (2, 1 << 29, ["lanes"]),
    ],
)
def test_two_compile_where_there_is_room(
    cores: int, room: int | None, first: list[str], compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From both ends, and each module is named once."""
    monkeypatch.setattr(elsewhere, "all_cores", lambda: cores)
    monkeypatch.setattr(elsewhere, "available_bytes", lambda processes: room)
    compiler(SAYS_WHAT_IS_FIRST.format(killed=[], ends=0))
    said: list[str] = []
    elsewhere.compile_missing(["lanes", "subsets"], said.append)
    assert sorted(said) == first
    elsewhere.compile_missing(["lanes", "lanes"], said.append)
    assert said[len(first) :] == ["lanes"]


@pytest.mark.parametrize("killed", ["lanes", "subsets"])
def test_one_that_is_left_is_enough(
    killed: str, compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes through all modules."""
    monkeypatch.setattr(elsewhere, "_two_have_room", lambda: True)
    compiler(SAYS_WHAT_IS_FIRST.format(killed=[killed], ends=1))
    elsewhere.compile_missing(["lanes", "subsets"], lambda name: None)


ONE_HANGS = """
import os, time
def main(alive_fd, *modules):
    if modules[0] == "subsets":
        time.sleep(10**6)
    os.write(1, b"\\n")
"""


def test_one_that_has_done_all_is_enough(compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one may be stopped."""
    monkeypatch.setattr(elsewhere, "_two_have_room", lambda: True)
    compiler(ONE_HANGS)
    elsewhere.compile_missing(["lanes", "subsets"], lambda name: None)


def test_what_killed_the_compiler_is_told(compiler: Callable[[str], None]) -> None:
    """What was too much for it, such as of memory, would be too much for this process."""
    compiler(DIES)
    with pytest.raises(EngineUnavailable, match=r"expected to compile the kernels lanes, subsets, got .* by SIGABRT"):
        elsewhere.compile_missing(["a.b.lanes", "a.b.subsets"])
    compiler(STUCK)
    with pytest.raises(EngineUnavailable, match=r"expected to compile the kernels lanes, got .* by SIGKILL"):
        elsewhere.compile_missing(["a.b.lanes", "a.b.subsets"], kill_the_compiler)


def kill_the_compiler(_: str) -> None:
    kill(child for child in descendants(os.getpid()) if b"mpc_tamper.compiler" in words(child))


def test_an_interrupt_ends_it_though_it_hangs(compiler: Callable[[str], None]) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    compiler(STUCK)
    with pytest.raises(KeyboardInterrupt):
        elsewhere.compile_missing(["a.b.lanes"], interrupt)
