"""Large arrays of one party: in memory while a budget lasts, then mapped from files that have no name.

A file is made in a folder of the party's own, readable by its owner alone, and has no name from the start: no other
process can open it, and the system frees it when the last array on it is gone or the process ends, however it ends. All
of its space is reserved first, so that a full disk is an error here and not a fault at some later access.

A mapped array is an ordinary one. What walks over one takes row_blocks(), which lets go of the pages of a block when it
is done, so that memory holds a block at a time whatever the system keeps in its cache of files.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import UsageError
from mpc_tamper.core.memory import LEAST_BYTES, available_bytes
from mpc_tamper.engines.huge_pages import use_huge_pages

BLOCK_BYTES = 32 << 20
SMALL_BYTES = 64 << 10  # smaller arrays are never mapped, nor counted
_FILLED = 0.75  # of the memory that is left, by parties whose user has said nothing
MOST_SHARE = 2  # of a budget, arrays may take one part in so many; the rest is for what is computed with them


def memory_budget(parties: int, memory: int | None) -> int | None:
    """What one of several parties on this machine may fill: what the user allows, or its part of what is left."""
    if memory is not None:
        return memory
    available = available_bytes(parties)
    return None if available is None else max(LEAST_BYTES, int(_FILLED * available))


class Storage:
    """Where a party's large arrays lie.

    folder: for the files.  budget: how many bytes of memory the party may fill, half of them with these arrays. None of
    both: all memory.
    """

    def __init__(self, folder: Path | None = None, budget: int | None = None) -> None:
        self._folder = folder
        self._room = math.inf if folder is None or budget is None else budget // MOST_SHARE
        self._counting = threading.RLock()  # again, where memory is collected meanwhile

    def zeros(self, shape: tuple[int, ...], dtype: type = np.uint64, *, stays: bool = False) -> np.ndarray:
        """Writable. stays: it is going to be read again and again, and for as long as the party runs.

        Raises OSError where the disk has no room for a file of this size.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size < SMALL_BYTES:
            return np.zeros(shape, dtype)
        with self._counting:
            fits = size <= self._room
            self._room -= size if fits else 0
        if not fits:
            return self._mapped(size, dtype).reshape(shape)
        array: np.ndarray = np.zeros(shape, dtype)
        if stays:
            use_huge_pages(array)
        weakref.finalize(array, self._returned, size).atexit = False
        return array

    def _returned(self, size: int) -> None:
        with self._counting:
            self._room += size

    def _mapped(self, size: int, dtype: type) -> np.ndarray:
        handle = self._without_a_name()
        try:
            os.posix_fallocate(handle, 0, size)
            return np.frombuffer(mmap.mmap(handle, size), dtype)
        finally:
            os.close(handle)

    def _without_a_name(self) -> int:
        """A handle. Raises UsageError on file systems, such as NFS, where a file always has a name for a moment: what
        lies there could outlive the process, shares included."""
        try:
            return os.open(self._folder or ".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            if exc.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
            raise UsageError(
                f"{self._folder}: expected a local file system, for rows larger than memory, got one without files "
                "that have no name; choose another run folder, or give the parties more --memory"
            ) from exc


def mapping_of(array: np.ndarray) -> mmap.mmap | None:
    """What the array, or the one that it is a view of, is mapped from."""
    base = array.base
    while isinstance(base, np.ndarray):
        base = base.base
    if base is None:
        return None
    found = base.obj if isinstance(base, memoryview) else base
    return found if isinstance(found, mmap.mmap) else None


def freeze(array: np.ndarray) -> None:
    """Nobody writes to it from now on, nor to what it is a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        base.flags.writeable = False
        base = base.base


def is_frozen(array: np.ndarray) -> bool:
    """Whether nobody writes to it any more, nor to what it is a view of."""
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True


def release(array: np.ndarray) -> None:
    """Let go of the pages of a mapped array. What it holds stays in its file, or in the system's cache of it."""
    _advise(array, mmap.MADV_DONTNEED)


def row_blocks(array: np.ndarray, row_bytes: int = 0) -> Iterator[slice]:
    """Slices of rows that cover the array: one, unless it is mapped. A block is released when the next one is asked
    for, which is read ahead meanwhile.

    array: where it is mapped, its rows are one after the other.  row_bytes: of what is made of a row, where that is
    more.
    """
    rows = len(array)
    if mapping_of(array) is None or not array.size:
        yield slice(0, rows)
        return
    touched = max(array.nbytes // rows, abs(array.strides[0]))  # of a view, with what lies between
    size = max(1, BLOCK_BYTES // max(row_bytes, touched))
    for start in range(0, rows, size):
        block = slice(start, min(rows, start + size))
        _advise(array[block.stop : block.stop + size], mmap.MADV_WILLNEED)
        yield block
        release(array[block])


def by_rows(function: Callable[[np.ndarray], np.ndarray], array: np.ndarray, axis: int = 0) -> np.ndarray:
    """function(array), whose result has the array's rows along an axis: one block after the other."""
    if mapping_of(array) is None:
        return function(array)
    return np.concatenate([function(array[rows]) for rows in row_blocks(array)], axis)


def sum_over_rows(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], array: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """function(array, other), which is additive in the rows that both have."""
    if mapping_of(array) is None:
        return function(array, other)
    return reduce(np.add, (function(array[rows], other[rows]) for rows in row_blocks(array)))


def assign(to: np.ndarray, values: np.ndarray) -> None:
    """to[:] = values, of equal shapes, either of which may be mapped."""
    for rows in row_blocks(to if mapping_of(to) is not None else values):
        to[rows] = values[rows]
        release(values[rows])


def _advise(array: np.ndarray, advice: int) -> None:
    """Of the whole pages in which the array's elements lie."""
    mapping = mapping_of(array)
    if mapping is None or not array.size:
        return
    low, high = np.lib.array_utils.byte_bounds(array)
    first = low - np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    start = first - first % mmap.PAGESIZE
    mapping.madvise(advice, start, first + high - low - start)
