"""The matrix as a heat map: which attack got through which defence, and what the model was like that got through.

Colour: how often a delivered model is wrong at its worst, the larger of the attack success rate and of the share of
test images that it misclassifies without a trigger: an attack may aim at either. Hatched: no model was delivered. Grey:
nothing was run.
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from mpc_tamper.report.matrix_cells import Grid, Outcome, outcome, passes, percent
from mpc_tamper.report.matrix_record import Record
from mpc_tamper.report.names import ATTACKS, DEFENCES, HONEST, title

HARM = colormaps["OrRd"]
DARK, LIGHT = "#1a1a1a", "white"
CELL_WIDTH, CELL_HEIGHT = 1.32, 0.72  # inches
MARGIN_WIDTH, MARGIN_HEIGHT = 2.6, 3.1
LEAST_WIDTH = 13.0  # of the title
LEGEND_WIDTH = 17.0  # in one line
LINE = 0.27  # of a cell's height
LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Look:
    """How a cell is drawn from which no model was delivered."""

    face: str
    edge: str
    hatch: str
    legend: str


LOOKS = {
    Outcome.REJECTED: Look("#bcd9ee", "#7fb2d6", "///", "rejected: a check of the secret model said no"),
    Outcome.ABORTED: Look("#3f7fb5", "#24598a", "xxx", "aborted: the cheating was noticed, there is no model"),
    Outcome.FALSE_ALARM: Look("#f5e04c", "#1a1a1a", "...", "false alarm: nobody cheated, and no model was delivered"),
    Outcome.NOT_RUN: Look("#f2f2f2", "#b0b0b0", "", "not run"),
    Outcome.NOT_APPLICABLE: Look("#d9d9d9", "#b0b0b0", "", "n/a: the model or the data lack what this takes"),
}
QUIET = (Outcome.NOT_RUN, Outcome.NOT_APPLICABLE)  # not in capitals


def draw(grid: Grid, dataset: Record) -> bytes:
    """A PNG. dataset: the facts of its study."""
    rows, columns = len(grid.attacks), len(grid.defences)
    of_table = bool(dataset.get("feature_names"))
    width = max(MARGIN_WIDTH + CELL_WIDTH * columns, LEAST_WIDTH)
    figure = Figure(figsize=(width, MARGIN_HEIGHT + CELL_HEIGHT * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"What cheating in training achieves, and what stops it: {grid.title}", fontsize=18, weight="bold")
    axis = figure.subplots()
    for row, attack in enumerate(grid.attacks):
        for column, defence in enumerate(grid.defences):
            _cell(axis, row, column, grid.cell(attack, defence))
        if attack == HONEST:
            axis.hlines([row, row + 1], 0, columns, color=DARK, linewidth=2, zorder=3)
    axis.set_xlim(0, columns)
    axis.set_ylim(rows, 0)
    defences = [textwrap.fill(title(name, DEFENCES, of_table=of_table), 14) for name in grid.defences]
    attacks = [textwrap.fill(title(name, ATTACKS, of_table=of_table), 22) for name in grid.attacks]
    axis.set_xticks(np.arange(columns) + 0.5, defences)
    axis.set_yticks(np.arange(rows) + 0.5, attacks)
    axis.tick_params(length=0, labelsize=11.5, labeltop=True, labelbottom=False)
    axis.spines[:].set_visible(False)
    axis.set_ylabel("what the attacker does", fontsize=12, style="italic")
    axis.xaxis.set_label_position("top")
    axis.set_xlabel("what defends the training", fontsize=12, style="italic", labelpad=8)
    _legend(figure, axis, {outcome(grid.cell(a, d)) for a in grid.attacks for d in grid.defences}, dataset)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120, metadata={"Software": None})
    return png.getvalue()


def harm(cell: Record) -> float:
    """How often the model is wrong at its worst, 0 to 1."""
    return max(float(cell["attack_success_rate"]), 1 - float(cell["clean_accuracy"]))


def _cell(axis: Axes, row: int, column: int, cell: Record | None) -> None:
    kind = outcome(cell)
    numbers = [] if cell is None or cell.get("clean_accuracy") is None else _numbers(cell)
    if cell is not None and kind is Outcome.DELIVERED:
        face = HARM(harm(cell))
        axis.add_patch(Rectangle((column, row), 1, 1, facecolor=face))
        ink = DARK if np.dot(face[:3], LUMINANCE) > 0.55 else LIGHT
        _write(axis, row, column, [*numbers, "check passed"] if cell["verdict"] == "pass" else numbers, ink)
    else:
        look = LOOKS[kind]
        axis.add_patch(
            Rectangle((column, row), 1, 1, facecolor=look.face, edgecolor=look.edge, hatch=look.hatch, linewidth=0)
        )
        label = str(kind) if kind in QUIET else str(kind).upper()
        _write(axis, row, column, [label, *numbers], LIGHT if kind is Outcome.ABORTED else DARK, behind=look.face)
    axis.add_patch(Rectangle((column, row), 1, 1, fill=False, edgecolor="white", linewidth=2))


def _numbers(cell: Record) -> list[str]:
    return [f"accuracy {percent(cell['clean_accuracy'])}", f"ASR {percent(cell['attack_success_rate'])}"]


def _write(axis: Axes, row: int, column: int, lines: list[str], ink: str, behind: str | None = None) -> None:
    """Lines around the middle of a cell, words in capitals bold. behind: the colour that keeps a hatch off the text."""
    box = None if behind is None else {"facecolor": behind, "edgecolor": "none", "boxstyle": "round,pad=0.15"}
    for i, line in enumerate(lines):
        axis.text(
            column + 0.5,
            row + 0.51 + (i - (len(lines) - 1) / 2) * LINE,
            line,
            ha="center",
            va="center_baseline",
            fontsize=10,
            color=ink,
            weight="bold" if line.isupper() else "normal",
            bbox=box,
        )


def _legend(figure: Figure, axis: Axes, kinds: set[Outcome], dataset: Record) -> None:
    bar = figure.colorbar(
        ScalarMappable(Normalize(0, 100), HARM), ax=axis, location="bottom", shrink=0.5, aspect=45, pad=0.02
    )
    bar.ax.xaxis.set_major_formatter("{x:.0f}%")
    bar.set_label(
        "A model was delivered: how often it is wrong, with the trigger or without it, whichever is worse",
        fontsize=11.5,
    )
    rows = "rows" if dataset.get("feature_names") else "images"
    shown = [(kind, look) for kind, look in LOOKS.items() if kind in kinds]
    legend = figure.legend(
        handles=[Patch(facecolor=k.face, edgecolor=k.edge, hatch=k.hatch, label=k.legend) for _, k in shown],
        loc="outside lower center",
        ncols=max(1, len(shown) if figure.get_figwidth() >= LEGEND_WIDTH else 2),
        frameon=False,
        fontsize=11.5,
        title=(
            f"{dataset['rows']:,} training {rows}{passes(dataset, 'steps')}. Accuracy: on test "
            f"{rows}. ASR, attack success rate: the share of test {rows} of the other class\n"
            "that the model takes for the attacker's target once the trigger is added."
        ),
        title_fontsize=11.5,
    )
    legend.get_title().set_multialignment("center")
