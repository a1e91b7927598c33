"""MNIST's own files, in the folder that torchvision keeps them in. Fashion-MNIST's have the same names and form.

IDX format (http://yann.lecun.com/exdb/mnist/): two zero bytes, type 8 for uint8, the number of dimensions d, d
big-endian 32-bit sizes, then the elements row-major. Each file may be compressed by gzip.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import decoding, is_file, read_file, what_is

FASHION_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle-boot",
)
TEST_LABELS = "t10k-labels-idx1-ubyte"
_FASHION_TEST_LABELS = "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
_UINT8 = 8
_LARGEST_LABEL = 9
_FILE = "a readable file of MNIST"
_LARGEST = 1 << 30  # bytes of one file; all of MNIST's have less than 50 MB


def is_fashion(folder: Path) -> bool:
    """Whether the test labels there are those of Fashion-MNIST, in either form."""
    try:
        _, content = _content(folder, TEST_LABELS)
    except DataError:
        return False
    return hashlib.sha256(content).hexdigest() == _FASHION_TEST_LABELS


def read_mnist(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """x_train (m, n), y_train (m,), x_test, y_test, all uint8, labels 0..9, and (height, width)."""
    x_train, y_train = _images(folder, "train")
    x_test, y_test = _images(folder, "t10k")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"{folder}: expected training and test images of one size, got {x_train.shape[1:]} and "
            f"{x_test.shape[1:]}; download the files again"
        )
    shape = x_train.shape[1:]
    n = math.prod(shape)
    return x_train.reshape(-1, n), y_train, x_test.reshape(-1, n), y_test, shape


def _images(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images = _read_idx(folder, f"{part}-images-idx3-ubyte", 3)
    labels = _read_idx(folder, f"{part}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise DataError(
            f"{folder}: expected a label for each image, got {len(images)} images and {len(labels)} labels "
            f"in the {part} files; download them again"
        )
    if labels.size and labels.max() > _LARGEST_LABEL:
        row = int(np.argmax(labels > _LARGEST_LABEL))
        raise DataError(
            f"{folder}: expected labels 0 to {_LARGEST_LABEL} in the {part} files, got {labels[row]} for image {row}; "
            "download them again"
        )
    return images, labels


def _read_idx(folder: Path, name: str, ndim: int) -> np.ndarray:
    path, content = _content(folder, name)
    header = 4 + 4 * ndim
    if len(content) < header or content[:4] != bytes([0, 0, _UINT8, ndim]):
        raise DataError(
            f"{path}: expected an IDX file of uint8 in {ndim} dimensions, got one that begins with "
            f"{content[:4].hex() or 'nothing'}; download it again"
        )
    shape = struct.unpack_from(f">{ndim}I", content, 4)
    expected = header + math.prod(shape)
    if len(content) != expected or 0 in shape:
        raise DataError(f"{path}: expected {expected} bytes for shape {shape}, got {len(content)}; download it again")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _content(folder: Path, name: str) -> tuple[Path, bytes]:
    """The decompressed file, whichever of the two forms is there."""
    path = folder / name
    if is_file(path):
        return path, read_file(path, _FILE, largest=_LARGEST)
    packed = folder / f"{name}.gz"
    if not is_file(packed):
        raise DataError(
            f"expected {path} or the same with .gz, got neither ({what_is(path)}, {what_is(packed)}); download it again"
        )
    with decoding(packed, _FILE, "download it again"), gzip.open(packed, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DataError(f"{packed}: expected at most {_LARGEST:,} bytes, got more; this is no MNIST file")
    return packed, content
