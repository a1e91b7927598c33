"""One image to classify: a PNG (or another format that Pillow reads), or a row of an .npz task's test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.npz import read_npz

_CHANNELS = {"L": 1, "RGB": 3}


def read_image(path: Path, index: int | None = None, pixels: int | None = None) -> np.ndarray:
    """(n,) uint8, in a task's order: row by row, and the three channels of an RGB image one after the other.

    index: which image of an .npz file's x_test.  pixels: n as the model has it, None where it is not known.
    """
    image = _from_npz(path, index) if path.suffix == ".npz" else _from_picture(path, index)
    if pixels is not None and image.size != pixels:
        raise DataError(f"{path}: expected {pixels} pixels, as the model has, got {image.size}; resize the image")
    return image


def _from_npz(path: Path, index: int | None) -> np.ndarray:
    images = read_npz(path, name=path.stem).x_test
    if index is None or not 0 <= index < len(images):
        raise ParameterError(f"{path}: expected --index from 0 to {len(images) - 1}, got {index}")
    return images[index]


def _from_picture(path: Path, index: int | None) -> np.ndarray:
    from PIL import Image

    if index is not None:
        raise ParameterError(f"{path}: expected --index with an .npz file only: a picture is one image; leave it out")
    try:
        with Image.open(path) as picture:
            if picture.mode not in _CHANNELS:
                raise DataError(
                    f"{path}: expected a grey (L) or RGB picture, 8 bits a channel, got mode {picture.mode}; convert it"
                )
            array = np.asarray(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as exc:
        raise DataError(f"{path}: expected a picture, such as a PNG: {exc}") from exc
    return np.ascontiguousarray(array if array.ndim == 2 else np.moveaxis(array, 2, 0)).reshape(-1)
