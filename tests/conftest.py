"""Fixtures that several suites share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from mpc_tamper.datasets import Task, load_task
from mpc_tamper.datasets.checks import checked

CIFAR10_VARIABLE = "MPC_TAMPER_CIFAR10"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A folder for one run, not yet made."""
    return tmp_path / "run"


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    """24 training and 12 test images of 4 x 4 pixels: class 0 is bright on the left, class 1 on the right."""
    rng = np.random.default_rng(7)

    def images(rows: int) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(rows) % 2).astype(np.uint8)
        x = rng.integers(0, 40, size=(rows, 4, 4))
        x[y == 0, :, :2] += 200
        x[y == 1, :, 2:] += 200
        return x.reshape(rows, 16).astype(np.uint8), y

    x_train, y_train = images(24)
    x_test, y_test = images(12)
    return checked(
        Task("tiny", x_train, y_train, x_test, y_test, (4, 4), ("left", "right"), "made for tests", sha256="0" * 64)
    )


@pytest.fixture(scope="session")
def cifar10_task() -> Task:
    """Two classes of CIFAR-10, from an .npz file or a folder in torchvision's layout that the user has."""
    place = os.environ.get(CIFAR10_VARIABLE)
    if not place:
        pytest.skip(f"set {CIFAR10_VARIABLE} to CIFAR-10 as an .npz file or a folder in torchvision's layout")
    classes = None if place.endswith(".npz") else ("airplane", "automobile")
    return load_task(place, classes=classes)


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """invoke("run", "x.mpc", ...) calls the command line in this process; result.output, .stderr and .exit_code."""
    from mpc_tamper.cli.main import app

    def call(*args: str | Path) -> Result:
        return CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)

    return call
