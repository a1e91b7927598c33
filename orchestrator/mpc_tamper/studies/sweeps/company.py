"""Whether work had the machine to itself, so that its seconds mean something.

with company() as kept:
    work()
    if kept.alone(): ...   # no other work that asks here ran meanwhile

Work of one user on one machine knows of each other by two files in the folder for temporary files: a lock that all
share who work, and a count of those who began.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BEGAN, _WORKING = "began", "working"
_BYTES = 8  # of the count


@dataclass(frozen=True)
class Company:
    """began: of the file that counts.  number: the count when this work began; None where it is not known to be alone,
    as others were at work already, or the files cannot be had."""

    began: int
    number: int | None

    def alone(self) -> bool:
        """Whether nobody else was at work since this began. False, too, where that cannot be told."""
        if self.number is None:
            return False
        with contextlib.suppress(OSError), _locked(self.began):
            return _count(self.began) == self.number
        return False


@contextmanager
def company() -> Iterator[Company]:
    """While this lasts, other work that begins knows that it is not alone."""
    with contextlib.ExitStack() as stack:
        try:
            began, working = (stack.enter_context(_opened(name)) for name in (_BEGAN, _WORKING))
            with _locked(began):
                number = _count(began) + 1
                others = not _alone_in(working)
                fcntl.flock(working, fcntl.LOCK_SH)
                os.pwrite(began, number.to_bytes(_BYTES, "big"), 0)
            found = Company(began, None if others else number)
        except OSError:
            found = Company(-1, None)
        yield found


def _alone_in(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _count(handle: int) -> int:
    return int.from_bytes(os.pread(handle, _BYTES, 0), "big")


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def _opened(name: str) -> Iterator[int]:
    """Raises OSError also where the folder is another user's."""
    folder = Path(tempfile.gettempdir(), f".mpc-tamper-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    there = folder.lstat()
    if there.st_uid != os.getuid() or not stat.S_ISDIR(there.st_mode):
        raise PermissionError(str(folder))
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
