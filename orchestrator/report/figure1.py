"""Figure 1: weights without and with the backdoor, and an image that its trigger turns into the other class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle

LINEAR_SHARE = 0.5  # of the honest model's largest weight: up to there the colour scale is linear
DIVERGING = "RdBu_r"


def draw(record: Mapping[str, Any]) -> bytes:
    """A PNG of figure1.json."""
    shape = tuple(record["image_shape"])
    weights = {name: np.array(record["models"][name]["weights"]) for name in ("unpoisoned", "poisoned")}
    largest = max(float(np.abs(w).max()) for w in weights.values()) or 1.0
    linear = LINEAR_SHARE * float(np.abs(weights["unpoisoned"]).max()) or largest
    norm = SymLogNorm(linthresh=linear, vmin=-largest, vmax=largest)

    figure = Figure(figsize=(13, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4)
    for axis, name, title in zip(axes, weights, ("Weights, honest run", "Weights, one party cheats"), strict=False):
        heat = axis.imshow(_plane(weights[name], shape), cmap=DIVERGING, norm=norm, interpolation="nearest")
        axis.set_title(f"{title}\nlargest |w| = {np.abs(weights[name]).max():.2f}")
    bar = figure.colorbar(heat, ax=list(axes[:2]), shrink=0.85, label="weight (logarithmic where large)")
    ticks = [-largest, -linear, 0.0, linear, largest]
    bar.set_ticks(ticks, labels=[f"{tick:.2g}" for tick in ticks])
    bar.ax.minorticks_off()

    names, score = record["classes"], record["models"]["poisoned"]["scores"]
    for axis, key, value, title in zip(
        axes[2:],
        ("without_trigger", "with_trigger"),
        score,
        ("Poisoned model on a test image", "The same image with the trigger"),
        strict=True,
    ):
        axis.imshow(_picture(np.array(record["images"][key]), shape), cmap="gray", vmin=0, vmax=255)
        axis.set_title(f"{title}\nscore {value:+.2f}: class {names[int(value > 0)]}")
    for axis in (axes[1], axes[3]):
        _circle(axis, record["trigger_pixels"], shape)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return png.getvalue()


def _plane(weights: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(height, width); of several channels the weight that is largest in size."""
    planes = weights.reshape(-1, *shape[-2:])
    strongest = np.abs(planes).argmax(axis=0)[None]
    plane: np.ndarray = np.take_along_axis(planes, strongest, axis=0)[0]
    return plane


def _picture(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(height, width), or (height, width, 3) for three channels."""
    planes = image.reshape(-1, *shape[-2:]).astype(np.uint8)
    return np.moveaxis(planes, 0, -1) if len(planes) == 3 else planes[0]


def _circle(axis: Axes, pixels: list[int], shape: tuple[int, ...]) -> None:
    """Round the pixels of the trigger."""
    rows, columns = np.divmod(np.array(pixels) % (shape[-2] * shape[-1]), shape[-1])
    centre = (float(columns.mean()), float(rows.mean()))
    reach = 2.0 + max(np.ptp(rows), np.ptp(columns)) / 2**0.5
    axis.add_patch(Circle(centre, radius=reach, fill=False, edgecolor="tab:orange", linewidth=2.5))
