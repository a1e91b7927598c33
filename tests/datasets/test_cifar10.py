"""CIFAR-10's pickled batches are read as data, whoever wrote them, and never run."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

# Only writes test data: the reader under test never unpickles.
from pickle import dumps  # noqa: TID251
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets import Task, airplane_automobile, load_task
from mpc_tamper.datasets.airplane_automobile import PixelCopy, load_airplane_automobile
from mpc_tamper.datasets.cifar10 import PIXELS, read_batch
from mpc_tamper.datasets.inert_pickle import Call, Global, read_inert

ROWS = 20


def batch(rows: int = ROWS, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(rows, PIXELS), dtype=np.uint8)
    return pixels, [i % 10 for i in range(rows)]


def python2_pickle(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2's cPickle wrote it, protocol 2: the form of the original distribution."""
    rows, columns = pixels.shape
    content = pixels.tobytes()

    def short(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text

    return b"".join(
        [
            b"\x80\x02}q\x01(",
            short(b"batch_label") + b"q\x02" + short(b"training batch 1 of 5") + b"q\x03",
            short(b"labels") + b"q\x04]q\x05(" + b"".join(b"K" + bytes([label]) for label in labels) + b"e",
            short(b"data") + b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85q\t",
            short(b"b") + b"q\n\x87q\x0bRq\x0c",
            b"(K\x01M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86q\r",
            b"cnumpy\ndtype\nq\x0e" + short(b"u1") + b"q\x0fK\x00K\x01\x87q\x10Rq\x11",
            b"(K\x03" + short(b"|") + b"q\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x13b\x89",
            b"T" + struct.pack("<i", len(content)) + content + b"q\x14tq\x15b",
            short(b"filenames") + b"q\x16]q\x17(" + short(b"a.png") + b"q\x18eu.",
        ]
    )


def python3_pickle(pixels: np.ndarray, labels: list[int], protocol: int) -> bytes:
    return dumps({b"data": pixels, b"labels": labels, b"filenames": [b"a.png"]}, protocol=protocol)


def write_folder(root: Path, protocol: int | None = None) -> list[tuple[np.ndarray, list[int]]]:
    """The six batches, in Python 2's form or a protocol of Python 3's."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    batches = [batch(seed=seed) for seed in range(6)]
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    for name, (pixels, labels) in zip(names, batches, strict=True):
        content = python2_pickle(pixels, labels) if protocol is None else python3_pickle(pixels, labels, protocol)
        (folder / name).write_bytes(content)
    return batches


@pytest.mark.parametrize("protocol", [None, 2, 3, 4, 5])
def test_folder_gives_two_classes_in_order(tmp_path: Path, protocol: int | None) -> None:
    batches = write_folder(tmp_path, protocol)
    task = load_task(tmp_path, classes=("Frog", 2))
    rows = [2, 6, 12, 16]
    assert task.x_train.tolist() == np.concatenate([pixels[rows] for pixels, _ in batches[:5]]).tolist()
    assert task.y_train.tolist() == [1, 0, 1, 0] * 5
    assert task.x_test.tolist() == batches[5][0][rows].tolist()
    assert (task.name, task.classes, task.image_shape) == ("cifar10_frog_bird", ("frog", "bird"), (3, 32, 32))
    assert load_task(tmp_path / "cifar-10-batches-py", classes=(6, "bird")).sha256 == task.sha256
    assert load_task("cifar10", root=tmp_path).classes == ("airplane", "automobile")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_read_only_arrays_and_text_keys(tmp_path: Path, protocol: int) -> None:
    pixels, labels = batch()
    pixels.setflags(write=False)
    path = tmp_path / "data_batch_1"
    path.write_bytes(dumps({"labels": labels, "data": pixels}, protocol=protocol))
    read, read_labels = read_batch(path)
    assert np.array_equal(read, pixels)
    assert read_labels.tolist() == labels


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0] * (ROWS - 1)}, "expected 19 rows x 3072 pixels for 19 labels, got 20 rows"),
        ({"labels": [0] * (ROWS - 1) + [10]}, "expected labels as a list of integers 0 to 9"),
        ({"labels": [True] * ROWS}, "expected labels as a list of integers 0 to 9"),
        ({"labels": "0" * ROWS}, "expected labels as a list of integers 0 to 9"),
        ({"labels": []}, "expected labels as a list of integers 0 to 9"),
        ({"data": np.zeros((ROWS, 3071), np.uint8)}, r"expected data of shape \(rows, 3072\)"),
        ({"data": np.zeros((ROWS, 3, 1024), np.uint8)}, r"expected data of shape \(rows, 3072\)"),
        ({"data": np.zeros((ROWS, PIXELS), np.int8)}, "expected data of dtype uint8"),
        ({"data": np.asfortranarray(np.zeros((ROWS, PIXELS), np.uint8))}, "in row-major order"),
        ({"data": bytes(ROWS * PIXELS)}, "expected data as a NumPy array"),
        ({"data": None}, "expected data as a NumPy array"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_batch_at_fault(tmp_path: Path, change: dict[str, Any], message: str, protocol: int) -> None:
    pixels, labels = batch()
    path = tmp_path / "data_batch_1"
    path.write_bytes(dumps({"data": pixels, "labels": labels, **change}, protocol=protocol))
    with pytest.raises(DataError, match=message):
        read_batch(path)


def test_batch_without_data(tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(dumps({"labels": [1]}))
    with pytest.raises(DataError, match="expected an entry 'data', got labels"):
        read_batch(path)
    path.write_bytes(dumps([1]))
    with pytest.raises(DataError, match="expected a dict with data and labels, got list"):
        read_batch(path)
    with pytest.raises(DataError, match="No such file"):
        read_batch(tmp_path / "data_batch_2")


def test_pixels_shorter_than_the_shape_says(tmp_path: Path) -> None:
    pixels, labels = batch()
    content = python2_pickle(pixels, labels)
    longer = content.replace(b"M" + struct.pack("<H", ROWS), b"M" + struct.pack("<H", ROWS + 1), 1)
    path = tmp_path / "data_batch_1"
    path.write_bytes(longer.replace(b"](", b"](", 1))
    with pytest.raises(DataError, match="got 21 rows and 61440 bytes"):
        read_batch(path)


@pytest.mark.parametrize("cut", [1, 10, 100, ROWS * PIXELS])
def test_batch_cut_short(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(python2_pickle(*batch())[:-cut])
    with pytest.raises(DataError, match="expected a pickle of plain data and arrays"):
        read_batch(path)


class _Attack:
    """Unpickling this would create a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_in_a_batch_is_run(tmp_path: Path, protocol: int) -> None:
    pixels, labels = batch()
    trap = tmp_path / "trap"
    path = tmp_path / "data_batch_1"
    path.write_bytes(dumps({"filenames": _Attack(trap), "data": pixels, "labels": labels}, protocol=protocol))
    assert np.array_equal(read_batch(path)[0], pixels)
    assert not trap.exists()
    path.write_bytes(dumps({"data": _Attack(trap), "labels": labels}, protocol=protocol))
    with pytest.raises(DataError, match="got call"):
        read_batch(path)
    assert not trap.exists()


def test_calls_and_names_stay_inert() -> None:
    content = b"cos\nsystem\n(S'echo run'\ntR."  # protocol 0
    with pytest.raises(DataError, match="opcode STRING"):
        read_inert(content, "batch")
    assert read_inert(b"\x80\x02cos\nsystem\nU\x08echo run\x85R.", "batch") == Call(
        Global("os", "system"), ("echo run",)
    )


@pytest.mark.parametrize(
    "content",
    [b"", b".", b"\x80\x02K\x01K\x02.", b"\x80\x02K\x01", b"\x80\x02]K\x01s.", b"\x80\x02h\x05.", b"\x80\x02\x85.",
     b"\x80\x02e.", b"\x80\x02}(K\x01u.", b"\x80\x02K\x01K\x02b.", b"\x80\x02](]e]]u.", b"Pid\n.", b"\xff"],
)  # fmt: skip
def test_malformed_pickles(content: bytes) -> None:
    with pytest.raises(DataError, match="does not read so"):
        read_inert(content, "batch")


def test_cifar10_of_the_user(cifar10_task: Task) -> None:
    assert cifar10_task.image_shape == (3, 32, 32)
    assert cifar10_task.x_train.shape == (10_000, 3_072)
    assert cifar10_task.x_test.shape == (2_000, 3_072)


def write_npz(path: Path, pixels: int = PIXELS) -> str:
    """Four images, two of each class; the file's sha256."""
    x, y = np.zeros((4, pixels), dtype=np.uint8), np.array([0, 1, 0, 1], dtype=np.uint8)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_which_copy_of_the_pixels_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = write_npz(tmp_path / "mine.npz")
    task, pixels = load_airplane_automobile(tmp_path / "mine.npz")
    assert (task.name, task.classes) == ("cifar10_airplane_automobile", ("airplane", "automobile"))
    assert (task.sha256, pixels) == (sha256, PixelCopy.UNKNOWN)
    monkeypatch.setattr(airplane_automobile, "JPEG_SHA256", sha256)
    assert load_airplane_automobile(tmp_path / "mine.npz")[1] is PixelCopy.JPEG


def test_the_original_batches_are_known_by_all_their_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path)
    files = sorted((tmp_path / "cifar-10-batches-py").iterdir())
    known = {file.name: hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() for file in files}
    assert set(known) == set(airplane_automobile.BATCHES_MD5)
    task, pixels = load_airplane_automobile(tmp_path)
    assert (task.name, pixels) == ("cifar10_airplane_automobile", PixelCopy.UNKNOWN)
    monkeypatch.setattr(airplane_automobile, "BATCHES_MD5", known)
    assert load_airplane_automobile(tmp_path)[1] is PixelCopy.ORIGINAL
    monkeypatch.setattr(airplane_automobile, "BATCHES_MD5", known | {"test_batch": "0" * 32})
    assert load_airplane_automobile(tmp_path)[1] is PixelCopy.UNKNOWN


def test_images_of_another_size_are_not_cifar10(tmp_path: Path) -> None:
    write_npz(tmp_path / "small.npz", pixels=48)
    with pytest.raises(DataError, match=r"expected images of \(3, 32, 32\).*got \(3, 4, 4\)"):
        load_airplane_automobile(tmp_path / "small.npz")


def test_a_file_of_other_classes_too_is_not_the_papers_task(tmp_path: Path) -> None:
    x, y = np.zeros((3, PIXELS), dtype=np.uint8), np.array([0, 1, 2], dtype=np.uint8)
    np.savez(tmp_path / "three.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match=r"in two classes, got \(3, 32, 32\) in 3; name"):
        load_airplane_automobile(tmp_path / "three.npz")


def test_the_jpeg_copy(cifar10_task: Task) -> None:
    if cifar10_task.sha256.startswith("654e9560089d"):
        assert cifar10_task.sha256 == airplane_automobile.JPEG_SHA256
