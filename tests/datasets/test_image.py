"""Images to classify, from pictures and .npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mpc_tamper.core import bundle
from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets.image import read_image

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
