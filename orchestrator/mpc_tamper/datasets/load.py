"""Find a task by its name or path, read it, keep two classes, check it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import exists, is_file, is_folder, what_is
from mpc_tamper.datasets import cifar10, idx
from mpc_tamper.datasets.checks import checked
from mpc_tamper.datasets.download import download_cifar10, download_mnist
from mpc_tamper.datasets.npz import read_npz
from mpc_tamper.datasets.task import Task

BUNDLED = "mnist_0_1"
_DIGITS = 9  # of a class's number; Python refuses to read very long ones
BUNDLED_SHA256 = "8f53d9149a1833812235945e8e9219bcf19795814d6b429a37df92b5478e16a7"
DOWNLOADS = Path("data", "downloads")

ClassName = int | str
_Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]


@dataclass(frozen=True)
class Collection:
    """A data set of ten classes in torchvision's on-disk layout, of which a task keeps two.

    places: where its files may be below the folder that the user names; the first is torchvision's.
    """

    title: str
    class_names: tuple[str, ...]
    places: tuple[Path, ...]
    marker: str
    read: Callable[[Path], _Arrays]
    download: Callable[[Path], None]

    def folder(self, root: Path) -> Path | None:
        for place in self.places:
            if any(is_file(root / place / f"{self.marker}{suffix}") for suffix in ("", ".gz")):
                return root / place
        return None


COLLECTIONS: Mapping[str, Collection] = MappingProxyType(
    {
        "mnist": Collection(
            title="MNIST, any two digits",
            class_names=tuple("0123456789"),
            places=(Path("MNIST", "raw"), Path("raw"), Path()),
            marker="train-images-idx3-ubyte",
            read=idx.read_mnist,
            download=download_mnist,
        ),
        "cifar10": Collection(
            title="CIFAR-10, any two classes",
            class_names=cifar10.CLASSES,
            places=(Path(cifar10.FOLDER), Path()),
            marker="data_batch_1",
            read=cifar10.read_cifar10,
            download=download_cifar10,
        ),
    }
)


def load_task(
    name_or_path: str | Path,
    *,
    classes: tuple[ClassName, ClassName] | None = None,
    root: Path | None = None,
    download: bool = False,
) -> Task:
    """Read and check a two-class task.

    name_or_path: "mnist_0_1", the bundled task; "mnist" or "cifar10", a folder in torchvision's layout below root
    (default data/downloads); the path of such a folder; or the path of an .npz file (npz.py).
    classes: which two of ten classes become labels 0 and 1, by number or CIFAR-10 name; default the first two.
    download: let torchvision fetch "mnist" or "cifar10" into root where it is absent.

    Raises DataError for data that is missing, malformed or mislabelled; EngineUnavailable without torchvision.
    """
    if name_or_path == BUNDLED:
        _refuse_classes(classes, BUNDLED)
        return read_npz(bundle.data_file(f"{BUNDLED}.npz"), name=BUNDLED, sha256=BUNDLED_SHA256)
    if str(name_or_path) in COLLECTIONS:
        name = str(name_or_path)
        return _from_collection(name, _folder(name, root or DOWNLOADS, download), classes)
    path = Path(name_or_path)
    if is_folder(path):
        name, folder = _recognise(path)
        return _from_collection(name, folder, classes)
    if path.suffix != ".npz" and not exists(path):
        raise DataError(
            f"expected {', '.join((BUNDLED, *COLLECTIONS))}, an .npz file or a folder in torchvision's layout, "
            f"got {str(name_or_path)!r}, which is none ({what_is(path)}); check the name or the path"
        )
    _refuse_classes(classes, str(path))
    return read_npz(path, name=path.stem)


def _folder(name: str, root: Path, download: bool) -> Path:
    collection = COLLECTIONS[name]
    folder = collection.folder(root)
    if folder is None and download:
        collection.download(root)
        folder = collection.folder(root)
    if folder is None:
        raise DataError(
            f"expected {collection.title.split(',')[0]} in torchvision's layout at {root / collection.places[0]}, "
            f"got no such files; name the folder that holds it, or pass --download (download=True), which needs "
            "pip install mpc-tamper[torchvision]"
        )
    return folder


def _recognise(path: Path) -> tuple[str, Path]:
    """Which collection a folder holds, and where."""
    found = [(name, folder) for name, c in COLLECTIONS.items() if (folder := c.folder(path)) is not None]
    if len(found) == 1:
        return found[0]
    got = " and ".join(name for name, _ in found) or "neither"
    places = ", ".join(str(c.places[0]) for c in COLLECTIONS.values())
    raise DataError(
        f"{path}: expected one data set in torchvision's layout ({places}), got {got}; name the folder of one"
    )


def _from_collection(name: str, folder: Path, classes: tuple[ClassName, ClassName] | None) -> Task:
    collection = COLLECTIONS[name]
    first, second = _class_numbers(classes or (0, 1), collection.class_names)
    x_train, y_train, x_test, y_test, image_shape = collection.read(folder)
    names = (collection.class_names[first], collection.class_names[second])
    train = _two_classes(x_train, y_train, first, second)
    test = _two_classes(x_test, y_test, first, second)
    digest = hashlib.sha256()
    for array in (*train, *test):
        digest.update(np.ascontiguousarray(array).data)
    return checked(
        Task(
            f"{name}_{names[0]}_{names[1]}",
            *train,
            *test,
            image_shape=image_shape,
            classes=names,
            source=f"{folder}, classes {names[0]} and {names[1]}",
            sha256=digest.hexdigest(),
        )
    )


def _two_classes(x: np.ndarray, y: np.ndarray, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of two classes in their order, labelled 0 and 1."""
    kept = (y == first) | (y == second)
    return x[kept], (y[kept] == second).astype(np.uint8)


def _class_numbers(classes: tuple[ClassName, ClassName], names: tuple[str, ...]) -> tuple[int, int]:
    numbers = [_class_number(c, names) for c in classes]
    if len(numbers) != 2 or numbers[0] == numbers[1]:
        raise DataError(
            f"expected two different classes, got {', '.join(map(str, classes))}; choose two of {', '.join(names)}"
        )
    return numbers[0], numbers[1]


def _class_number(value: ClassName, names: tuple[str, ...]) -> int:
    text = str(value).strip().lower()
    if text in names:
        return names.index(text)
    if text.isdecimal() and len(text) < _DIGITS and int(text) < len(names):
        return int(text)
    raise DataError(f"expected a class, 0 to {len(names) - 1} or {', '.join(names)}, got {value!r}")


def _refuse_classes(classes: tuple[ClassName, ClassName] | None, source: str) -> None:
    if classes is not None:
        raise DataError(
            f"{source}: expected no choice of classes, for it holds two, labelled 0 and 1; "
            f"got {', '.join(map(str, classes))}; leave classes out"
        )
