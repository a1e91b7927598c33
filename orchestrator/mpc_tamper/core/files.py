"""Read and decode a user's files, write files whole or not at all, say what stands at a path.

Nothing here lets an exception of the system, or of a library that decodes, through: what is refused becomes a
UsageError of one line. Questions about a path (is_file and its kin) have answers for every path, such as one below a
folder that may not be entered, a name that is too long, or links that lead in a circle.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import stat
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeGuard

from mpc_tamper.core.errors import DataError, TamperError, UsageError

_LOG = logging.getLogger(__name__)
NOTHING = "no such file"  # what what_is() says of a path without anything
_ATTEMPTS = 3
_BLOCK = bytes(4096)
_PREFIX, _LONGEST_SUFFIX = 20, 16  # of the temporary name of a file, whose own may be as long as names may be
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
_REFUSALS = {
    errno.EACCES: "a place that you may not look at",
    errno.ENAMETOOLONG: "a name that is too long",
    errno.ELOOP: "links that lead in a circle",
}


def read_file(path: Path, expected: str, *, error: type[UsageError] = DataError, largest: int | None = None) -> bytes:
    """All bytes of a user's file. expected: what it should be.  largest: refuse more bytes than this.

    Raises the error, a line with the path and the reason.
    """
    try:
        with open(path, "rb") as file:
            content = file.read() if largest is None else file.read(largest + 1)
    except (OSError, ValueError, MemoryError) as exc:
        raise error(f"{path}: expected {expected}, got {_reason(path, exc)}; check the path") from exc
    if largest is not None and len(content) > largest:
        raise error(f"{path}: expected {expected}, of at most {largest:,} bytes, got more; check the path")
    return content


def read_text_file(path: Path, expected: str, *, error: type[UsageError] = DataError) -> str:
    """As read_file, in UTF-8; a byte-order mark at its beginning is no part of the text."""
    content = read_file(path, expected, error=error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise error(
            f"{path}: expected {expected}, in UTF-8, got byte {exc.start} that is none; save it as UTF-8"
        ) from exc


@contextmanager
def decoding(
    path: Path, expected: str, advice: str, *, part: str | None = None, error: type[UsageError] = DataError
) -> Iterator[None]:
    """Around a library that makes sense of a user's bytes: whatever it raises becomes the error, in one line.

    part: of the file.

    Such libraries document some of what they raise: NumPy alone lets through what zipfile, zlib, lzma and its own
    parser of headers raise, RuntimeError, NotImplementedError, struct.error and MemoryError among it.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # what it warns of, it still reads
            yield
    except TamperError:
        raise
    except Exception as exc:
        words = " ".join(str(exc).split())[:200]
        reason = f"{type(exc).__name__}: {words}" if words else type(exc).__name__
        where = str(path) if part is None else f"{path}: {part}"
        raise error(f"{where}: expected {expected}, got a file that does not read ({reason}); {advice}") from exc


def is_file(path: Path) -> bool:
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)


def exists(path: Path) -> bool:
    return os.path.exists(path)


def same_place(first: Path, second: Path) -> bool:
    """Whether two paths lead to one file or folder, be it there or not."""
    return os.path.realpath(first) == os.path.realpath(second)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes its place, on failure it is removed."""
    with reported(path, "a file that can be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = path.suffix if len(path.suffix) <= _LONGEST_SUFFIX else ""
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:_PREFIX]}.", suffix=suffix, dir=path.parent)
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
    _LOG.debug("written: %s", path)


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


def check_space(folder: Path, size: int, what: str) -> None:
    """Raises UsageError where the disk of an existing folder has no room for so many bytes.  what: they are."""
    with reported(folder, "a folder that can be read"):
        free = shutil.disk_usage(folder).free
    if free < size:
        raise UsageError(
            f"{folder}: expected {_in_units(size)} of free space for {what}, got {_in_units(free)}; free some space, "
            "or choose another place"
        )


def _in_units(size: int) -> str:
    """Bytes as one reads them: 1.25 GB, 3.10 MB, 6.20 kB, 512 bytes."""
    for unit, each in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= each:
            return f"{size / each:,.2f} {unit}"
    return f"{size} bytes"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """This process's alone for a run: another one that comes meanwhile is refused before it changes anything."""
    with reported(folder, "a folder that can be read"):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise UsageError(
                    f"{folder}: expected a folder that no other run uses, got one in use; choose another"
                ) from exc
        yield
    finally:
        os.close(handle)


@contextmanager
def held_if_used(folder: Path) -> Iterator[None]:
    """As held(), for a run that may leave nothing: folders that were made for it go again if they stay empty."""
    made = [path for path in (folder, *folder.parents) if not exists(path)]
    make_folder(folder)
    try:
        with held(folder):
            yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def what_is(path: Path) -> str:
    """For messages about a path that is not what was expected."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "a link to nothing" if os.path.islink(path) else NOTHING
    except (OSError, ValueError) as exc:
        return _reason(path, exc)
    return next((name for holds, name in _KINDS if holds(mode)), "something else")


@contextmanager
def reported(path: Path, expected: str) -> Iterator[None]:
    """What the system refuses of a path becomes a UsageError. expected: what it would have had to be."""
    try:
        yield
    except OSError as exc:
        raise UsageError(f"{path}: expected {expected}, got: {exc.strerror or exc}; {_way_out(exc)}") from exc
    except ValueError as exc:
        if "null" not in str(exc):
            raise
        raise UsageError(f"{path}: expected {expected}, got: {exc}; choose another place") from exc


def system_failure(exc: OSError) -> str:
    """What the system refused and of what, and what to do, for a failure that nothing else has put into words."""
    names = [str(name) for name in (exc.filename, exc.filename2) if isinstance(name, str | Path)]
    return f"{': '.join([*names[:1], exc.strerror or str(exc)])}; {_way_out(exc)}"


def is_of_room(exc: BaseException) -> TypeGuard[OSError]:
    """Whether it says that a disk is full, or that the user may fill no more of it."""
    return isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)


def _way_out(exc: OSError) -> str:
    if is_of_room(exc):
        return "free some space, or choose another place"
    if exc.errno in (errno.EMFILE, errno.ENFILE):
        return "allow more open files (ulimit -n)"
    if exc.errno in (errno.ENOMEM, errno.EAGAIN):
        return "free some memory, or end other processes"
    return "choose another place"


def _reason(path: Path, exc: Exception) -> str:
    """In words that fit behind 'got'."""
    if isinstance(exc, OSError):
        if isinstance(exc, FileNotFoundError) and os.path.islink(path):
            return "a link to nothing"
        if isinstance(exc, IsADirectoryError):
            return "a folder"
        return _REFUSALS.get(exc.errno or 0, exc.strerror or str(exc))
    return "more bytes than there is memory" if isinstance(exc, MemoryError) else f"a path that is none: {exc}"


def _write_something(folder: Path) -> None:
    made: list[Path] = []
    try:
        for path in reversed((folder, *folder.parents)):
            with contextlib.suppress(FileExistsError):
                if not exists(path):
                    path.mkdir()
                    made.append(path)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(_BLOCK)  # on a full disk an empty file can still be made
    finally:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()
