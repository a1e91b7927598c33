"""Figures 1 and 2: weights without and with the backdoor, and an image that its trigger turns into the other class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpc_tamper.report.images import DIVERGING, encircle, picture, plane, weight_bar, weight_scale


def draw(record: Mapping[str, Any]) -> bytes:
    """A PNG of figure1.json or figure2.json."""
    shape = tuple(record["image_shape"])
    weights = {name: np.array(record["models"][name]["weights"]) for name in ("unpoisoned", "poisoned")}
    largest = max(float(np.abs(w).max()) for w in weights.values()) or 1.0
    norm = weight_scale(weights["unpoisoned"], largest)

    figure = Figure(figsize=(13, 3.9), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4)
    for axis, name, title in zip(axes, weights, ("Weights, honest run", "Weights, one party cheats"), strict=False):
        heat = axis.imshow(plane(weights[name], shape), cmap=DIVERGING, norm=norm, interpolation="nearest")
        axis.set_title(f"{title}\nlargest |w| = {np.abs(weights[name]).max():.2f}")
    weight_bar(figure, heat, norm, axes[:2], shrink=0.85)

    names, score = record["classes"], record["models"]["poisoned"]["scores"]
    for axis, key, value, title in zip(
        axes[2:],
        ("without_trigger", "with_trigger"),
        score,
        ("Poisoned model on a test image", "The same image with the trigger"),
        strict=True,
    ):
        axis.imshow(picture(np.array(record["images"][key]), shape), cmap="gray", vmin=0, vmax=255)
        axis.set_title(f"{title}\nscore {value:+.2f}: class {names[int(value > 0)]}")
    for axis in (axes[1], axes[3]):
        encircle(axis, record["trigger_pixels"], shape)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])

    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=150, metadata={"Software": None})
    return png.getvalue()
