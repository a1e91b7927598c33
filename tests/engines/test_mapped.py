"""Arrays in files without names: what they are, when they are, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mpc_tamper.core.errors import UsageError
from mpc_tamper.engines import mapped
from mpc_tamper.engines.mapped import SMALL_BYTES, Storage, by_rows, mapping_of, release, row_blocks, sum_over_rows

WORDS = SMALL_BYTES  # an array of so many words is large
X = np.arange(3 * WORDS, dtype=np.uint64).reshape(-1, 16) * np.uint64(0x9E3779B97F4A7C15)


def test_a_file_system_that_cannot_do_without_names_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    storage = Storage(tmp_path, 0)
    monkeypatch.setattr(mapped.os, "open", refuse)
    with pytest.raises(UsageError, match="expected a local file system"):
        storage.zeros(X.shape)
    monkeypatch.undo()
    assert not list(tmp_path.iterdir())


@pytest.fixture
def in_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """X, in a file and in many blocks."""
    monkeypatch.setattr(mapped, "BLOCK_BYTES", X.nbytes // 7)
    array = Storage(tmp_path, 0).zeros(X.shape)
    mapped.assign(array, X)
    assert mapping_of(array) is not None
    return array


def modes_of_files_in(folder: Path) -> list[int]:
    """Of those that this process holds open."""
    modes = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            if str(folder) in os.readlink(descriptor):
                modes.append(descriptor.stat().st_mode & 0o777)
    return modes


def test_an_array_is_mapped_once_the_budget_is_spent_and_memory_comes_back(tmp_path: Path) -> None:
    storage = Storage(tmp_path, 4 * 8 * WORDS)  # half of it for two such arrays
    first, second, third = (storage.zeros((WORDS,)) for _ in range(3))
    assert [mapping_of(each) is not None for each in (first, second, third)] == [False, False, True]
    view = first[5:]
    del first
    assert mapping_of(storage.zeros((WORDS,))) is not None  # the view holds it
    del view
    gc.collect()
    assert mapping_of(storage.zeros((WORDS,))) is None
    assert mapping_of(storage.zeros((5,))) is None
    assert mapping_of(Storage().zeros((WORDS,))) is None


def test_a_file_has_no_name_and_one_reader(tmp_path: Path) -> None:
    array = Storage(tmp_path, 0).zeros((WORDS,), np.int16)
    assert (array.dtype, array.shape, array.flags.writeable, bool(array.any())) == (np.int16, (WORDS,), True, False)
    assert list(tmp_path.iterdir()) == []
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line]
    assert len(maps) == 1
    assert maps[0].endswith("(deleted)")
    assert " rw-s " in maps[0]
    assert modes_of_files_in(tmp_path) == [0o600]
    del array
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()  # and nobody else holds the file


def test_what_is_released_is_still_there(in_file: np.ndarray) -> None:
    release(in_file)
    release(in_file[3:70, 2:9])
    release(in_file[5])
    release(X)  # not mapped
    assert np.array_equal(in_file, X)


def test_blocks_cover_the_rows_in_order(in_file: np.ndarray) -> None:
    blocks = list(row_blocks(in_file))
    assert len(blocks) >= 7
    assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(len(X)))
    assert list(row_blocks(in_file[:0])) == [slice(0, 0)]
    assert list(row_blocks(X)) == [slice(0, len(X))]


def test_blocks_of_a_view_are_as_large_in_the_file_as_others(in_file: np.ndarray) -> None:
    """With what lies between: that is read with it."""
    whole = len(list(row_blocks(in_file)))
    for view in (in_file[::3], in_file[:, :2], in_file[::-1], in_file[::-2, 3:]):
        blocks = list(row_blocks(view))
        assert whole - 1 <= len(blocks) <= whole + 1
        assert [row for block in blocks for row in range(block.start, block.stop)] == list(range(len(view)))


def test_walks_give_what_whole_arrays_give(in_file: np.ndarray) -> None:
    y = X[: X.shape[1]].copy()
    assert np.array_equal(by_rows(lambda rows: rows @ y, in_file), X @ y)
    assert np.array_equal(sum_over_rows(lambda x, other: x.T @ other, in_file, X), X.T @ X)


def test_a_full_disk_is_an_error_and_not_a_fault(tmp_path: Path) -> None:
    code = f"""
import resource, sys
from pathlib import Path
from mpc_tamper.engines.mapped import Storage
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, {resource.RLIM_INFINITY}))
try:
    Storage(Path(sys.argv[1]), 0).zeros((1 << 20,))
except OSError as exc:
    print(exc.errno)
"""
    shown = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert shown.stdout == f"{errno.EFBIG}\n"
    assert list(tmp_path.iterdir()) == []


def test_mapped_arrays_are_no_memory_to_the_kernel(tmp_path: Path) -> None:
    """64 MB of them, where 16 MB of data may be added."""
    code = f"""
import resource, sys
from pathlib import Path
from mpc_tamper.engines import mapped
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
limit = (int(status["VmData"].split()[0]) << 10) + (16 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, {resource.RLIM_INFINITY}))
words = 8 << 20
array = mapped.Storage(Path(sys.argv[1]), 8 << 20).zeros((words // 16, 16))
array[:, 3] = 7
print(sum(int(array[rows, 3].sum()) for rows in mapped.row_blocks(array)) == 7 * words // 16)
try:
    mapped.Storage().zeros((words,))
except MemoryError:
    print("refused")
"""
    shown = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert shown.stdout == "True\nrefused\n"


def test_a_view_is_frozen_where_all_that_it_is_a_view_of_is(in_file: np.ndarray) -> None:
    """One that cannot be written to is no promise: what it is a view of may change."""
    for array in (np.zeros((4, 6)), in_file):
        view = array[1:].T
        view.flags.writeable = False
        assert not mapped.is_frozen(view)
        mapped.freeze(array)
        assert not array.flags.writeable
        assert all(mapped.is_frozen(each) for each in (view, array, array[:, 2:]))
    assert mapped.is_frozen(np.broadcast_to(np.frombuffer(bytes(8)), (2, 3)))
