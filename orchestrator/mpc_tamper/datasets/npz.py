"""Tasks in NumPy's .npz format.

Arrays: x_train (m, n) uint8, y_train (m,) uint8, x_test, y_test, and optionally image_shape, two or three integers.
Where it is absent the images are taken to be square, grey or of three channels. Rows of a table have feature_names,
(n,) of text, in its place. The labels of C classes are 0 to C - 1, where C is how many different ones y_train holds, or
how many the optional array classes, (C,) of text, names.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import decoding, read_file
from mpc_tamper.datasets import advice
from mpc_tamper.datasets.checks import check_pixels, checked, inferred_shape
from mpc_tamper.datasets.task import Task

_OTHERS = {
    b"\x93NUMPY": "a single array (.npy)",
    b"PK": "an archive that does not read: it is cut short or damaged",
}
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_OPTIONAL = ("image_shape", "feature_names", "classes")
_ONE = "arrays of numbers written by numpy.savez"
_AGAIN = "write it again with numpy.savez or numpy.savez_compressed"
_LARGEST = 1 << 32  # bytes of one array


def read_npz(path: Path, *, name: str, sha256: str | None = None) -> Task:
    """Read and check a task, whose classes are called as their labels.  sha256: what the file must hash to, or None.

    Raises DataError for a file that is missing, malformed, or hashes to something else.
    """
    content = read_file(path, "a readable .npz file")
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise DataError(
            f"{path}: expected sha256 {sha256}, got {digest}; the file was changed or damaged: "
            "restore it from the repository or install mpc-tamper again"
        )
    arrays = _arrays(content, path)
    x_train = arrays["x_train"]
    shape, names = arrays.get("image_shape"), _texts(arrays, "feature_names", path)
    if names and shape is None:
        image_shape: tuple[int, ...] = ()
    elif shape is not None:
        image_shape = _image_shape(shape, path)
    elif x_train.ndim == 2:
        image_shape = inferred_shape(x_train.shape[1], str(path))
    else:
        mend = advice.shape(x_train, "x_train", 0)
        raise DataError(f"{path}: x_train: expected shape (rows, pixels), got {x_train.shape}; {mend}")
    return checked(
        Task(
            name,
            x_train,
            arrays["y_train"],
            arrays["x_test"],
            arrays["y_test"],
            image_shape=image_shape,
            classes=_texts(arrays, "classes", path) or _classes(arrays["y_train"]),
            source=str(path),
            sha256=digest,
            feature_names=names,
        )
    )


def read_contribution(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """x_train (m, n) and y_train (m,), uint8, of a client's file: all that it needs, of whichever classes it has.

    Raises DataError as read_npz() does. Whether the labels are those of the training is for the client to check.
    """
    arrays = _arrays(read_file(path, "a readable .npz file"), path, ("x_train", "y_train"))
    x, y = arrays["x_train"], arrays["y_train"]
    pixels = x.shape[1] if x.ndim == 2 else 0
    check_pixels(x, pixels, str(path), "x_train")
    if y.dtype != np.uint8 or y.shape != (len(x),) or not len(x):
        raise DataError(
            f"{path}: y_train: expected uint8 labels, one for each of the {len(x)} images, got {y.dtype} of shape "
            f"{y.shape}; save y_train.astype(numpy.uint8), with as many rows as x_train"
        )
    return x, y


def _texts(arrays: Mapping[str, np.ndarray], key: str, path: Path) -> tuple[str, ...]:
    """Of an optional array of text; () without it."""
    if key not in arrays:
        return ()
    found = arrays[key]
    if found.ndim != 1 or found.dtype.kind != "U":
        raise DataError(
            f"{path}: {key}: expected a list of text, got {found.dtype} of shape {found.shape}; save "
            f"numpy.array({key}, dtype=str)"
        )
    return tuple(found.tolist())


def _classes(y: np.ndarray) -> tuple[str, ...]:
    """As many as there are different labels. Whether those are 0, 1, ... is for checked() to say."""
    count = len(np.unique(y)) if y.ndim == 1 and y.dtype.kind in "biufUS" else 0
    return tuple(map(str, range(min(max(2, count), advice.MOST_CLASSES))))


def _arrays(content: bytes, path: Path, wanted: tuple[str, ...] = ARRAYS) -> dict[str, np.ndarray]:
    """Arrays by name, those that are wanted and image_shape. Pickled objects inside are refused, not read."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        got = next((name for magic, name in _OTHERS.items() if content.startswith(magic)), "something else")
        raise DataError(
            f"{path}: expected arrays of numbers written by numpy.savez, got {got}; save {', '.join(wanted)} with it"
        )
    with (
        decoding(path, _ONE, _AGAIN),
        zipfile.ZipFile(io.BytesIO(content)) as archive,
    ):
        entries = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [key for key in wanted if key not in entries]
        if missing:
            raise DataError(
                f"{path}: expected the arrays {', '.join(wanted)}, got {', '.join(entries) or 'none'}; "
                f"save {', '.join(missing)} too"
            )
        return {key: _array(archive, entries[key], path, key) for key in (*wanted, *_OPTIONAL) if key in entries}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, key: str) -> np.ndarray:
    """One array, if the archive holds as many bytes as its header promises. Pickled objects are refused, not read."""
    if entry.file_size > _LARGEST:
        raise DataError(f"{path}: {key}: expected at most {_LARGEST:,} bytes, got more; keep fewer rows")
    with decoding(path, _ONE, _AGAIN, part=key), archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        promised = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(
                f"{path}: {key}: expected arrays of numbers, got an array of Python objects, which are not read; save "
                f"{key}.astype(numpy.uint8)"
            )
        if promised > entry.file_size:
            raise DataError(
                f"{path}: {key}: expected {promised:,} bytes for an array of shape {shape}, got {entry.file_size:,}; "
                f"the file is damaged: {_AGAIN}"
            )
    with decoding(path, _ONE, _AGAIN, part=key), archive.open(entry) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _image_shape(shape: np.ndarray, path: Path) -> tuple[int, ...]:
    if shape.ndim != 1 or shape.dtype.kind not in "iu":
        raise DataError(
            f"{path}: expected image_shape as two or three integers, got {shape.dtype} of shape {shape.shape}; "
            "save (height, width) or (channels, height, width)"
        )
    return tuple(shape.tolist())
