"""Tasks: the bundled one, .npz files, MNIST's folder, and every check."""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, EngineUnavailable
from mpc_tamper.datasets import Task, load, load_task
from mpc_tamper.datasets import idx as mnist_files
from mpc_tamper.datasets.npz import read_contribution, read_npz


def arrays(**changes: Any) -> dict[str, Any]:
    """A good .npz's arrays, some of them changed; None leaves one out."""
    good = {
        "x_train": np.arange(64, dtype=np.uint8).reshape(4, 16),
        "y_train": np.array([0, 1, 1, 0], dtype=np.uint8),
        "x_test": np.arange(32, dtype=np.uint8).reshape(2, 16),
        "y_test": np.array([1, 0], dtype=np.uint8),
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def save(path: Path, **changes: Any) -> Path:
    np.savez(path, **arrays(**changes))
    return path


def test_bundled_mnist_is_the_papers_two_digits() -> None:
    task = load_task("mnist_0_1")
    assert (task.x_train.shape, task.x_test.shape) == ((12_665, 784), (2_115, 784))
    assert np.bincount(task.y_train).tolist() == [5_923, 6_742]
    assert np.bincount(task.y_test).tolist() == [980, 1_135]
    assert task.image_shape == (28, 28)
    assert task.classes == ("0", "1")
    assert task.sha256 == load.BUNDLED_SHA256


def test_bundled_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected sha256 8f53d9149a"):
        read_npz(save(tmp_path / "mnist_0_1.npz"), name="mnist_0_1", sha256=load.BUNDLED_SHA256)


def test_npz_of_the_users_own(tmp_path: Path) -> None:
    task = load_task(save(tmp_path / "mine.npz"))
    assert (task.name, task.image_shape, task.classes) == ("mine", (4, 4), ("0", "1"))
    assert task.x_train.tolist() == arrays()["x_train"].tolist()
    assert task.y_test.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("pixels", "given", "shape"),
    [(16, None, (4, 4)), (12, None, (3, 2, 2)), (10, [2, 5], (2, 5)), (16, [4, 2, 2], (4, 2, 2))],
)
def test_image_shape_is_given_or_inferred(
    tmp_path: Path, pixels: int, given: list[int] | None, shape: tuple[int, ...]
) -> None:
    path = save(
        tmp_path / "mine.npz",
        x_train=np.ones((4, pixels), dtype=np.uint8),
        x_test=np.ones((2, pixels), dtype=np.uint8),
        image_shape=None if given is None else np.array(given),
    )
    assert load_task(path).image_shape == shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((4, 16))}, "x_train: expected uint8, got float64"),
        ({"y_test": np.array([0, 1])}, "y_test: expected uint8, got int64"),
        ({"x_train": np.zeros((4, 4, 4), dtype=np.uint8)}, r"x_train: expected shape \(rows, pixels\)"),
        ({"x_test": np.zeros((2, 9), dtype=np.uint8)}, r"x_test: expected shape \(rows, 16\).*got \(2, 9\)"),
        ({"y_train": np.array([0, 1, 1], dtype=np.uint8)}, r"y_train: expected shape \(4,\).*got \(3,\)"),
        ({"y_train": np.ones(4, dtype=np.uint8)}, "y_train: expected both labels 0 and 1, got labels 1"),
        ({"y_test": np.zeros(2, dtype=np.uint8)}, "y_test: expected both labels 0 and 1, got labels 0"),
        (
            {"y_test": np.array([0, 1, 2], dtype=np.uint8), "x_test": np.zeros((3, 16), dtype=np.uint8)},
            "y_test: expected labels 0 and 1 only, got labels 0, 1, 2; keep .*, kept = y_test < 2, of",
        ),
        (
            {"y_train": np.array([0, 1, 2, 0], dtype=np.uint8)},
            "y_test: expected all labels from 0 to 2, got labels 0, 1; add rows of class 2, or leave it out of",
        ),
        (
            {"y_train": np.array([0, 2, 2, 0], dtype=np.uint8)},
            "y_train: expected both labels 0 and 1, got labels 0, 2; number the classes 0 and 1: save .y_train == 2.",
        ),
        (
            {"y_train": np.array([0, 1, 4, 0], dtype=np.uint8)},
            r"y_train: expected all labels from 0 to 2, got labels 0, 1, 4; .*: save numpy.searchsorted.\[0, 1, 4\]",
        ),
        (
            {"y_train": np.array([-1, 1, 1, -1])},
            "y_train: expected uint8, got int64 labels -1, 1; .*: save .y_train == 1",
        ),
        ({"y_train": np.array([1, 2, 3, 1])}, "got int64 labels 1, 2, 3; number the classes 0 to 2: save .y_train - 1"),
        ({"y_test": np.array([7, 3], dtype=np.uint8)}, "y_test: expected both labels 0 and 1, got labels 3, 7"),
        (
            {"x_test": np.zeros((0, 16), dtype=np.uint8), "y_test": np.zeros(0, dtype=np.uint8)},
            "y_test: expected both labels 0 and 1, got no rows",
        ),
        ({"x_train": np.zeros((4, 10), dtype=np.uint8)}, "expected n x n or 3 x n x n pixels a row, got 10"),
        ({"x_train": np.zeros((4, 0), dtype=np.uint8)}, "expected n x n or 3 x n x n pixels a row, got 0"),
        ({"image_shape": np.array([4, 5])}, r"x_train: expected shape \(rows, 20\)"),
        ({"image_shape": np.array([16])}, "expected an image_shape"),
        ({"image_shape": np.array([4.0, 4.0])}, "expected image_shape as two or three integers, got float64"),
        ({"image_shape": np.array([-4, -4])}, "expected an image_shape"),
        ({"y_test": None}, "expected the arrays x_train, y_train, x_test, y_test, got .*save y_test too"),
        ({"y_test": np.array([{}, []], dtype=object)}, "y_test: expected arrays of numbers, got .* Python objects"),
    ],
)
def test_npz_at_fault_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_task(save(tmp_path / "mine.npz", **changes))
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_file_that_is_no_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="expected arrays of numbers") as caught:
        load_task(path)
    assert "pickle" not in str(caught.value)


def test_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(name, b"text")
    with pytest.raises(DataError, match="x_train: expected arrays of numbers"):
        load_task(path)


def test_npz_cut_short(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="does not read"):
        load_task(path)


def test_single_array_is_no_task(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3, dtype=np.uint8))
    with pytest.raises(DataError, match=r"expected arrays of numbers .* got a single array \(\.npy\); save x_train"):
        load_task(path)


@pytest.mark.parametrize("name", ["mnist_0_2", "nowhere/at/all", "missing.npz"])
def test_name_or_path_that_is_none(name: str) -> None:
    with pytest.raises(DataError, match=r"expected .*(check the name or the path|check the path)"):
        load_task(name)


def test_two_classes_leave_no_choice(tmp_path: Path) -> None:
    for source in ("mnist_0_1", save(tmp_path / "mine.npz")):
        with pytest.raises(DataError, match="leave classes out"):
            load_task(source, classes=(0, 1))


# MNIST in torchvision's folder


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, *, compressed: bool = False) -> dict[str, np.ndarray]:
    """30 training and 10 test images of 28 x 28, their labels 0, 1, ..., 9, 0, ..."""
    rng = np.random.default_rng(3)
    files = {}
    for part, rows in (("train", 30), ("t10k", 10)):
        files[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, size=(rows, 28, 28), dtype=np.uint8)
        files[f"{part}-labels-idx1-ubyte"] = (np.arange(rows) % 10).astype(np.uint8)
    folder.mkdir(parents=True)
    for name, array in files.items():
        if compressed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return files


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("below", ["MNIST/raw", "raw", "."])
def test_mnist_folder(tmp_path: Path, below: str, compressed: bool) -> None:
    files = write_mnist(tmp_path / "root" / below, compressed=compressed)
    task = load_task(tmp_path / "root", classes=(7, 3))
    images = files["train-images-idx3-ubyte"]
    assert task.x_train.tolist() == [images[i].reshape(-1).tolist() for i in (3, 7, 13, 17, 23, 27)]
    assert task.y_train.tolist() == [1, 0, 1, 0, 1, 0]
    assert task.y_test.tolist() == [1, 0]
    assert (task.name, task.classes, task.image_shape) == ("mnist_7_3", ("7", "3"), (28, 28))
    same = load_task("mnist", root=tmp_path / "root", classes=("7", "3"))
    assert same.sha256 == task.sha256
    assert load_task(tmp_path / "root").classes == ("0", "1")


def test_more_than_two_digits_of_a_folder(tmp_path: Path) -> None:
    files = write_mnist(tmp_path / "raw")
    labels = files["train-labels-idx1-ubyte"].tolist()
    task = load_task(tmp_path, classes=(7, 3, 5))
    assert (task.name, task.classes) == ("mnist_7_3_5", ("7", "3", "5"))
    assert task.source == f"{tmp_path / 'raw'}, classes 7, 3 and 5"
    assert task.y_train.tolist() == [(7, 3, 5).index(y) for y in labels if y in (7, 3, 5)]
    whole = load_task(tmp_path, classes="all")
    assert (whole.name, whole.classes, whole.source) == ("mnist", tuple("0123456789"), str(tmp_path / "raw"))
    assert whole.y_train.tolist() == labels


@pytest.mark.parametrize("place", ["root/fashion-mnist", "root/FashionMNIST/raw", "root"])
def test_fashion_is_told_from_digits_by_its_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Whose files have the same names, whatever folder they are in."""
    files = write_mnist(tmp_path / place, compressed=True)
    root = tmp_path / "root"
    if place == "root":
        assert load_task(root, classes="all").name == "mnist"
    labels = hashlib.sha256(idx(files["t10k-labels-idx1-ubyte"])).hexdigest()
    monkeypatch.setattr(mnist_files, "_FASHION_TEST_LABELS", labels)
    task = load_task(root, classes=("pullover", "coat"))
    assert (task.name, task.classes) == ("fashion_mnist_pullover_coat", ("pullover", "coat"))
    assert load_task("fashion_mnist", root=root, classes=(2, 4)).sha256 == task.sha256
    assert not any("/" in name for name in load_task(root, classes="all").classes)
    with pytest.raises(DataError, match="expected MNIST in torchvision's layout"):
        load_task("mnist", root=root)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"\x00\x00\x08\x01" + bytes(12), "expected an IDX file of uint8 in 3 dimensions"),
        ("train-images-idx3-ubyte", b"", "begins with nothing"),
        ("train-images-idx3-ubyte", idx(np.zeros((30, 28, 28), np.uint8))[:-1], "expected 23536 bytes .*got 23535"),
        ("train-images-idx3-ubyte", idx(np.zeros((30, 28, 28), np.uint8)) + b"x", "expected 23536 bytes .*got 23537"),
        ("train-labels-idx1-ubyte", idx(np.zeros(29, np.uint8)), "got 30 images and 29 labels"),
        ("t10k-images-idx3-ubyte", idx(np.zeros((10, 14, 14), np.uint8)), "images of one size"),
        ("t10k-labels-idx1-ubyte", None, "expected .*t10k-labels-idx1-ubyte or the same with .gz, got neither"),
        ("t10k-labels-idx1-ubyte", idx(np.full(10, 5, np.uint8)), "y_test: expected both labels 0 and 1, got no rows"),
    ],
)
def test_mnist_folder_at_fault(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    write_mnist(tmp_path / "raw")
    path = tmp_path / "raw" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_task(tmp_path)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(bytes(100), mtime=0)[:-9]])
def test_damaged_gzip(tmp_path: Path, content: bytes) -> None:
    write_mnist(tmp_path / "raw", compressed=True)
    (tmp_path / "raw" / "t10k-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: expected a readable file"):
        load_task(tmp_path)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((3, 3), "two or more different classes"),
        ((3,), "two or more different classes, got 3; choose from 0, 1, 2"),
        ((0, 10), "expected a class, 0 to 9"),
        (("cat", 0), "expected a class"),
    ],
)
def test_classes_that_mnist_lacks(tmp_path: Path, classes: tuple[int, int], message: str) -> None:
    write_mnist(tmp_path / "raw")
    with pytest.raises(DataError, match=message):
        load_task(tmp_path, classes=classes)


def test_folder_without_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got neither"):
        load_task(tmp_path)
    with pytest.raises(DataError, match=r"expected CIFAR-10 in torchvision's layout at .*cifar-10-batches-py"):
        load_task("cifar10", root=tmp_path)


# download


def test_download_without_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(EngineUnavailable, match=r"pip install mpc-tamper\[torchvision\]"):
        load_task("mnist", root=tmp_path, download=True)


def _torchvision(monkeypatch: pytest.MonkeyPatch, **datasets: Any) -> None:
    package = ModuleType("torchvision")
    package.datasets = SimpleNamespace(**datasets)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", package)


def test_download_goes_through_torchvision_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def fetch(root: str, train: bool, download: bool) -> None:
        calls.append(root)
        write_mnist(Path(root) / "MNIST" / "raw")

    _torchvision(monkeypatch, MNIST=fetch)
    for _ in range(2):
        task: Task = load_task("mnist", root=tmp_path / "new", download=True)
    assert calls == [str(tmp_path / "new")]
    assert len(task.x_train) == 6


def test_download_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no network")

    cifar10 = SimpleNamespace(url="u", filename="f", tgz_md5="m")
    _torchvision(monkeypatch, CIFAR10=cifar10, utils=SimpleNamespace(download_and_extract_archive=fail))
    with pytest.raises(DataError, match=r"expected to download CIFAR-10 .*no network"):
        load_task("cifar10", root=tmp_path, download=True)


def test_a_client_needs_rows_of_any_classes_and_no_test_images(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    x, y = np.zeros((3, 16), np.uint8), np.array([7, 3, 7], np.uint8)
    np.savez(path, x_train=x, y_train=y)
    assert [part.tolist() for part in read_contribution(path)] == [x.tolist(), y.tolist()]
    for arrays, message in (
        ({"x_train": x}, "expected the arrays x_train, y_train, got x_train; save y_train too"),
        ({"x_train": x / 255, "y_train": y}, "x_train: expected uint8"),
        ({"x_train": x, "y_train": y[:2]}, "y_train: expected uint8 labels, one for each of the 3 images"),
        ({"x_train": x, "y_train": y.astype(int)}, r"got int64 of shape \(3,\)"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            read_contribution(path)
