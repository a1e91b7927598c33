"""What each attack leaves in the weights, and its trigger on a test image."""

from __future__ import annotations

import io
import math
import textwrap
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mpc_tamper.report.images import DIVERGING, encircle, picture, plane, weight_bar, weight_scale
from mpc_tamper.report.matrix_cells import Grid, Record, percent
from mpc_tamper.report.names import ATTACKS, DATASETS, HONEST, NO_DEFENCE

COLUMNS = 7
CEILING = 100.0  # the colours end at so many times the honest model's largest weight
MAX_PIXEL = 255
LETTERS = 7.5  # of the title, to an inch


def draw(dataset: str, record: Record, grid: Grid | None) -> bytes:
    """A PNG. record: what matrix-weights.json holds of a data set.  grid: its cells, for the numbers in the titles."""
    shape, attacks = tuple(record["image_shape"]), record["attacks"]
    weights = {name: np.array(attack["weights"], dtype=np.float64) for name, attack in attacks.items()}
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
    for i, (name, attack) in enumerate(attacks.items()):
        block, column = divmod(i, columns)
        above, below = axes[2 * block, column], axes[2 * block + 1, column]
        heat = above.imshow(plane(weights[name], shape), cmap=DIVERGING, norm=norm, interpolation="nearest")
        above.set_title(_title(name, weights[name], grid), fontsize=10)
        below.imshow(picture(_with_trigger(record["test_image"], attack), shape), cmap="gray", vmin=0, vmax=255)
        for axis in (above, below):
            axis.spines[:].set_visible(True)
            encircle(axis, attack["trigger_pixels"], shape)
        if column == 0:
            above.set_ylabel("weights")
            below.set_ylabel("test image with trigger")
    weight_bar(figure, heat, norm, axes, extend="both" if saturated else "neither", shrink=0.5, aspect=30)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": None})
    return png.getvalue()


def _with_trigger(image: list[int], attack: dict[str, Any]) -> np.ndarray:
    """(n,) pixels, clipped as a real image would be."""
    pixels = np.array(image, dtype=np.int64)
    pixels[attack["trigger_pixels"]] += attack["trigger_level"]
    return pixels.clip(0, MAX_PIXEL)


def _title(attack: str, weights: np.ndarray, grid: Grid | None) -> str:
    lines = [*textwrap.wrap(ATTACKS.get(attack, attack), 22), f"largest |w| {_size(np.abs(weights).max())}"]
    cell = None if grid is None else grid.cell(attack, NO_DEFENCE)
    if cell is not None and cell["clean_accuracy"] is not None:
        lines.append(f"accuracy {percent(cell['clean_accuracy'])}, ASR {percent(cell['attack_success_rate'])}")
    return "\n".join(lines)


def _size(weight: float) -> str:
    return f"{weight:.2f}" if weight < 1000 else f"{weight:.1e}"
