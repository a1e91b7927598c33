"""Data that are not what is expected: whatever a file holds is told in one line, and the advice leads to right data."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_tamper.core.errors import DataError
from mpc_tamper.datasets.npz import read_npz

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 16), dtype=np.uint8)
PIXELS[0, :2] = 0, 255
LABELS = np.array([0, 1, 0, 1, 1, 0], np.uint8)


MANY = np.array([0, 1, 2, 2, 1, 0], np.uint8)


def saved(path: Path, **changes: Any) -> Path:
    arrays = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS, "y_test": LABELS} | changes
    np.savez(path, **arrays)
    return path


def mended(path: Path, name: str, array: Any) -> np.ndarray:
    """The array after the advice of the message, which is an expression, has been followed."""
    with pytest.raises(DataError) as caught:
        read_npz(path, name="mine")
    message = str(caught.value)
    assert "\n" not in message
    found = re.search(rf"save (.*?{name}.*?)(, and image_shape|, one label|$)", message)
    assert found is not None, message
    return np.asarray(eval(found[1], {"numpy": np, name: array}))


@pytest.mark.parametrize(
    ("images", "exact"),
    [
        (PIXELS.astype(np.float32) / 255, True),
        (PIXELS / 255, True),
        (PIXELS / 127.5 - 1, True),
        (PIXELS.astype(np.float64), True),
        (PIXELS.astype(np.int64), True),
        (PIXELS.astype(np.uint16) * 257, True),
        (PIXELS > 127, False),
        ((PIXELS > 127).astype(np.int32), False),
        ((PIXELS > 127).astype(np.float64), False),
        (PIXELS + 0.25 * (PIXELS < 255), False),
    ],
    ids=["float32 to 1", "float64 to 1", "from -1", "float", "int", "16 bits", "bool", "0 and 1", "0.0, 1.0", "parts"],
)
def test_images_of_another_type_are_mended_without_loss(tmp_path: Path, images: np.ndarray, exact: bool) -> None:
    path = saved(tmp_path / "mine.npz", x_train=images)
    result = mended(path, "x_train", images)
    task = read_npz(saved(path, x_train=result), name="mine")
    if exact:
        np.testing.assert_array_equal(task.x_train, PIXELS)
    elif images.max() <= 1:
        np.testing.assert_array_equal(task.x_train, np.where(PIXELS > 127, 255, 0))
    else:
        np.testing.assert_array_equal(task.x_train, PIXELS)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS.astype(np.int64) * 2 - 1,
        LABELS + 1,
        LABELS.astype(np.float64) * 2 - 1,
        LABELS == 1,
        LABELS.astype(np.float32),
        LABELS * np.uint8(255),
        np.where(LABELS == 1, "dog", "cat"),
        np.eye(2)[LABELS],
        np.eye(2, dtype=np.uint8)[LABELS],
        LABELS.reshape(-1, 1),
    ],
    ids=[
        "-1 and 1",
        "1 and 2",
        "-1.0, 1.0",
        "bool",
        "float",
        "0 and 255",
        "text",
        "one hot",
        "one-hot bytes",
        "column",
    ],
)
def test_labels_of_another_form_are_mended(tmp_path: Path, labels: np.ndarray) -> None:
    path = saved(tmp_path / "mine.npz", y_train=labels)
    result = mended(path, "y_train", labels)
    np.testing.assert_array_equal(read_npz(saved(path, y_train=result), name="mine").y_train, LABELS)


@pytest.mark.parametrize(
    "labels",
    [
        MANY.astype(np.int64),
        MANY.astype(np.float64),
        MANY + 1,
        MANY.astype(np.int64) - 1,
        MANY * np.uint8(2),
        np.array([0, 1, 7], np.uint8)[MANY],
        MANY / 2,
        np.array(["cat", "dog", "eel"])[MANY],
        np.array([b"cat", b"dog", b"eel"])[MANY],
        np.eye(3)[MANY],
        MANY.reshape(1, -1),
    ],
    ids=["int", "float", "from 1", "from -1", "even", "a gap", "parts", "text", "bytes", "one hot", "row"],
)
def test_labels_of_three_classes_are_mended(tmp_path: Path, labels: np.ndarray) -> None:
    path = saved(tmp_path / "mine.npz", y_train=labels, y_test=MANY)
    result = mended(path, "y_train", labels)
    np.testing.assert_array_equal(read_npz(saved(path, y_train=result, y_test=MANY), name="mine").y_train, MANY)
    if len(labels) == len(MANY):
        path = saved(tmp_path / "mine.npz", y_train=MANY, y_test=labels)
        np.testing.assert_array_equal(mended(path, "y_test", labels), MANY)


def test_many_classes_are_numbered_and_too_many_are_not(tmp_path: Path) -> None:
    y = np.arange(512) % 256
    images = {"x_train": np.zeros((512, 16), np.uint8), "x_test": np.zeros((512, 16), np.uint8)}
    path = saved(tmp_path / "mine.npz", **images, y_train=3 * y, y_test=y.astype(np.uint8))
    result = mended(path, "y_train", 3 * y)
    assert len(read_npz(saved(path, **images, y_train=result, y_test=result), name="mine").classes) == 256
    with pytest.raises(DataError, match=r"y_train: .*; keep at most 256 classes"):
        read_npz(saved(path, **images, y_train=np.arange(512), y_test=result), name="mine")


@pytest.mark.parametrize("shape", [(6, 4, 4), (6, 1, 4, 4)])
def test_images_of_another_shape_are_mended(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = PIXELS.reshape(shape)
    path = saved(tmp_path / "mine.npz", x_train=images)
    np.testing.assert_array_equal(mended(path, "x_train", images), PIXELS)


def test_channels_that_come_last_are_moved(tmp_path: Path) -> None:
    """Only reshaped, an image would be a mixture of its rows and colours."""
    images = np.random.default_rng(2).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    path = saved(tmp_path / "mine.npz", x_train=images)
    expected = np.moveaxis(images, 3, 1).reshape(6, 48)
    np.testing.assert_array_equal(mended(path, "x_train", images), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_named(tmp_path: Path, value: float) -> None:
    images, labels = PIXELS.astype(np.float64), LABELS.astype(np.float64)
    images[1, 3] = images[2, 5] = labels[4] = value
    with pytest.raises(DataError, match=r"x_train: .* of which 2 are NaN or infinite; keep the rows without any"):
        read_npz(saved(tmp_path / "mine.npz", x_train=images), name="mine")
    if np.isnan(value):
        with pytest.raises(DataError, match=r"y_train: .* of which 1 are NaN; keep the rows with a label"):
            read_npz(saved(tmp_path / "mine.npz", y_train=labels), name="mine")


@pytest.mark.parametrize("kind", [np.complex128, "datetime64[s]", "V8", "S4"])
def test_what_is_no_image_at_all(tmp_path: Path, kind: Any) -> None:
    with pytest.raises(DataError, match=r"x_train: expected uint8, got .*; save integers from 0 to 255"):
        read_npz(saved(tmp_path / "mine.npz", x_train=np.zeros((6, 16), kind)), name="mine")


def header(shape: tuple[int, ...], descr: str = "'|u1'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(x_train: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS)
    out = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(out, "w", compression) as target:
        for name in source.namelist():
            target.writestr(name, x_train if name == "x_train.npy" else source.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    "x_train",
    [
        header((10**12, 16)),
        header((6, 16)),
        header((-6, 16)) + bytes(96),
        header((2**62, 2**62)) + bytes(96),
        header((6, 16), "'nonsense'") + bytes(96),
        header((6, 16), "open('x')") + bytes(96),
        header((6, 16), "'|O'") + bytes(96),
        header((6, 16), "[('a', '|u1'), ('a', '|u1')]") + bytes(96),
        header((6, 16), "(") + bytes(96),
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100),
        b"",
    ],
)
def test_a_damaged_array_is_one_line(tmp_path: Path, x_train: bytes) -> None:
    (tmp_path / "mine.npz").write_bytes(archive(x_train))
    with pytest.raises(DataError, match=r"mine\.npz: x_train: expected") as caught:
        read_npz(tmp_path / "mine.npz", name="mine")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", [9, 12, 14, 93, 95, 97, 255])
def test_other_ways_to_compress_are_one_line(tmp_path: Path, method: int) -> None:
    """The method that the archive names is not the one that it was written with, or one that nobody knows."""
    content = bytearray(archive(header((6, 16)) + bytes(96)))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = content.index(mark) + offset
        content[at : at + 2] = method.to_bytes(2, "little")
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.npz: x_train: expected arrays of numbers"):
        read_npz(tmp_path / "mine.npz", name="mine")


def test_an_archive_with_a_password_is_one_line(tmp_path: Path) -> None:
    content = bytearray(archive(header((6, 16)) + bytes(96)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(DataError, match="password"):
        read_npz(tmp_path / "mine.npz", name="mine")


@settings(max_examples=60)
@given(data=st.data(), compression=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
def test_any_damage_is_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, compression: int
) -> None:
    content = bytearray(archive(header((6, 16)) + PIXELS.tobytes(), compression))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    path = tmp_path_factory.mktemp("damaged") / "mine.npz"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        read_npz(path, name="mine")
