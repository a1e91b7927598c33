"""Programs and data are found in a checkout and in the built wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import UsageError
from tests.support.places import ROOT

REPORT = """
import mpc_tamper
from mpc_tamper.core import bundle
from mpc_tamper.datasets import load_task
print(mpc_tamper.__file__)
print(bundle.program("svm_train.mpc"))
print(load_task("mnist_0_1").x_train.shape)
"""


def test_in_a_checkout() -> None:
    assert bundle.root() == ROOT
    assert bundle.program("svm_train.mpc") == ROOT / "Programs" / "Source" / "svm_train.mpc"
    assert bundle.document("README.md") == ROOT / "README.md"
    with pytest.raises(UsageError, match=r"expected Programs/Source/nix\.mpc with the software"):
        bundle.program("nix.mpc")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, timeout=240)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_wheel_holds_what_the_programs_need_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    inside = {name.removeprefix("mpc_tamper/_bundle/") for name in names if "_bundle/" in name}
    assert "README.md" in inside
    templates = ROOT / "orchestrator" / "mpc_tamper" / "report" / "page" / "templates"
    assert {f"mpc_tamper/report/page/templates/{path.name}" for path in templates.iterdir()} <= names
    for folder in ("Programs", "patches"):
        expected = {str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*") if p.is_file()}
        assert {name for name in inside if name.startswith(folder)} == expected
    assert {name for name in inside if name.startswith("data")} == {
        "data/LICENSE",
        "data/mnist_0_1.npz",
        "data/mnist.npz",
    }
    assert not any(name.startswith(("tests", "results")) or "__pycache__" in name for name in names)


@pytest.mark.slow
def test_wheel_works_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Dependencies come from this environment; the package itself from the wheel."""
    target, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True, timeout=240)

    def python(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=empty,
            env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"},
            check=True,
            timeout=240,
            capture_output=True,
            text=True,
        ).stdout

    assert "reproduce" in python("-m", "mpc_tamper.cli.main", "--help")
    assert python("-c", REPORT).splitlines() == [
        str(target / "mpc_tamper" / "__init__.py"),
        str(target / "mpc_tamper" / "_bundle" / "Programs" / "Source" / "svm_train.mpc"),
        "(12665, 784)",
    ]
    assert not any(empty.iterdir())
