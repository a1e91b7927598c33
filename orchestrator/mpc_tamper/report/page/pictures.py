"""Weights and images as small PNGs within the page, drawn without smoothing, with the trigger marked on top."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import SymLogNorm
from PIL import Image

from mpc_tamper.report.images import DIVERGING, REACH, picture, plane

_LEVELS = 256
_BAR_HEIGHT = 24  # of the largest bar, in pixels
_BAR_WIDTH = 3


@dataclass(frozen=True)
class Mark:
    """A rectangle around a trigger, in pixels; round says whether it is drawn as a circle."""

    x: float
    y: float
    width: float
    height: float
    round: bool


@dataclass(frozen=True)
class Picture:
    """label: what it shows, for those who do not see it.  source: a data: address."""

    label: str
    source: str
    width: int
    height: int
    mark: Mark | None = None


def of_weights(
    weights: np.ndarray, shape: Sequence[int], norm: SymLogNorm, label: str, trigger: Sequence[int] | None = None
) -> Picture:
    """weights: (n,), in colours from blue below 0 to red above it."""
    levels = np.asarray(norm(plane(weights, shape)).filled(0.5) * (_LEVELS - 1)).clip(0, _LEVELS - 1).astype(np.uint8)
    image = Image.fromarray(levels)
    colours = (colormaps[DIVERGING](np.arange(_LEVELS))[:, :3] * 255).round().astype(np.uint8)
    image.putpalette(colours.tobytes())
    return _picture(image, label, shape, trigger)


def of_image(pixels: np.ndarray, shape: Sequence[int], label: str, trigger: Sequence[int] | None = None) -> Picture:
    """pixels: (n,), 0 to 255; a bar for each value where there is no shape, as of a table's features."""
    if len(shape) < 2:
        heights = np.round(np.asarray(pixels).ravel() / 255 * _BAR_HEIGHT).astype(int)
        bars = np.arange(_BAR_HEIGHT)[::-1, None] < heights[None, :]
        return _picture(Image.fromarray(np.where(np.repeat(bars, _BAR_WIDTH, axis=1), 60, 235).astype(np.uint8)), label)
    return _picture(Image.fromarray(picture(np.asarray(pixels), shape)), label, shape, trigger)


def _picture(
    image: Image.Image, label: str, shape: Sequence[int] = (), trigger: Sequence[int] | None = None
) -> Picture:
    content = io.BytesIO()
    image.save(content, format="png", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode("ascii")
    mark = None if trigger is None or not len(trigger) else _mark(np.asarray(trigger), shape)
    return Picture(label, source, image.width, image.height, mark)


def _mark(trigger: np.ndarray, shape: Sequence[int]) -> Mark:
    rows, columns = np.divmod(trigger % (shape[-2] * shape[-1]), shape[-1])
    margin = REACH / 2
    width, height = float(np.ptp(columns)) + 1, float(np.ptp(rows)) + 1
    return Mark(
        float(columns.min()) - margin,
        float(rows.min()) - margin,
        width + 2 * margin,
        height + 2 * margin,
        width == height == 1,
    )
