"""Where the programs, the patches, the data and the README that travel with the software are.

In a checkout they stand beside the package; a wheel carries them inside it (pyproject.toml, force-include).
"""

from __future__ import annotations

from pathlib import Path

from mpc_tamper.core.errors import UsageError

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / "_bundle"


def root() -> Path:
    """The folder that holds Programs/, patches/ and data/."""
    return _IN_WHEEL if _IN_WHEEL.is_dir() else _PACKAGE.parents[1]


def program(name: str) -> Path:
    """The path of Programs/Source/<name>, such as 'svm_train.mpc'."""
    return _existing(Path("Programs", "Source", name))


def programs(pattern: str) -> list[Path]:
    """Those whose name fits, such as '*_verify.mpc'."""
    return sorted((root() / "Programs" / "Source").glob(pattern))


def data_file(name: str) -> Path:
    return _existing(Path("data", name))


def document(name: str) -> Path:
    """A page of the top folder: README.md."""
    return _existing(Path(name))


def _existing(relative: Path) -> Path:
    path = root() / relative
    if not path.is_file():
        raise UsageError(f"expected {relative} with the software, got no such file at {path}; install mpc-tamper again")
    return path
