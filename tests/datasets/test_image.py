"""Images to classify, from pictures and .npz files."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.image import likely_shape, read_image

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
RGB = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


def test_a_grey_picture_is_read_row_by_row(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png", pixels=12), np.arange(12))


def test_a_coloured_picture_is_read_channel_by_channel(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    expected = [*range(0, 36, 3), *range(1, 36, 3), *range(2, 36, 3)]
    assert read_image(tmp_path / "rgb.png", pixels=36).tolist() == expected


def test_a_row_of_test_images() -> None:
    path = bundle.data_file("mnist_0_1.npz")
    with np.load(path) as arrays:
        np.testing.assert_array_equal(read_image(path, 7, 784), arrays["x_test"][7])
    for index in (None, -1, 10**6):
        with pytest.raises(ParameterError, match="--index from 0 to"):
            read_image(path, index)


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "1"])
def test_other_modes_are_refused(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (4, 3)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="expected a grey"):
        read_image(tmp_path / "x.png")


def test_what_is_no_such_picture(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:400])
    with pytest.raises(DataError, match="expected 784 pixels, as the model has, got 12"):
        read_image(tmp_path / "grey.png", pixels=784)
    with pytest.raises(ParameterError, match="leave it out"):
        read_image(tmp_path / "grey.png", 3)
    for name in ("text.png", "torn.png", "missing.png"):
        with pytest.raises(DataError, match="expected a picture"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("size", "mode", "shape"),
    [
        ((56, 14), "L", (28, 28)),
        ((16, 49), "L", (28, 28)),
        ((8, 2), "L", (4, 4)),
        ((2, 8), "L", (4, 4)),
        ((48, 64), "L", (3, 32, 32)),
        ((28, 28), "RGB", (28, 28)),
        ((32, 32), "L", (3, 32, 32)),
    ],
)
def test_height_width_and_channels_are_compared(
    size: tuple[int, int], mode: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """As many pixels in rows of another length are another image."""
    width, height = size
    Image.new(mode, size).save(tmp_path / "x.png")
    expected = rf"expected (an image {shape[-1]} pixels wide and {shape[-2]} high|a grey picture|a coloured picture)"
    with pytest.raises(DataError, match=expected):
        read_image(tmp_path / "x.png", image_shape=shape)
    np.savez(
        tmp_path / "x.npz",
        **{f"x_{part}": np.zeros((2, width * height), np.uint8) for part in ("train", "test")},
        **{f"y_{part}": np.array([0, 1], np.uint8) for part in ("train", "test")},
        image_shape=np.array([height, width]),
    )
    with pytest.raises(DataError, match="as the model was trained on"):
        read_image(tmp_path / "x.npz", 0, image_shape=shape if mode == "L" else (3, height, width))


@pytest.mark.parametrize(("pixels", "shape"), [(784, (28, 28)), (3072, (3, 32, 32)), (12, (3, 2, 2)), (14, None)])
def test_images_of_which_only_the_count_is_known(pixels: int, shape: tuple[int, ...] | None) -> None:
    assert likely_shape(pixels) == shape


TURNED = {  # Exif's orientation: what a viewer shows
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: GREY.T[:, ::-1],
    7: GREY.T[::-1, ::-1],
    8: GREY.T[::-1],
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_is_turned_as_viewers_turn_it(orientation: int, suffix: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.kron(GREY * 20, np.ones((8, 8), np.uint8)))
    picture.save(tmp_path / f"x.{suffix}", exif=exif, **({"quality": 100} if suffix == "jpg" else {}))
    shown = np.kron(TURNED[orientation] * 20, np.ones((8, 8), np.uint8))
    found = read_image(tmp_path / f"x.{suffix}", image_shape=shown.shape).reshape(shown.shape)
    assert np.abs(found.astype(int) - shown).max() <= (3 if suffix == "jpg" else 0)
    if shown.shape != picture.size[::-1]:
        with pytest.raises(DataError, match="expected an image"):
            read_image(tmp_path / f"x.{suffix}", image_shape=picture.size[::-1])


@pytest.mark.parametrize("orientation", [2, 6])
def test_a_turned_tiff_is_refused(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "x.tiff", exif=exif)
    with pytest.raises(DataError, match="a TIFF that is turned; save it as a PNG"):
        read_image(tmp_path / "x.tiff")


def test_more_than_one_image_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), value) for value in (1, 200)]
    frames[0].save(tmp_path / "x.tiff", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="expected one image, got 2 frames"):
        read_image(tmp_path / "x.tiff")


def test_transparent_colours_are_refused(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "x.png", transparency=0)
    with pytest.raises(DataError, match="got transparent colours"):
        read_image(tmp_path / "x.png")


@pytest.mark.parametrize("name", ["n" * 300, "loop.png", "folder.png", "x.png/below.png", "nul\0.png"])
def test_paths_that_are_no_picture(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(DataError, match="expected a picture, such as a PNG, got "):
        read_image(tmp_path / name)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "gif", "bmp", "webp"])
def test_any_damage_is_an_error_of_ours(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.kron(GREY * 20, np.ones((4, 4), np.uint8))).convert("L").save(
        buffer, "jpeg" if suffix == "jpg" else suffix
    )
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"x.{suffix}").write_bytes(content)
    with contextlib.suppress(DataError):
        read_image(tmp_path / f"x.{suffix}", image_shape=(12, 16))
