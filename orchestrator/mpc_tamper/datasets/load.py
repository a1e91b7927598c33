"""Find a task by its name or path, read it, keep the classes that were chosen, check it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.files import exists, is_file, is_folder, what_is
from mpc_tamper.datasets import cifar10, idx
from mpc_tamper.datasets.checks import checked
from mpc_tamper.datasets.classes import Choice, class_numbers, in_words, rows_of, sha256_of, with_classes
from mpc_tamper.datasets.download import download_cifar10, download_fashion_mnist, download_mnist
from mpc_tamper.datasets.npz import read_npz
from mpc_tamper.datasets.tables.files import is_table
from mpc_tamper.datasets.tables.split import SEED, SHARE
from mpc_tamper.datasets.tables.task import Reading, read_tables
from mpc_tamper.datasets.task import Task

BUNDLED = "mnist_0_1"
BUNDLED_SHA256 = "8f53d9149a1833812235945e8e9219bcf19795814d6b429a37df92b5478e16a7"
DOWNLOADS = Path("data", "downloads")

_Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]


@dataclass(frozen=True)
class Bundled:
    """A task that travels with the software.  file: in data/.  sha256: what it must hash to."""

    title: str
    file: str
    sha256: str


BUNDLES: Mapping[str, Bundled] = MappingProxyType(
    {
        BUNDLED: Bundled(
            "MNIST digits 0 and 1, bundled: 12,665 training and 2,115 test images", "mnist_0_1.npz", BUNDLED_SHA256
        ),
        "mnist_10": Bundled(
            "MNIST, all ten digits, bundled: 60,000 training and 10,000 test images",
            "mnist.npz",
            "6ff3272174ad1dcb2ce270847ad63698633925ed0249e1e856d6fd92a3fbd58e",
        ),
    }
)


@dataclass(frozen=True)
class Collection:
    """A data set of ten classes in torchvision's on-disk layout, of which a task keeps two or more.

    places: where its files may be below the folder that the user names; the first is torchvision's.
    holds: whether a folder of such file names holds this data set, where another one has the same.
    """

    title: str
    class_names: tuple[str, ...]
    places: tuple[Path, ...]
    marker: str
    read: Callable[[Path], _Arrays]
    download: Callable[[Path], None]
    holds: Callable[[Path], bool] = lambda folder: True

    def folder(self, root: Path) -> Path | None:
        for place in self.places:
            found = any(is_file(root / place / f"{self.marker}{suffix}") for suffix in ("", ".gz"))
            if found and self.holds(root / place):
                return root / place
        return None


COLLECTIONS: Mapping[str, Collection] = MappingProxyType(
    {
        "mnist": Collection(
            title="MNIST, any two or more digits",
            class_names=tuple("0123456789"),
            places=(Path("MNIST", "raw"), Path("raw"), Path()),
            marker="train-images-idx3-ubyte",
            read=idx.read_mnist,
            download=download_mnist,
            holds=lambda folder: not idx.is_fashion(folder),
        ),
        "fashion_mnist": Collection(
            title="Fashion-MNIST, any two or more classes",
            class_names=idx.FASHION_CLASSES,
            places=(Path("FashionMNIST", "raw"), Path("raw"), Path("fashion-mnist"), Path()),
            marker="train-images-idx3-ubyte",
            read=idx.read_mnist,
            download=download_fashion_mnist,
            holds=idx.is_fashion,
        ),
        "cifar10": Collection(
            title="CIFAR-10, any two or more classes",
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
    classes: Choice | None = None,
    root: Path | None = None,
    download: bool = False,
    label: str | None = None,
    schema: str | Path | None = None,
    test_data: str | Path | None = None,
    test_share: float = SHARE,
    split_seed: int = SEED,
    fill: str | float | None = None,
    categories: Sequence[str] = (),
    ignored: Sequence[str] = (),
) -> Task:
    """Read and check a task.

    name_or_path: "mnist_0_1" or "mnist_10", the bundled tasks; "mnist", "fashion_mnist" or "cifar10", a folder in
    torchvision's layout below root (default data/downloads); the path of such a folder; the path of an .npz file
    (npz.py); or that of a table, .csv, .tsv or .parquet, to which the options from label on belong (docs/data.md).
    classes: which of more than two classes become labels 0, 1, ..., by number or name, or "all". Where None, the first
    two of torchvision's folders, and all of the others.
    download: let torchvision fetch one of the three into root where it is absent.
    label: the column of a table's classes.  schema: a file that says what is public of its columns; taken from the rows
    where None.  test_data: another table, whose rows test; where None, test_share of each class does, drawn with
    split_seed.  fill: "mean", "median", "most-frequent" or a value for what is missing, else refused.
    categories: columns of numbers that are categories.  ignored: columns to leave out.

    Raises DataError for data that is missing, malformed or mislabelled; EngineUnavailable without torchvision, or
    without pyarrow for Parquet.
    """
    reading = Reading(
        label,
        None if schema is None else Path(schema),
        None if test_data is None else Path(test_data),
        test_share,
        split_seed,
        None if fill is None else str(fill),
        tuple(categories),
        tuple(ignored),
    )
    name = str(name_or_path)
    if is_table(path := Path(name_or_path)):
        return load_tables([path], reading, classes=classes)
    if reading != Reading():
        raise ParameterError(
            f"expected a table (.csv, .tsv or .parquet) with a label, a schema, tests or columns of its own, got "
            f"{name}; save it as one, or leave those options out"
        )
    if name in BUNDLES:
        path = bundle.data_file(BUNDLES[name].file)
        return with_classes(read_npz(path, name=name, sha256=BUNDLES[name].sha256), classes)
    if name in COLLECTIONS:
        return _from_collection(name, _folder(name, root or DOWNLOADS, download), classes)
    if is_folder(path):
        name, folder = _recognise(path)
        return _from_collection(name, folder, classes)
    if path.suffix != ".npz" and not exists(path):
        raise DataError(
            f"expected {', '.join((*BUNDLES, *COLLECTIONS))}, an .npz file, a table (.csv, .tsv or .parquet) or a "
            f"folder in torchvision's layout, got {str(name_or_path)!r}, which is none ({what_is(path)}); check the "
            "name or the path"
        )
    return with_classes(read_npz(path, name=path.stem), classes)


def load_tables(paths: Sequence[str | Path], reading: Reading | None = None, *, classes: Choice | None = None) -> Task:
    """A task of several owners' tables, one after the other; owner_rows says how many training rows each has.

    classes: as in load_task(). Raises DataError for files that are no such tables, or disagree.
    """
    places = [Path(path) for path in paths]
    for place in places:
        if not is_table(place):
            raise DataError(
                f"{place}: expected a table of each owner, .csv, .tsv or .parquet, got another name; check it"
            )
    return with_classes(read_tables(places, reading or Reading()), classes)


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


def _from_collection(name: str, folder: Path, classes: Choice | None) -> Task:
    collection = COLLECTIONS[name]
    numbers = class_numbers(classes or (0, 1), collection.class_names)
    x_train, y_train, x_test, y_test, image_shape = collection.read(folder)
    names = tuple(collection.class_names[number] for number in numbers)
    whole = names == collection.class_names
    train, test = rows_of(numbers, x_train, y_train), rows_of(numbers, x_test, y_test)
    return checked(
        Task(
            name if whole else "_".join((name, *names)),
            *train,
            *test,
            image_shape=image_shape,
            classes=names,
            source=str(folder) if whole else f"{folder}, {in_words(names)}",
            sha256=sha256_of((*train, *test)),
        )
    )
