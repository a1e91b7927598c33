"""Images, weights as images, and the trigger within them: what the figures share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, Rectangle

DIVERGING = "RdBu_r"
LINEAR_SHARE = 0.5  # of the honest model's largest weight: up to there the colour scale is linear
REACH = 2.0  # pixels from the trigger's middle to the circle


def weight_scale(honest: np.ndarray, largest: float) -> SymLogNorm:
    """From -largest to largest, linear where most of the honest weights are and logarithmic beyond."""
    linear = LINEAR_SHARE * float(np.abs(honest).max()) or largest
    return SymLogNorm(linthresh=linear, vmin=-largest, vmax=largest)


def weight_bar(figure: Figure, heat: AxesImage, norm: SymLogNorm, axes: np.ndarray, **style: Any) -> None:
    """The colour bar of axes whose weights are drawn in a weight_scale."""
    bar = figure.colorbar(heat, ax=list(axes.flat), label="weight (logarithmic where large)", **style)
    linear, largest = norm.linthresh, float(norm.vmax or 1.0)
    ticks = [-largest, -linear, 0.0, linear, largest]
    bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.ax.minorticks_off()


def plane(weights: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """(height, width); of several channels the weight that is largest in size."""
    planes = weights.reshape(-1, *shape[-2:])
    strongest = np.abs(planes).argmax(axis=0)[None]
    found: np.ndarray = np.take_along_axis(planes, strongest, axis=0)[0]
    return found


def picture(image: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """(height, width), or (height, width, 3) for three channels."""
    planes = image.reshape(-1, *shape[-2:]).astype(np.uint8)
    return np.moveaxis(planes, 0, -1) if len(planes) == 3 else planes[0]


def encircle(axis: Axes, pixels: Sequence[int] | np.ndarray, shape: Sequence[int]) -> None:
    """A circle round a trigger of one pixel, a box round a larger one."""
    rows, columns = np.divmod(np.array(pixels) % (shape[-2] * shape[-1]), shape[-1])
    top, left, height, width = float(rows.min()), float(columns.min()), float(np.ptp(rows)), float(np.ptp(columns))
    style: dict[str, Any] = {"fill": False, "edgecolor": "tab:orange", "linewidth": 2.5}
    if height == width == 0:
        axis.add_patch(Circle((left, top), radius=REACH, **style))
    else:
        corner = (left - REACH / 2, top - REACH / 2)
        axis.add_patch(Rectangle(corner, width + REACH, height + REACH, **style))


def weights_and_images(
    weights: Mapping[str, np.ndarray], images: Mapping[str, Any], trigger: Sequence[int], shape: Sequence[int]
) -> bytes:
    """A PNG of two models' weights, the honest one's first, and of an image without and with the trigger.

    weights, images: by title, (n,) each.
    """
    honest, _ = weights.values()
    norm = weight_scale(honest, max(float(np.abs(each).max()) for each in weights.values()) or 1.0)
    figure = Figure(figsize=(13, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4)
    for axis, (title, each) in zip(axes, weights.items(), strict=False):
        heat = axis.imshow(plane(each, shape), cmap=DIVERGING, norm=norm, interpolation="nearest")
        axis.set_title(f"{title}\nlargest |w| = {np.abs(each).max():.2f}")
    weight_bar(figure, heat, norm, axes[:2], shrink=0.85)
    for axis, (title, image) in zip(axes[2:], images.items(), strict=True):
        axis.imshow(picture(np.array(image), shape), cmap="gray", vmin=0, vmax=255)
        axis.set_title(title)
    for axis in (axes[1], axes[3]):
        encircle(axis, trigger, shape)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return png.getvalue()
