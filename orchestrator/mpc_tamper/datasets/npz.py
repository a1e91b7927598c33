"""Tasks in NumPy's .npz format.

Arrays: x_train (m, n) uint8, y_train (m,) uint8 in {0, 1}, x_test, y_test, and optionally image_shape, two or three
integers. Where it is absent the images are taken to be square, grey or of three channels.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.checks import checked, inferred_shape
from mpc_tamper.datasets.task import Task

_OTHERS = {
    b"\x93NUMPY": "a single array (.npy)",
    b"PK": "an archive that does not read: it is cut short or damaged",
}
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def read_npz(path: Path, *, name: str, classes: tuple[str, str] = ("0", "1"), sha256: str | None = None) -> Task:
    """Read and check a task. sha256: what the file must hash to, or None.

    Raises DataError for a file that is missing, malformed, or hashes to something else.
    """
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise DataError(f"{path}: expected a readable .npz file, got {exc.strerror}; check the path") from exc
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise DataError(
            f"{path}: expected sha256 {sha256}, got {digest}; the file was changed or damaged: "
            "restore it from the repository or install mpc-tamper again"
        )
    arrays = _arrays(content, path)
    x_train = arrays["x_train"]
    shape = arrays.get("image_shape")
    if shape is not None:
        image_shape = _image_shape(shape, path)
    elif x_train.ndim == 2:
        image_shape = inferred_shape(x_train.shape[1], str(path))
    else:
        raise DataError(f"{path}: x_train: expected shape (rows, pixels), got {x_train.shape}; reshape it")
    return checked(
        Task(
            name=name,
            image_shape=image_shape,
            classes=classes,
            source=str(path),
            sha256=digest,
            **{key: arrays[key] for key in ARRAYS},
        )
    )


def _arrays(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """The task's arrays by name. Pickled objects inside are refused, not read."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        got = next((name for magic, name in _OTHERS.items() if content.startswith(magic)), "something else")
        raise DataError(
            f"{path}: expected arrays of numbers written by numpy.savez, got {got}; save {', '.join(ARRAYS)} with it"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            missing = [key for key in ARRAYS if key not in archive]
            if missing:
                raise DataError(
                    f"{path}: expected the arrays {', '.join(ARRAYS)}, got {', '.join(archive.files) or 'none'}; "
                    f"save {', '.join(missing)} too"
                )
            return {key: _array(archive, key, path) for key in (*ARRAYS, "image_shape") if key in archive}
    except (OSError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as exc:
        raise DataError(
            f"{path}: expected arrays of numbers written by numpy.savez, got a file that does not read: it is damaged; "
            "write it again"
        ) from exc


def _array(archive: Any, key: str, path: Path) -> np.ndarray:
    """NumPy's message about an array that it cannot read speaks of unpickling, which is never done here."""
    try:
        found = archive[key]
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error):
        found = None
    if not isinstance(found, np.ndarray):
        raise DataError(
            f"{path}: {key}: expected arrays of numbers, got a damaged entry, one that is no array, or Python objects, "
            "which does not read; save it as an array of numbers"
        )
    return found


def _image_shape(shape: np.ndarray, path: Path) -> tuple[int, ...]:
    if shape.ndim != 1 or shape.dtype.kind not in "iu":
        raise DataError(
            f"{path}: expected image_shape as two or three integers, got {shape.dtype} of shape {shape.shape}; "
            "save (height, width) or (channels, height, width)"
        )
    return tuple(shape.tolist())
