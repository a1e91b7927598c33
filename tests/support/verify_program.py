"""Arguments of svm_verify.mpc, and shares of a model for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from mpc_tamper.core import bundle
from mpc_tamper.defences.accuracy import example_rows
from mpc_tamper.engines.clear.engine import write_values
from mpc_tamper.engines.rep3 import share_files
from mpc_tamper.engines.rep3.protocol.share import RepShare
from mpc_tamper.runs.protocols import PARTIES
from mpc_tamper.runs.spec import InputFiles

VERIFY = bundle.program("svm_verify.mpc")
X = np.array([[0, 0], [255, 0], [0, 255], [1, 2], [9, 9], [200, 100], [3, 0]], np.uint8)
Y = np.array([0, 1, 0, 1, 0, 1, 1], np.uint8)


def leave_shares(run_dir: Path, weights: np.ndarray) -> None:
    """Share files as training leaves them, of each engine."""
    words = weights.astype(np.int64).view(np.uint64)
    write_values(run_dir, words)
    first, second = np.random.default_rng(5).integers(0, 2**64, (2, len(words)), np.uint64)
    parts = [first, second, words - first - second]
    for i in range(PARTIES):
        share_files.write(share_files.share_file(run_dir, i), RepShare(parts[i], parts[i - 1]), None)


def arguments(
    folder: Path, kind: str, threshold: int, pixels: int = 0, channels: int = 1, x: np.ndarray = X, y: np.ndarray = Y
) -> tuple[tuple[str, ...], dict[int, InputFiles]]:
    rows, path = example_rows(x, y), folder / f"{kind}.bin"
    sizes = {"columns": x.shape[1] + 1, "rows": len(x), "threshold": threshold, "pixels": pixels, "channels": channels}
    size = tuple(f"{name}={value}" for name, value in sizes.items())
    if kind == "secret":
        path.write_bytes(rows.astype("<i8").tobytes())
        return (*size, "owner=1"), {1: InputFiles(binary=path)}
    path.write_bytes(rows.T.astype("<i8").tobytes())
    return (*size, f"file={path}", f"sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"), {}
