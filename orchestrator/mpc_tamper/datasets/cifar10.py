"""CIFAR-10's batches (A. Krizhevsky 2009), in the folder cifar-10-batches-py, read without unpickling.

A batch is a pickled dict: b'data', a (rows, 3072) uint8 array, three 32 x 32 channels a row; b'labels', a list of
rows integers 0..9. https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import read_file
from mpc_tamper.datasets.inert_pickle import Call, Global, read_inert

FOLDER = "cifar-10-batches-py"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
PIXELS = 3072

_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = ("test_batch",)
_LARGEST = 1 << 28  # bytes of one batch; those of the distribution have 31 MB


def read_cifar10(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """x_train (m, 3072), y_train (m,), x_test, y_test, all uint8, labels 0..9, and (3, 32, 32)."""
    return *_join(folder, _TRAIN), *_join(folder, _TEST), SHAPE


def read_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(rows, 3072) and (rows,), uint8. Raises DataError for anything else in the file."""
    content = read_file(path, "a batch of CIFAR-10", largest=_LARGEST)
    batch = read_inert(content, str(path))
    if not isinstance(batch, dict):
        raise _malformed(path, "a dict with data and labels", type(batch).__name__)
    labels = _labels(_entry(batch, "labels", path), path)
    data, rows = _array(_entry(batch, "data", path), path)
    if rows != len(labels) or len(data) != rows * PIXELS:
        raise _malformed(
            path,
            f"{len(labels)} rows x {PIXELS} pixels for {len(labels)} labels",
            f"{rows} rows and {len(data)} bytes",
        )
    return np.frombuffer(data, dtype=np.uint8).reshape(rows, PIXELS), labels


def _join(folder: Path, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    batches = [read_batch(folder / name) for name in names]
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def _entry(batch: dict[Any, Any], key: str, path: Path) -> Any:
    """Python 2 wrote the keys as byte strings, parsed as str; Python 3 as either."""
    for form in (key, key.encode()):
        if form in batch:
            return batch[form]
    raise _malformed(path, f"an entry {key!r}", ", ".join(sorted(map(str, batch))) or "an empty dict")


def _labels(value: Any, path: Path) -> np.ndarray:
    if not isinstance(value, list) or not value or not all(type(v) is int and 0 <= v < len(CLASSES) for v in value):
        raise _malformed(path, "labels as a list of integers 0 to 9", f"{str(value)[:60]}")
    return np.array(value, dtype=np.uint8)


def _array(value: Any, path: Path) -> tuple[bytes, int]:
    """The bytes of a pickled (rows, 3072) uint8 array in row-major order, and its rows.

    NumPy writes _reconstruct(ndarray, (0,), b'b') with the state (version, shape, dtype, is_fortran, bytes), or from
    protocol 5 on _frombuffer(bytes, dtype, shape, order).
    """
    match value:
        case Call(
            Global("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct"),
            _,
            (int(), shape, dtype, False, data),
        ):
            pass
        case Call(Global("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer"), (data, dtype, shape, "C"), None):
            pass
        case _:
            raise _malformed(path, "data as a NumPy array in row-major order", _kind(value))
    match dtype:
        case Call(Global("numpy", "dtype"), ("u1" | b"u1", *_)):
            pass
        case _:
            raise _malformed(path, "data of dtype uint8", f"{str(dtype)[:90]}")
    match shape:
        case (int(rows), int(columns)) if columns == PIXELS and rows > 0:
            return _bytes(data, path), rows
        case _:
            raise _malformed(path, f"data of shape (rows, {PIXELS})", f"{str(shape)[:60]}")


def _bytes(data: Any, path: Path) -> bytes:
    """Python 2's byte strings are parsed as Latin-1."""
    try:
        match data:
            case bytes() | bytearray():
                return bytes(data)
            case str():
                return data.encode("latin-1")
    except UnicodeEncodeError:
        pass
    raise _malformed(path, "the pixels as a byte string", _kind(data))


def _kind(value: Any) -> str:
    """What a value is, in a word, because its text may be megabytes long."""
    return type(value).__name__.lower()


def _malformed(path: Path, expected: str, got: str) -> DataError:
    return DataError(f"{path}: expected {expected}, got {got}; download CIFAR-10 again")
