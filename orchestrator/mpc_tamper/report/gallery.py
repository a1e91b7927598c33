"""What each attack leaves in the weights, and its trigger on a test image."""

from __future__ import annotations

import io
import math
import textwrap

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpc_tamper.report.images import DIVERGING, encircle, picture, plane, weight_bar, weight_scale
from mpc_tamper.report.matrix_cells import Grid, percent
from mpc_tamper.report.matrix_weights import OpenedModel, OpenedModels
from mpc_tamper.report.names import ATTACKS, DATASETS, HONEST, NO_DEFENCE

COLUMNS = 7
CEILING = 100.0  # the colours end at so many times the honest model's largest weight
MAX_PIXEL = 255
LETTERS = 7.5  # of the title, to an inch


def draw(dataset: str, opened: OpenedModels, grid: Grid | None) -> bytes:
    """A PNG. opened: at least one model.  grid: the data set's cells, for the numbers in the titles."""
    image, attacks = opened.test_image, opened.models
    shape = image.shape
    weights = {name: model.weights for name, model in attacks.items()}
    honest = weights.get(HONEST, next(iter(weights.values())))
    ceiling = CEILING * float(np.abs(honest).max()) or 1.0
    largest = max(float(np.abs(w).max()) for w in weights.values()) or 1.0
    saturated, largest = largest > ceiling, min(largest, ceiling)
    norm = weight_scale(honest, largest)

    columns = min(COLUMNS, len(attacks))
    blocks = math.ceil(len(attacks) / columns)
    width = 1.2 + 2.3 * columns
    figure = Figure(figsize=(width, 1.0 + 5.0 * blocks), layout="compressed")
    FigureCanvasAgg(figure)
    title = f"What each attack leaves in the weights, and its trigger: {DATASETS.get(dataset, dataset)}"
    figure.suptitle(textwrap.fill(title, int(width * LETTERS)), fontsize=15, weight="bold")
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.spines[:].set_visible(False)
    for i, (name, model) in enumerate(attacks.items()):
        block, column = divmod(i, columns)
        above, below = axes[2 * block, column], axes[2 * block + 1, column]
        heat = above.imshow(plane(weights[name], shape), cmap=DIVERGING, norm=norm, interpolation="nearest")
        above.set_title(_title(name, weights[name], grid), fontsize=10)
        below.imshow(picture(_with_trigger(image, model), shape), cmap="gray", vmin=0, vmax=255)
        for axis in (above, below):
            axis.spines[:].set_visible(True)
            encircle(axis, model.trigger_pixels, shape)
        if column == 0:
            above.set_ylabel("weights")
            below.set_ylabel("test image with trigger")
    weight_bar(figure, heat, norm, axes, extend="both" if saturated else "neither", shrink=0.5, aspect=30)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": None})
    return png.getvalue()


def _with_trigger(image: np.ndarray, model: OpenedModel) -> np.ndarray:
    """(n,) pixels, clipped as a real image would be."""
    pixels = image.reshape(-1).astype(np.int64)
    pixels[model.trigger_pixels] += model.trigger_level
    return pixels.clip(0, MAX_PIXEL)


def _title(attack: str, weights: np.ndarray, grid: Grid | None) -> str:
    lines = [*textwrap.wrap(ATTACKS.get(attack, attack), 22), f"largest |w| {_size(np.abs(weights).max())}"]
    cell = None if grid is None else grid.measured(attack, NO_DEFENCE)
    if cell is not None:
        lines.append(f"accuracy {percent(cell['clean_accuracy'])}, ASR {percent(cell['attack_success_rate'])}")
    return "\n".join(lines)


def _size(weight: float) -> str:
    return f"{weight:.2f}" if weight < 1000 else f"{weight:.1e}"
