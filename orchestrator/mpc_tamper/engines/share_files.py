"""Share files of the passive ring protocol in MP-SPDZ's layout, so that either engine reads what the other wrote.

Persistence/Transactions-P<i>.data: a header (length, "replicated Z2^64", ring size), then 16 bytes a share, x_i and
x_{i-1}, little-endian. Positions count shares.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import ShareFileError
from mpc_tamper.core.files import atomic_path
from mpc_tamper.engines.mapped import Storage, release
from mpc_tamper.runs.protocols import PARTIES

HEADER = (20).to_bytes(8, "little") + b"replicated Z2^64" + (64).to_bytes(4, "little")
_SHARE_BYTES = 16
_PART_SHARES = 1 << 20
_DIGEST_OF = b"mpc-tamper share file 1\0"


def share_file(run_dir: Path, party_id: int) -> Path:
    return run_dir / "Persistence" / f"Transactions-P{party_id}.data"


def create(path: Path) -> None:
    """An empty share file, readable by its owner only. Raises ShareFileError where one stands already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise ShareFileError(
            f"{path} exists: shares of an earlier run would be mixed with this one's; use a fresh run folder"
        ) from exc
    try:
        _write_all(handle, HEADER)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(handle)


def write(path: Path, own: np.ndarray, previous: np.ndarray, position: int | None) -> None:
    """Append x_i (own) and x_{i-1} (previous), or overwrite from a position on; a gap before it becomes zeros.

    Where the system refuses, as on a full disk, the file is as long as it was.
    """
    own, previous = own.reshape(-1), previous.reshape(-1)
    if not path.exists():
        create(path)
    handle = os.open(path, os.O_RDWR)
    end = os.lseek(handle, 0, os.SEEK_END)
    try:
        start = end if position is None else len(HEADER) + _SHARE_BYTES * position
        if start > end:
            _write_all(handle, bytes(start - end))
        os.lseek(handle, start, os.SEEK_SET)
        for part in _parts(own.size):
            _write_all(handle, np.stack([own[part], previous[part]], axis=1).astype("<u8").tobytes())
            release(own[part])
            release(previous[part])
    except BaseException:
        os.truncate(handle, end)
        raise
    finally:
        os.close(handle)


def read(path: Path, position: int, count: int, storage: Storage | None = None) -> tuple[np.ndarray, np.ndarray]:
    """x_i and x_{i-1} of `count` shares from a position on, uint64. Raises ShareFileError unless all are there.

    storage: where they lie; in memory where None.
    """
    need = len(HEADER) + _SHARE_BYTES * (position + count)
    check(path)
    size = path.stat().st_size
    if position < 0 or size < need:
        raise ShareFileError(
            f"{path}: expected shares {position} to {position + count - 1}, got a file of "
            f"{(size - len(HEADER)) // _SHARE_BYTES}; check the program's arguments against those of the training run"
        )
    storage = storage or Storage()
    own, previous = storage.zeros((count,)), storage.zeros((count,))
    with path.open("rb", buffering=0) as file:
        file.seek(len(HEADER) + _SHARE_BYTES * position)
        for part in _parts(count):
            words = np.fromfile(file, "<u8", 2 * (part.stop - part.start))
            own[part], previous[part] = words[0::2], words[1::2]
            release(own[part])
            release(previous[part])
    return own, previous


def write_components(path: Path, to: Path) -> None:
    """All x_i and then all x_{i-1} of a share file, little-endian words: what handoff.mpc takes."""
    shares = count(path)
    with atomic_path(to) as temporary, temporary.open("wb") as file:
        for component in range(2):
            for part in _parts(shares):
                file.write(
                    read(path, part.start, part.stop - part.start)[component].astype("<u8", copy=False).tobytes()
                )


def keep_after(path: Path, position: int) -> None:
    """Take out the shares before a position; the file goes where none follows."""
    if count(path) == position:
        path.unlink()
        return
    with atomic_path(path) as temporary, path.open("rb") as source, temporary.open("wb") as target:
        source.seek(len(HEADER) + _SHARE_BYTES * position)
        target.write(HEADER)
        shutil.copyfileobj(source, target, _SHARE_BYTES * _PART_SHARES)


def _parts(count: int) -> Iterator[slice]:
    """Of so many shares, which may be more than memory holds."""
    for start in range(0, count, _PART_SHARES):
        yield slice(start, min(count, start + _PART_SHARES))


def _write_all(handle: int, data: bytes) -> None:
    """The system may take a part at a time; nothing stays in a buffer, whose flush could fail again later."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def check(path: Path) -> None:
    """Raises ShareFileError unless this is a share file of the passive ring protocol."""
    try:
        with path.open("rb") as file:
            header = file.read(len(HEADER))
    except OSError as exc:
        raise ShareFileError(
            f"{path}: expected a share file of an earlier run, got: {exc.strerror}; give that run's folder with "
            "--shares-from"
        ) from exc
    if header != HEADER:
        raise ShareFileError(
            f"{path}: expected the header of 'replicated Z2^64' shares, got {header[:28]!r}; shares of other protocols "
            "cannot be read here"
        )


def count(path: Path) -> int:
    """How many shares the file holds. Raises ShareFileError on a torn one."""
    check(path)
    body = path.stat().st_size - len(HEADER)
    if body % _SHARE_BYTES:
        raise ShareFileError(f"{path}: expected whole shares of {_SHARE_BYTES} bytes, got {body} bytes of them")
    return body // _SHARE_BYTES


def of_passive_ring(run_dir: Path, parties: Iterable[int] = range(PARTIES)) -> bool:
    """Whether these parties' share files in a run folder are of the passive ring protocol."""
    try:
        for party in parties:
            check(share_file(run_dir, party))
    except ShareFileError:
        return False
    return True


def digest(path: Path) -> str:
    """By which a party knows a model again wherever its share file lies. Raises ShareFileError where it is missing.

    A SHA-256 over all of the file, of any protocol. Shares are uniform, so it tells nothing about what is shared.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.sha256(_DIGEST_OF)).hexdigest()
    except OSError as exc:
        raise ShareFileError(
            f"{path}: expected the share file of an earlier run, got: {exc.strerror}; give that run's folder"
        ) from exc
