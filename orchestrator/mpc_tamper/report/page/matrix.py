"""The matrices of a folder as the page shows them: heat maps whose cells open, pictures, and what stops what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mpc_tamper.report.images import weight_scale
from mpc_tamper.report.matrix import EXPLANATION, OF_SEEDS
from mpc_tamper.report.matrix_cells import Grid, Outcome, grids, outcome, passes
from mpc_tamper.report.matrix_record import LINES, MATRIX, Record, read_matrix
from mpc_tamper.report.matrix_weights import WEIGHTS, OpenedModels, read_weights
from mpc_tamper.report.names import ATTACKS, DATASETS, DEFENCES, HONEST, NO_DEFENCE, title
from mpc_tamper.report.page import pictures
from mpc_tamper.report.page.cells import DEFAULT_ENGINE, Where, css_class, detail, lines
from mpc_tamper.report.page.pictures import Picture
from mpc_tamper.report.page.records import told_of
from mpc_tamper.report.page.verdicts import Verdict, verdicts
from mpc_tamper.report.tables import environment_line

COMMAND = "mpc-tamper matrix"
_CEILING = 100.0  # the colours of weights end at so many times the honest model's largest
_BRIGHTEST = 255


@dataclass(frozen=True)
class Cell:
    """number: of the record that opens; None where there is none."""

    number: int | None
    look: str
    first: str
    second: str


@dataclass(frozen=True)
class Row:
    attack: str
    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Tile:
    """What an attack left in the weights, and its trigger on a test image."""

    id: str
    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class HeatMap:
    """One data set. defences: names and titles.  columns and rows as in the record."""

    id: str
    title: str
    origin: str
    explanation: str
    defences: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    looks: frozenset[str]
    verdicts: tuple[Verdict, ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Matrices:
    """details: of the cells, by their numbers.  notes: what readers of the records have to know of them."""

    maps: tuple[HeatMap, ...]
    details: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def attacks(self) -> dict[str, str]:
        """By name, in the order of the tables."""
        return {row.attack: title(row.attack, ATTACKS) for each in self.maps for row in each.rows}

    @property
    def defences(self) -> dict[str, str]:
        return {name: title(name, DEFENCES) for each in self.maps for name, _ in each.defences}

    @property
    def overview(self) -> list[tuple[str, list[Verdict | None]]]:
        """A line for each defence, with its verdict in each data set that has any."""
        judged = [each for each in self.maps if each.verdicts]
        names = dict.fromkeys(verdict.name for each in judged for verdict in each.verdicts)
        found = [{verdict.name: verdict for verdict in each.verdicts} for each in judged]
        return [(self.defences[name], [by_name.get(name) for by_name in found]) for name in names]


def read_matrices(folder: Path) -> Matrices:
    """All matrix*.jsonl of a folder; nothing where there is none. Raises DataError."""
    files = sorted(folder.glob(f"{MATRIX}*{LINES}"), key=lambda path: (path.stem != MATRIX, path.stem))
    place, maps, notes = folder.resolve().name or str(folder), list[HeatMap](), list[str]()
    details: list[dict[str, Any]] = []
    for path in files:
        with told_of(path, COMMAND):
            record = read_matrix(path)
            weights = read_weights(folder / f"{path.stem}{WEIGHTS}")
            notes += [record["torn"]] if record["torn"] else []
            environment = " / ".join(dict.fromkeys(map(_machine, record["environments"])))
            for grid in grids(record):
                facts = record["datasets"][grid.dataset]
                where = Where(f"{place}/{path.name}", grid.dataset, facts, environment)
                maps.append(_heat_map(len(maps), grid, where, weights.get(grid.dataset), details))
    return Matrices(tuple(maps), tuple(details), tuple(notes))


def _heat_map(
    number: int, grid: Grid, where: Where, opened: OpenedModels | None, details: list[dict[str, Any]]
) -> HeatMap:
    """Adds what opens to the details."""
    dataset, of_table = where.facts, bool(where.facts.get("feature_names"))
    name, called = f"map-{number}", _called(grid, dataset)
    defences = tuple((each, title(each, DEFENCES, of_table=of_table)) for each in grid.defences)
    tiles = () if opened is None else tuple(_tiles(name, grid, dataset, opened))
    drawn = {tile.id: tile for tile in tiles}
    rows = []
    for attack in grid.attacks:
        attack_title, found = title(attack, ATTACKS, of_table=of_table), list[Cell]()
        undefended = grid.cell(attack, NO_DEFENCE)
        for defence, defence_title in defences:
            cell = grid.cell(attack, defence)
            found.append(Cell(None if cell is None else len(details), css_class(cell), *lines(cell)))
            if cell is not None:
                opens = detail(cell, grid.measured(HONEST, NO_DEFENCE), where)
                opens["title"], opens["under"] = attack_title, f"{defence_title} · {called}"
                if (tile := _tile_id(name, attack)) in drawn:
                    opens["tile"], opens["drawn"] = tile, _drawn(cell, undefended)
                details.append(opens)
        rows.append(Row(attack, attack_title, tuple(found)))
    looks = frozenset(cell.look for row in rows for cell in row.cells)
    explanation = OF_SEEDS if "calibration" in dataset else EXPLANATION
    judged = tuple(verdicts(grid, dataset))
    return HeatMap(name, called, _origin(grid, dataset), explanation, defences, tuple(rows), looks, judged, tiles)


def _called(grid: Grid, dataset: Record) -> str:
    """The data, and what keeps two studies of the same data apart."""
    said = DATASETS.get(grid.dataset, grid.dataset)
    if "calibration" in dataset:
        said += ", calibrated"
    engines = [engine for engine in _engines(grid) if engine != DEFAULT_ENGINE]
    return f"{said}, engine {' and '.join(engines)}" if engines else said


def _engines(grid: Grid) -> list[str]:
    ran = (cell for cell in grid.cells.values() if outcome(cell) is not Outcome.NOT_APPLICABLE)
    return list(dict.fromkeys(cell["engine"] for cell in ran))


def _origin(grid: Grid, dataset: Record) -> str:
    parts = [
        f"{dataset['rows']:,} training rows{passes(dataset, 'steps')}",
        f"{dataset['test_images']:,} test rows",
        f"engine {', '.join(_engines(grid)) or 'none'}",
        f"data: {dataset['source']}, SHA-256 {str(dataset['data_sha256'])[:12]}",
    ]
    return "; ".join(parts) + "."


def _machine(environment: Record) -> str:
    return environment_line({**environment, "commit": None}).partition(", commit")[0]


def _tile_id(name: str, attack: str) -> str:
    return f"{name}-weights-{attack}"


def _tiles(name: str, grid: Grid, dataset: Record, opened: OpenedModels) -> Iterator[Tile]:
    image, shape = opened.test_image, opened.test_image.shape
    honest = opened.models.get(HONEST) or next(iter(opened.models.values()), None)
    if honest is None or len(shape) < 2:
        return
    ceiling = _CEILING * float(np.abs(honest.weights).max()) or 1.0
    largest = max(float(np.abs(model.weights).max()) for model in opened.models.values()) or 1.0
    norm = weight_scale(honest.weights, min(largest, ceiling))
    norm.clip = True
    for attack in (each for each in grid.attacks if each in opened.models):
        model, called = opened.models[attack], title(attack, ATTACKS)
        pixels = image.reshape(-1).astype(np.int64)
        pixels[model.trigger_pixels] += model.trigger_level
        trigger: Sequence[int] = model.trigger_pixels.tolist()
        yield Tile(
            _tile_id(name, attack),
            called,
            (
                pictures.of_weights(model.weights, shape, norm, f"Weights: {called}", trigger),
                pictures.of_image(pixels.clip(0, _BRIGHTEST), shape, f"Test image with the trigger: {called}", trigger),
            ),
        )


def _drawn(cell: Record, undefended: Record | None) -> str:
    """Whose weights the picture shows."""
    ours, theirs = cell.get("weights_sha256"), None if undefended is None else undefended.get("weights_sha256")
    if ours is not None and ours == theirs:
        return "The weights of this model"
    return "The weights that this attack leaves without a defence; those of this cell were not kept"
