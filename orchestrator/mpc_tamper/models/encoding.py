"""From images and labels to the integers that owners enter into the computation.

A row is attribute 0 (constant, 2^8) and the pixels 0..255, all at scale 2^8. An owner who holds a row's label -1 or 1
multiplies the row by it; otherwise another party enters the labels and they are multiplied in the computation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.core.files import write_atomically
from mpc_tamper.models.fixed_point import BIAS, MAX_FEATURE, MAX_PIXEL
from mpc_tamper.models.linear_svm.bounds import row_norm2
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.spec import InputFiles


def integer_rows(x: np.ndarray) -> np.ndarray:
    """(m, n) pixels, uint8, or features at scale 2^8, int32, to (m, n + 1) int64, constant attribute first."""
    if x.ndim != 2 or x.dtype not in (np.uint8, np.int32):
        raise DataError(
            "expected images as a (rows, pixels) array of uint8, or features as one of int32, got "
            f"{x.dtype} of shape {x.shape}"
        )
    if x.dtype == np.int32 and x.size and max(int(x.max()), -int(x.min())) > MAX_FEATURE:
        raise DataError(f"expected features from -{MAX_FEATURE} to {MAX_FEATURE}, got {x.min()} to {x.max()}")
    rows = np.empty((len(x), x.shape[1] + 1), dtype=np.int64)
    rows[:, 0] = BIAS
    rows[:, 1:] = x
    return rows


def largest_attribute(x: np.ndarray) -> int:
    """A public bound on what such rows hold."""
    return MAX_PIXEL if x.dtype == np.uint8 else MAX_FEATURE


def signs(y: np.ndarray) -> np.ndarray:
    """(m,) labels 0 and 1 to -1 and 1, int64."""
    if y.ndim != 1 or not np.isin(y, (0, 1)).all():
        got = np.unique(y[~np.isin(y, (0, 1))])[:5].tolist() if y.ndim == 1 else f"shape {y.shape}"
        raise DataError(f"expected a list of labels 0 and 1, got {got}")
    return 2 * y.astype(np.int64) - 1


def check_row_norm(x: np.ndarray, parameters: SvmParameters) -> None:
    """What owners check before they enter rows: no norm above the public bound. x: (m, n) pixels or features."""
    if parameters.max_row_norm is None:
        return
    largest = max(int((part.astype(np.int64) ** 2).sum(axis=1).max()) for part in np.array_split(x, len(x) // 1000 + 1))
    if BIAS**2 + largest > row_norm2(parameters, x.shape[1], largest_attribute(x)):
        least = math.ceil(math.sqrt(BIAS**2 + largest) / BIAS * 10_000) / 10_000  # one that will do
        raise ParameterError(
            f"max_row_norm: expected at least {least:.4f}, the largest norm of a row, got {parameters.max_row_norm:g}. "
            "Raise it"
        )


def write_inputs(folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners) -> Mapping[int, InputFiles]:
    """Write each owner's binary input for svm_train.mpc: its rows, then the labels if it holds them.

    x: (m, n) uint8 or int32.  y: (m,) labels 0 and 1.  Raises DataError where they do not fit each other or the owners.
    """
    _check_counts(x, y, owners)
    rows, sign = integer_rows(x), signs(y)
    if owners.labels is None:
        rows *= sign[:, None]
    blocks = {party: [block] for party, block in enumerate(_split(rows, owners))}
    if owners.labels is not None:
        blocks.setdefault(owners.labels, []).append(sign)
    return _write_owners(folder, blocks)


def write_pixel_inputs(folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners) -> Mapping[int, InputFiles]:
    """The same for pca.mpc: rows of pixels alone, not multiplied, and the labels behind them, who holds them.

    x: (m, n) uint8.  y: (m,) labels 0 and 1.
    """
    if x.dtype != np.uint8:
        raise DataError(f"expected images of uint8 for principal components, got {x.dtype}")
    _check_counts(x, y, owners)
    pixels, sign = integer_rows(x)[:, 1:], signs(y)
    blocks = {party: [block] for party, block in enumerate(_split(pixels, owners))}
    if owners.labels is None:
        for party, labels in enumerate(_split(sign, owners)):
            blocks[party].append(labels)
    else:
        blocks.setdefault(owners.labels, []).append(sign)
    return _write_owners(folder, blocks)


def _check_counts(x: np.ndarray, y: np.ndarray, owners: Owners) -> None:
    if not len(x) == len(y) == sum(owners.rows):
        raise DataError(f"expected {sum(owners.rows)} images and labels, got {len(x)} images and {len(y)} labels")


def _split(rows: np.ndarray, owners: Owners) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(owners.rows)[:-1])


def _write_owners(folder: Path, blocks: Mapping[int, Sequence[np.ndarray]]) -> Mapping[int, InputFiles]:
    return {party: InputFiles(binary=_write(folder / f"owner-{party}.bin", parts)) for party, parts in blocks.items()}


def _write(path: Path, parts: Sequence[np.ndarray]) -> Path:
    """Little-endian int64, no header; readable by the owner alone."""
    write_atomically(path, b"".join(part.astype("<i8", copy=False).tobytes() for part in parts), mode=0o600)
    return path
