"""What mends an array that is no uint8 image or no label 0 or 1: an expression whose value is right.

Each expression is meant for the array as it is, and none of them loses what the array holds: images from 0 to 1 cut off
to integers would all be black, and a training on them would run without a word.
"""

from __future__ import annotations

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL

_UINT8 = ".astype(numpy.uint8)"
_SIXTEEN_BITS = 65535
_SEVERAL = 5  # labels shown


def pixels(x: np.ndarray, name: str) -> tuple[str, str]:
    """What images that are not uint8 hold, and what to do. name: of the array, such as x_train."""
    if x.dtype.kind not in "biuf":
        return str(x.dtype), f"save integers from 0 to {MAX_PIXEL}, as numpy.uint8"
    if not x.size:
        return f"{x.dtype}, empty", "add images"
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        rows = f"numpy.isfinite({name}.reshape(len({name}), -1)).all(axis=1)"
        count = int((~np.isfinite(x)).sum())
        return (
            f"{x.dtype} of which {count:,} are NaN or infinite",
            f"keep the rows without any, kept = {rows}, of the images and of their labels",
        )
    low, high = x.min(), x.max()
    held = f"{x.dtype} from {low:g} to {high:g}" if x.dtype.kind == "f" else f"{x.dtype} from {low} to {high}"
    if x.dtype.kind == "b" or (low >= 0 and high <= 1):
        scaled = f"({name} * {MAX_PIXEL})" + (".round()" if x.dtype.kind == "f" else "")
        return held, f"save {scaled}{_UINT8}"
    if low >= 0 and high <= MAX_PIXEL:
        whole = x.dtype.kind != "f" or bool((x == np.floor(x)).all())
        return held, f"save {name}{'' if whole else '.round()'}{_UINT8}"
    if x.dtype.kind == "f" and low >= -1 and high <= 1:
        return held, f"save (({name} + 1) * {MAX_PIXEL / 2}).round(){_UINT8}"
    if x.dtype == np.uint16 and high > _SIXTEEN_BITS // 16:
        return held, f"save ({name} // {_SIXTEEN_BITS // MAX_PIXEL}){_UINT8}"
    return held, (
        f"save the images as they were before they were standardised or converted, from 0 (black) to {MAX_PIXEL} "
        "(white), both parts at the same scale"
    )


def shape(x: np.ndarray, name: str, n: int) -> str:
    """What to do with images that are not one row each of n pixels."""
    if x.ndim == 4 and x.shape[3] in (1, 3) and x.shape[1] not in (1, 3):
        size = tuple(x.shape[i] for i in ((3, 1, 2) if x.shape[3] == 3 else (1, 2)))
        return f"save {name}.transpose(0, 3, 1, 2).reshape(len({name}), -1), and image_shape = {size}"
    if x.ndim in (3, 4) and len(x):
        size = x.shape[1:] if x.ndim == 3 or x.shape[1] == 3 else x.shape[2:]
        return f"save {name}.reshape(len({name}), -1), and image_shape = {size}"
    return "save an image a row, or correct image_shape"


def labels(y: np.ndarray, name: str) -> tuple[str, str]:
    """What labels that are not uint8 0 and 1 hold, and what to do."""
    if y.dtype.kind not in "biufUS":
        return str(y.dtype), "save the labels as 0 and 1, numpy.uint8"
    if y.ndim == 2 and y.shape[1] == 2:
        return f"{y.dtype} of shape {y.shape}", f"save {name}.argmax(axis=1){_UINT8}"
    if y.ndim != 1:
        return f"{y.dtype} of shape {y.shape}", f"save {name}.reshape(-1), one label for each image"
    if y.dtype.kind == "f" and np.isnan(y).any():
        count = int(np.isnan(y).sum())
        return (
            f"{y.dtype} of which {count:,} are NaN",
            f"keep the rows with a label, kept = ~numpy.isnan({name}), of the images and of the labels",
        )
    found = np.unique(y).tolist()
    held = "no rows"
    if found:
        held = f"{'' if y.dtype == np.uint8 else f'{y.dtype} '}labels {_listed(found)}"
    if found == [0, 1]:
        return held, f"save {name}{_UINT8}"
    if len(found) == 2:
        return held, f"number the classes 0 and 1: save ({name} == {found[1]!r}){_UINT8}"
    if len(found) < 2:
        return held, "add rows of the other class, and number the classes 0 and 1"
    first, second = found[0], found[1]
    return held, (
        f"keep two classes and number them 0 and 1, such as kept = ({name} == {first!r}) | ({name} == {second!r}), "
        f"then save the images[kept] and ({name}[kept] == {second!r}){_UINT8}"
    )


def _listed(found: list[object]) -> str:
    return ", ".join(map(str, found[:_SEVERAL])) + (", ..." if len(found) > _SEVERAL else "")
