"""A user who is not the one who installed the software: no home, an installation that cannot be written.

It takes root to become another user. That user may read everything here, as tests of root's are not open to others, but
write nothing but its own folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mpc_tamper
from mpc_tamper.datasets import Task
from mpc_tamper.engines.kernels.compilation import _folder_of_sources

PACKAGE = Path(mpc_tamper.__path__[0])
NOBODY = 65534
CAPABILITY = "+dac_read_search"

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user"),
    pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux"),
]
PROGRAM = "print_ln('%s', sint(3).greater_than(2, 8).reveal())\n"  # with kernels that are compiled in some seconds


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package alone, root's, without anything compiled."""
    folder = tmp_path_factory.mktemp("installation")
    shutil.copytree(PACKAGE, folder / "mpc_tamper", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The one folder that the user can write."""
    folder = tmp_path / "own"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


def as_nobody(
    installed: Path, folder: Path, *words: str | Path, user: int = NOBODY, **variables: str
) -> subprocess.CompletedProcess[str]:
    become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    become += [f"--inh-caps={CAPABILITY}", f"--ambient-caps={CAPABILITY}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), "TMPDIR": str(folder), **variables}
    return subprocess.run(
        [*become, sys.executable, "-P", *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def command(installed: Path, folder: Path, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return as_nobody(installed, folder, "-m", "mpc_tamper.cli.main", *words, **variables)


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "/", "/proc/nothing"])
def test_a_program_runs_without_a_home(installed: Path, own: Path, home: str | None) -> None:
    (own / "one.mpc").write_text(PROGRAM)
    variables = {} if home is None else {"HOME": home}
    done = command(installed, own, "run", "one.mpc", "-q", **variables)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert not list(installed.rglob("__pycache__"))
    assert list((own / f"mpc-tamper-{NOBODY}").rglob("*.nbi")), "kernels are compiled once and kept"


def lend_kernels(own: Path) -> None:
    """What has been compiled of this checkout, where that user's are kept, as compiling all of them takes minutes."""
    kept = _folder_of_sources()
    if kept is not None and kept.exists():
        folder = own / f"mpc-tamper-{NOBODY}"
        shutil.copytree(kept, folder / kept.name)
        folder.chmod(0o700)
        for each in (folder, *folder.rglob("*")):
            os.chown(each, NOBODY, NOBODY)


def test_a_verdict_needs_a_place_to_be_counted(own: Path, tiny_task: Task) -> None:
    """And says which, in a line, without one. This is the checkout, with the programs that come with it."""
    installed = PACKAGE.parent
    lend_kernels(own)
    t = tiny_task
    np.savez(own / "d.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    trained = command(installed, own, "train", "--data", "d.npz", "--iterations", "2", "--run-dir", "model", "-q")
    assert (trained.returncode, trained.stderr) == (0, "")
    verify = ("verify", "model", "--data", "d.npz", "-q")
    refused = command(installed, own, *verify, HOME="/proc/nothing")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "expected a folder in which verdicts can be counted" in line
    assert "set MPC_TAMPER_STATE" in line
    counted = command(installed, own, *verify, MPC_TAMPER_STATE=str(own / "state"))
    assert counted.returncode in (0, 1), counted.stderr
    assert list((own / "state" / "verdicts").iterdir())


def test_a_user_whom_the_system_does_not_know(installed: Path, own: Path) -> None:
    """Such as in a container that is started with a number: there is no home to look up either."""
    user = next(number for number in range(60_000, 2**31) if not _is_known(number))
    os.chown(own, user, user)
    (own / "one.mpc").write_text("print_ln('%s', (sint(3) * 4).reveal())\n")
    done = as_nobody(installed, own, "-m", "mpc_tamper.cli.main", "run", "one.mpc", "-q", user=user)
    assert (done.returncode, done.stdout, done.stderr) == (0, "12\n", "")


def test_figures_are_drawn_without_a_word_about_folders(installed: Path, own: Path) -> None:
    code = (
        "import sys; from mpc_tamper.cli import main; main.app = lambda: None; main.run(); "
        "import mpc_tamper.report.figure1"
    )
    done = as_nobody(installed, own, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def _is_known(number: int) -> bool:
    import pwd

    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True
