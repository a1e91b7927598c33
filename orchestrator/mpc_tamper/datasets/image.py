"""One image to classify: a PNG (or another format that Pillow reads), or a row of an .npz task's test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.files import decoding, is_file, what_is
from mpc_tamper.datasets.checks import inferred_shape
from mpc_tamper.datasets.npz import read_npz

_CHANNELS = {"L": 1, "RGB": 3}
_PICTURE = "a picture, such as a PNG"
_ORIENTATION = 0x0112  # Exif's tag; 1 where nothing is turned

Shape = tuple[int, ...]


def read_image(
    path: Path, index: int | None = None, pixels: int | None = None, image_shape: Shape | None = None
) -> np.ndarray:
    """(n,) uint8, in a task's order: row by row, and the three channels of an RGB image one after the other.

    index: which image of an .npz file's x_test.  pixels: n as the model has it, None where it is not known.
    image_shape: as Task.image_shape, of the images that the model was trained on, None where it is not known. Raises
    DataError for an image of another height, width or number of channels.
    """
    image = _from_npz(path, index, image_shape) if path.suffix == ".npz" else _from_picture(path, index, image_shape)
    if pixels is not None and image.size != pixels:
        raise DataError(f"{path}: expected {pixels} pixels, as the model has, got {image.size}; resize the image")
    return image


def likely_shape(pixels: int) -> Shape | None:
    """Of images of which nobody wrote down more: square, if there are such of n pixels."""
    try:
        return inferred_shape(pixels, "")
    except DataError:
        return None


def _from_npz(path: Path, index: int | None, expected: Shape | None) -> np.ndarray:
    task = read_npz(path, name=path.stem)
    images = task.x_test
    if index is None or not 0 <= index < len(images):
        raise ParameterError(f"{path}: expected --index from 0 to {len(images) - 1}, got {index}")
    _check_shape(path, task.image_shape, expected)
    return images[index]


def _from_picture(path: Path, index: int | None, expected: Shape | None) -> np.ndarray:
    from PIL import Image, ImageOps

    if index is not None:
        raise ParameterError(f"{path}: expected --index with an .npz file only: a picture is one image; leave it out")
    if not is_file(path):
        raise DataError(f"{path}: expected {_PICTURE}, got {what_is(path)}; check the path")
    with decoding(path, _PICTURE, "save it again, as a PNG"), Image.open(path) as picture:
        if picture.mode not in _CHANNELS or "transparency" in picture.info:
            got = "transparent colours" if picture.mode in _CHANNELS else f"mode {picture.mode}"
            raise DataError(f"{path}: expected a grey (L) or RGB picture, 8 bits a channel, got {got}; convert it")
        frames = getattr(picture, "n_frames", 1)
        if frames > 1:
            raise DataError(f"{path}: expected one image, got {frames} frames; save one of them")
        width, height = picture.size
        channels = _CHANNELS[picture.mode]
        turned = picture.getexif().get(_ORIENTATION, 1) != 1
        if turned and picture.format == "TIFF":  # which Pillow turns as it loads it, but not its height and width
            raise DataError(
                f"{path}: expected an image as it is to be seen, got a TIFF that is turned; save it as a PNG"
            )
        _check_shape(path, (channels, height, width), expected, turned=turned)
        array = np.asarray(ImageOps.exif_transpose(picture))  # as every viewer turns it
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
    _check_shape(path, planes.shape, expected)
    return np.ascontiguousarray(planes).reshape(-1)


def _check_shape(path: Path, found: Shape, expected: Shape | None, *, turned: bool = False) -> None:
    """As many pixels in rows of another length would be another image. turned: height and width may yet change places,
    once the pixels, of which there may be very many, are decoded.
    """
    if expected is None:
        return
    (channels, height, width), (depth, tall, wide) = _three(expected), _three(found)
    if (height, width) != (tall, wide) and not (turned and (height, width) == (wide, tall)):
        if (here := depth * tall * wide) != (wanted := channels * height * width):
            raise DataError(
                f"{path}: expected {wanted} pixels, as the model has, got {here}; resize the image to {width} pixels "
                f"wide and {height} high"
            )
        raise DataError(
            f"{path}: expected an image {width} pixels wide and {height} high ({height * width} pixels), as the model "
            f"was trained on, got one {wide} wide and {tall} high; resize the image"
        )
    if channels != depth:
        raise DataError(
            f"{path}: expected {_colours(channels)}, as the model was trained on, got {_colours(depth)}; convert it"
        )


def _three(shape: Shape) -> tuple[int, int, int]:
    channels, height, width = (1, *shape) if len(shape) == 2 else shape
    return channels, height, width


def _colours(channels: int) -> str:
    return {1: "a grey picture (L)", 3: "a coloured picture (RGB)"}.get(channels, f"{channels} channels")
