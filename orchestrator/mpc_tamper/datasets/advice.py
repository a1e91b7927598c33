"""What mends an array that is no uint8 image or no label from 0 on: an expression whose value is right.

Each expression is meant for the array as it is, and none of them loses what the array holds: images from 0 to 1 cut off
to integers would all be black, and a training on them would run without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc_tamper.core.pixels import MAX_PIXEL

_UINT8 = ".astype(numpy.uint8)"
_SIXTEEN_BITS = 65535
_SEVERAL = 5  # labels shown
_SPELT_OUT = 10  # labels in an expression
MOST_CLASSES = 256  # whose labels are uint8


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


def labels(y: np.ndarray, name: str, classes: int) -> tuple[str, str]:
    """What labels that are not uint8 0 to classes - 1, each of them present, hold, and what to do."""
    if y.dtype.kind not in "biufUS":
        return str(y.dtype), f"save the labels as integers from 0 to {classes - 1}, numpy.uint8"
    if y.ndim == 2 and y.shape[1] >= 2 and len(y) != 1:
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
    return held, _mended(y, name, found, classes)


def _mended(y: np.ndarray, name: str, found: list[Any], classes: int) -> str:
    """found: the labels that are there, ascending."""
    if len(found) > MOST_CLASSES:
        return f"keep at most {MOST_CLASSES} classes, and number them from 0 on"
    wanted = list(range(classes))
    counted = found == list(range(len(found)))
    if y.dtype != np.uint8 and len(found) > 1 and (counted or set(found) <= set(wanted)):
        return f"save {name}{_UINT8}"
    if len(found) < 2 and classes == 2:
        return "add rows of the other class, and number the classes 0 and 1"
    if set(found) < set(wanted):
        return f"add rows of class {_listed(sorted(set(wanted) - set(found)))}, or leave it out of the other part too"
    if set(found) > set(wanted):
        return f"keep the rows of those classes, kept = {name} < {classes}, of the images and of the labels"
    if len(found) < 2:
        return "add rows of other classes, and number the classes from 0 on"
    return _numbered(name, found)


def _numbered(name: str, found: list[Any]) -> str:
    """How to number any labels from 0 on, alike in both parts."""
    last = len(found) - 1
    if last == 1:
        return f"number the classes 0 and 1: save ({name} == {found[1]!r}){_UINT8}"
    if isinstance(found[0], int) and found == list(range(found[0], found[0] + len(found))):
        return f"number the classes 0 to {last}: save ({name} - {found[0]}){_UINT8}"
    if last < _SPELT_OUT:
        return f"number the classes 0 to {last}: save numpy.searchsorted({found!r}, {name}){_UINT8}"
    return f"number the classes 0 to {last}: save numpy.unique({name}, return_inverse=True)[1]{_UINT8}"


def _listed(found: list[Any]) -> str:
    return ", ".join(map(str, found[:_SEVERAL])) + (", ..." if len(found) > _SEVERAL else "")
