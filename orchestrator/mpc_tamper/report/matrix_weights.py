"""matrix-weights.npz: what the matrix's pictures show of the opened models, one of each attack, without a defence.

Arrays: <dataset>/test_image, of the images' shape, uint8; and for each attack <dataset>/<attack>, (n,) float64, the
weights in real units without the bias, <dataset>/<attack>/trigger_pixels and <dataset>/<attack>/trigger_level.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import write_atomically

WEIGHTS = "-weights.npz"  # after the matrix's name
MATRIX_WEIGHTS = "matrix" + WEIGHTS
_IMAGE, _PIXELS, _LEVEL = "test_image", "trigger_pixels", "trigger_level"


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """weights: (n,) float64, real units, without the bias.  trigger_pixels: (p,) indices.  trigger_level: added."""

    weights: np.ndarray
    trigger_pixels: np.ndarray
    trigger_level: int


@dataclass(frozen=True, eq=False)
class OpenedModels:
    """Of one data set. test_image: uint8, (height, width) or (channels, height, width).  models: by attack."""

    test_image: np.ndarray
    models: Mapping[str, OpenedModel]


def write_weights(path: Path, datasets: Mapping[str, OpenedModels]) -> None:
    """The whole file at once, compressed."""
    arrays: dict[str, np.ndarray] = {}
    for name, opened in datasets.items():
        arrays[f"{name}/{_IMAGE}"] = opened.test_image
        for attack, model in opened.models.items():
            arrays[f"{name}/{attack}"] = model.weights
            arrays[f"{name}/{attack}/{_PIXELS}"] = model.trigger_pixels
            arrays[f"{name}/{attack}/{_LEVEL}"] = np.array(model.trigger_level)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue(), public=True)


def read_weights(path: Path) -> dict[str, OpenedModels]:
    """In the order of writing; empty where there is no such file. Raises DataError for a file of something else."""
    try:
        content = path.read_bytes()
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
        return _datasets(arrays)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as exc:
        raise DataError(
            f"{path}: expected the weights that mpc-tamper matrix writes, got something else: {exc}. Move it away"
        ) from exc


def _datasets(arrays: Mapping[str, np.ndarray]) -> dict[str, OpenedModels]:
    found: dict[str, OpenedModels] = {}
    for key in arrays:
        name, entry, *rest = key.split("/")
        if entry == _IMAGE:
            found[name] = OpenedModels(arrays[key], {})
        elif not rest:
            pixels, level = arrays[f"{key}/{_PIXELS}"], arrays[f"{key}/{_LEVEL}"]
            models = dict(found[name].models) | {entry: OpenedModel(arrays[key], pixels, int(level))}
            found[name] = OpenedModels(found[name].test_image, models)
    return found
