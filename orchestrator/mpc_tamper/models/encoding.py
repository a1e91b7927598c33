"""From images and labels to the integers that owners enter into the computation.

A row is attribute 0 (constant, 2^8) and the pixels 0..255, all at scale 2^8. An owner who holds a row's label -1 or 1
multiplies the row by it; otherwise another party enters the labels and they are multiplied in the computation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mpc_tamper.core.errors import DataError
from mpc_tamper.core.files import atomic_path, check_space, make_folder
from mpc_tamper.core.pixels import MAX_PIXEL
from mpc_tamper.models.fixed_point import BIAS, MAX_FEATURE
from mpc_tamper.runs.owners import Owners
from mpc_tamper.runs.spec import InputFiles

_BLOCK_WORDS, _WORD_BYTES = 1 << 20, 8


def check_rows(x: np.ndarray) -> None:
    """Raises DataError for what is no (m, n) pixels, uint8, or features at scale 2^8, int32."""
    if x.ndim != 2 or x.dtype not in (np.uint8, np.int32):
        raise DataError(
            "expected images as a (rows, pixels) array of uint8, or features as one of int32, got "
            f"{x.dtype} of shape {x.shape}"
        )
    if x.dtype == np.int32 and x.size and max(int(x.max()), -int(x.min())) > MAX_FEATURE:
        raise DataError(f"expected features from -{MAX_FEATURE} to {MAX_FEATURE}, got others beyond; scale them down")


def integer_rows(x: np.ndarray) -> np.ndarray:
    """(m, n) pixels, uint8, or features at scale 2^8, int32, to (m, n + 1) int64, constant attribute first."""
    check_rows(x)
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


def signed_labels(y: np.ndarray, classes: int) -> np.ndarray:
    """(m, outputs) int64: for two classes 1 for class 1, else -1; for more, 1 for the row's class, else -1.

    y: (m,) labels from 0 to classes - 1.
    """
    if y.ndim != 1 or (len(y) and int(y.max()) >= classes) or y.dtype.kind not in "ui":
        raise DataError(f"expected a list of labels from 0 to {classes - 1}, got {y.dtype} of shape {y.shape}")
    columns = np.arange(1, 2) if classes == 2 else np.arange(classes)
    return np.where(y[:, None] == columns, 1, -1).astype(np.int64)


@dataclass(frozen=True)
class Rows:
    """An owner's rows on their way to its input file, integers a block at a time: all of them may not fit in memory.

    x: (m, n) as of integer_rows().  signs: (m,) by which they are multiplied.  order: (m,) indices, in which they are
    entered.  constant: whether the constant attribute stands first.
    """

    x: np.ndarray
    signs: np.ndarray | None = None
    order: np.ndarray | None = None
    constant: bool = True

    def __post_init__(self) -> None:
        check_rows(self.x)

    @property
    def size(self) -> int:
        """Integers."""
        return len(self.x) * (self.x.shape[1] + self.constant)

    def blocks(self) -> Iterator[np.ndarray]:
        step = max(1, _BLOCK_WORDS // (self.x.shape[1] + 1))
        for start in range(0, len(self.x), step):
            part = slice(start, start + step)
            rows = integer_rows(self.x[part] if self.order is None else self.x[self.order[part]])
            if self.signs is not None:
                rows *= self.signs[part, None]
            yield rows if self.constant else rows[:, 1:]


def write_signed_rows(folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners) -> Mapping[int, InputFiles]:
    """Write each owner's binary input for a training on signed rows: its rows, then the labels if it holds them.

    x: (m, n) uint8 or int32.  y: (m,) labels 0 and 1.  Raises DataError where they do not fit each other or the owners.
    """
    check_counts(x, y, owners)
    sign = signs(y)
    factors = _split(sign, owners) if owners.labels is None else [None] * len(owners.row_counts)
    parts = zip(_split(x, owners), factors, strict=True)
    blocks: dict[int, list[Rows | np.ndarray]] = {
        i: [Rows(own, signs=own_signs)] for i, (own, own_signs) in enumerate(parts)
    }
    if owners.labels is not None:
        blocks.setdefault(owners.labels, []).append(sign)
    return write_owners(folder, blocks)


def write_labelled_rows(
    folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners, classes: int
) -> Mapping[int, InputFiles]:
    """The same for a program that takes rows and a label for each output apart: each owner's rows, then its labels.

    x: (m, n) uint8 or int32.  y: (m,) labels from 0 to classes - 1.
    """
    check_counts(x, y, owners)
    labels = signed_labels(y, classes)
    blocks: dict[int, list[Rows | np.ndarray]] = {party: [Rows(own)] for party, own in enumerate(_split(x, owners))}
    if owners.labels is None:
        for party, part in enumerate(_split(labels, owners)):
            blocks[party].append(part)
    else:
        blocks.setdefault(owners.labels, []).append(labels)
    return write_owners(folder, blocks)


def write_pixels(folder: Path, x: np.ndarray, y: np.ndarray, owners: Owners) -> Mapping[int, InputFiles]:
    """The same for a program that takes pixels and labels apart: each owner's rows as they are, then its labels.

    x: (m, n) uint8.  y: (m,) labels 0 and 1.
    """
    if x.dtype != np.uint8:
        raise DataError(f"expected images of uint8 for principal components, got {x.dtype}")
    check_counts(x, y, owners)
    sign = signs(y)
    blocks: dict[int, list[Rows | np.ndarray]] = {
        party: [Rows(own, constant=False)] for party, own in enumerate(_split(x, owners))
    }
    if owners.labels is None:
        for party, labels in enumerate(_split(sign, owners)):
            blocks[party].append(labels)
    else:
        blocks.setdefault(owners.labels, []).append(sign)
    return write_owners(folder, blocks)


def check_counts(x: np.ndarray, y: np.ndarray, owners: Owners) -> None:
    if not len(x) == len(y) == sum(owners.row_counts):
        raise DataError(f"expected {sum(owners.row_counts)} images and labels, got {len(x)} images and {len(y)} labels")


def _split(rows: np.ndarray, owners: Owners) -> list[np.ndarray]:
    return np.split(rows, np.cumsum(owners.row_counts)[:-1])


def write_owners(folder: Path, blocks: Mapping[int, Sequence[Rows | np.ndarray]]) -> Mapping[int, InputFiles]:
    """Each owner's binary input. Raises UsageError where the disk has no room for all of them."""
    make_folder(folder)
    size = sum(part.size for parts in blocks.values() for part in parts) * _WORD_BYTES
    check_space(folder, size, "the owners' inputs (TMPDIR names another place)")
    return {party: InputFiles(binary=_write(folder / f"owner-{party}.bin", parts)) for party, parts in blocks.items()}


def _write(path: Path, parts: Sequence[Rows | np.ndarray]) -> Path:
    """Little-endian int64, no header; readable by the owner alone."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        for part in parts:
            for block in part.blocks() if isinstance(part, Rows) else [part]:
                file.write(block.astype("<i8", copy=False).tobytes())
    return path


def signed_examples(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Known examples for a verification: (m, n + 2) int64, y_i x_i with the constant attribute first, then [class 0].

    x: (m, n) features.  y: (m,) classes 0 and 1, both present: a model of one class only is right on all of that.
    """
    if len(x) != len(y) or not {0, 1} <= set(np.unique(y).tolist()):
        raise DataError(
            f"expected as many classes as examples, of both classes 0 and 1, got {len(x)} examples and {len(y)} "
            f"classes, {len(np.unique(y))} different ones"
        )
    sign = signs(y)
    return np.column_stack([integer_rows(x) * sign[:, None], sign < 0])


def examples_of_classes(x: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """The same of more classes: ((n + 1) m + C m,) int64, all rows, and then for each a 1 for its class among zeros.

    x: (m, n) features.  y: (m,) classes from 0, two different ones at least.
    """
    if len(x) != len(y) or len(np.unique(y)) < 2:
        raise DataError(
            f"expected as many classes as examples, of two classes at least, got {len(x)} examples and {len(y)} "
            f"classes, {len(np.unique(y))} different ones"
        )
    if not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise DataError(f"expected classes from 0 to {classes - 1}, got some from {int(y.min())} to {int(y.max())}")
    labels = y[:, None] == np.arange(classes)
    return np.concatenate([integer_rows(x).reshape(-1), labels.reshape(-1).astype(np.int64)])


def write_examples(
    folder: Path, rows: np.ndarray, secret_owner: int | None
) -> tuple[tuple[str, ...], InputFiles | None]:
    """Arguments that say where a program finds its examples, and the secret owner's input, if there is one.

    Public examples are a file, column by column, whose hash is among the arguments that all parties compare.
    """
    path = folder / "examples.bin"
    if secret_owner is not None:
        _write(path, [rows])
        return (f"owner={secret_owner}",), InputFiles(binary=path)
    _write(path, [np.ascontiguousarray(rows.T)])
    return (f"file={path}", f"sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"), None
