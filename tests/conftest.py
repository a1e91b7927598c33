"""Fixtures that several suites share, and what holds for every test: markers, and no process left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner, Result

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.core.ledger import VARIABLE as STATE_VARIABLE
from mpc_tamper.datasets import Task, load_task
from mpc_tamper.engines.mp_spdz.installation import HOME_VARIABLE
from mpc_tamper.engines.rep3 import kernels
from tests.support.images import halves
from tests.support.processes import existing, fail_on_processes_left, mark_this_run

CIFAR10_VARIABLE = "MPC_TAMPER_CIFAR10"
OF_MP_SPDZ = {"installation", "mp_spdz"}  # fixtures

mark_this_run()

# The same examples in every run and on every machine, however long one takes. To look for new ones:
# pytest --hypothesis-profile=search
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", parent=settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_setupnodes() -> None:
    """Workers find kernels compiled: all of them import the same ones in the same order as they collect."""
    with contextlib.suppress(EngineUnavailable):  # tests that need them say so
        kernels.compile_missing(kernels.ALL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if OF_MP_SPDZ & set(getattr(item, "fixturenames", ())):
            item.add_marker("mp_spdz")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # whole files, short ones last: all workers end at once


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("mp_spdz") and not os.environ.get(HOME_VARIABLE):
        pytest.skip(f"set {HOME_VARIABLE} to a built tree of MP-SPDZ v0.4.2 to compare with it")


@pytest.fixture(autouse=True, scope="session")
def counts_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Verdicts and queries are counted in a folder of these tests, not in the user's."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(folder))
        yield folder


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The counts of this test alone, in a folder not yet made."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def no_process_outlives_the_test() -> Iterator[None]:
    before = existing()
    yield
    fail_on_processes_left(before)


@pytest.fixture(autouse=True, scope="session")
def no_process_outlives_the_tests() -> Iterator[None]:
    """Those of fixtures that several tests share."""
    yield
    fail_on_processes_left(set())


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A folder for one run, not yet made."""
    return tmp_path / "run"


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    """24 training and 12 test images of 4 x 4 pixels: class 0 is bright on the left, class 1 on the right."""
    return halves("tiny", side=4, rows=24, test_rows=12)


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
