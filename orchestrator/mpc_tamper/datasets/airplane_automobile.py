"""Airplane and automobile of CIFAR-10, the paper's second task, and which copy of its pixels a file holds.

CIFAR-10 is not bundled, and copies differ, as some went through JPEG. A model's weights follow from one copy alone, so
its record says which one it was.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import is_folder, read_file
from mpc_tamper.datasets import cifar10
from mpc_tamper.datasets.load import COLLECTIONS, load_task
from mpc_tamper.datasets.task import Task

NAME = "cifar10_airplane_automobile"
CLASSES = ("airplane", "automobile")
JPEG_SHA256 = "654e9560089d670bdc5fa82a986f8dbe76ad12638577e2f75045a64c834d4474"  # of an .npz
BATCHES_MD5 = MappingProxyType(  # of the files that the authors of CIFAR-10 distribute
    {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }
)


class PixelCopy(StrEnum):
    ORIGINAL = "original batches"
    JPEG = "decoded from a JPEG copy"
    UNKNOWN = "unknown copy"


def load_airplane_automobile(place: Path) -> tuple[Task, PixelCopy]:
    """The task, and which copy it is by its checksum.

    place: a folder in torchvision's layout, or an .npz file of these two classes. Raises DataError for anything else.
    """
    if is_folder(place):
        task = load_task(place, classes=CLASSES)
    else:
        task = load_task(place)
    if task.image_shape != cifar10.SHAPE or len(task.classes) != len(CLASSES):
        raise DataError(
            f"{place}: expected images of {cifar10.SHAPE} (channels, rows, columns) in two classes, got "
            f"{task.image_shape} in {len(task.classes)}; name CIFAR-10's folder, or an .npz file of its classes "
            "airplane (0) and automobile (1)"
        )
    return replace(task, name=NAME, classes=CLASSES), _pixel_copy(place, task.sha256)


def _pixel_copy(place: Path, sha256: str) -> PixelCopy:
    if sha256 == JPEG_SHA256:
        return PixelCopy.JPEG
    folder = COLLECTIONS["cifar10"].folder(place)
    if folder is not None and all(_md5(folder / name) == md5 for name, md5 in BATCHES_MD5.items()):
        return PixelCopy.ORIGINAL
    return PixelCopy.UNKNOWN


def _md5(path: Path) -> str:
    """How the distribution is recognised; no security rests on it."""
    return hashlib.md5(read_file(path, "a batch of CIFAR-10"), usedforsecurity=False).hexdigest()
