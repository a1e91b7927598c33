"""Write files whole or not at all; say what stands at a path. What the system refuses becomes a UsageError."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpc_tamper.core.errors import UsageError

_ATTEMPTS = 3


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes its place, on failure it is removed."""
    with reported(path, "a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes, *, public: bool = False) -> None:
    """Readable by its owner alone, unless public."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.chmod(0o644 if public else 0o600)


def private(path: str, flags: int) -> int:
    """An opener for open(): a new file is readable by its owner alone."""
    return os.open(path, flags, 0o600)


def make_folder(folder: Path) -> None:
    """The folder, open to its owner alone where it is new, and those above it."""
    with reported(folder, "a folder that can be made"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def check_folder(folder: Path) -> None:
    """Before hours of work: raises UsageError unless files can be written in the folder. Leaves nothing behind."""
    with reported(folder, "a folder that can be written"):
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                _write_something(folder)
                return
            except FileNotFoundError:  # another process that checks may just have removed what it had made
                if not attempts_left:
                    raise


def what_is(path: Path) -> str:
    """For messages about a path that is not what was expected."""
    for holds, name in (
        (path.is_dir, "a folder"),
        (path.is_file, "a file"),
        (path.is_char_device, "a device"),
        (path.is_block_device, "a device"),
        (path.is_fifo, "a pipe"),
        (path.is_socket, "a socket"),
        (path.is_symlink, "a link to nothing"),
    ):
        if holds():
            return name
    return "no such file"


@contextmanager
def reported(path: Path, expected: str) -> Iterator[None]:
    """What the system refuses of a path becomes a UsageError. expected: what it would have had to be."""
    try:
        yield
    except OSError as exc:
        raise UsageError(f"{path}: expected {expected}, got: {exc.strerror or exc}; choose another place") from exc


def _write_something(folder: Path) -> None:
    made: list[Path] = []
    try:
        for path in reversed((folder, *folder.parents)):
            with contextlib.suppress(FileExistsError):
                if not path.exists():
                    path.mkdir()
                    made.append(path)
        with tempfile.TemporaryFile(dir=folder):
            pass
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()
