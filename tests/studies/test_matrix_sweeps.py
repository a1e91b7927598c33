"""A matrix whose cells are run by several workers and several sweeps: the same cells as those of one process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mpc_tamper.core.errors import ParameterError
from mpc_tamper.datasets import load_task
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.report.matrix_record import MATRIX_LINES, read_matrix
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies.matrix.matrix import run_matrix
from mpc_tamper.studies.matrix.study import Study
from mpc_tamper.studies.sweeps.schedulers import Cluster, Processes, Scheduler, Serial
from tests.support.processes import COMMAND, started, wait_for
from tests.support.sweeps import cluster, lasting

ATTACKS, DEFENCES = ("none", "sabotage"), ("none", "clipping")


@pytest.fixture(scope="module")
def study() -> Study:
    return Study.of(load_task("mnist_0_1"), quick=True)


def swept(folder: Path, study: Study, scheduler: Scheduler, attacks: tuple[str, ...] = ATTACKS) -> None:
    clear = get_engine(EngineName.CLEAR)
    run_matrix([study], folder, engine=clear, attacks=attacks, defences=DEFENCES, scheduler=scheduler)


def cells(folder: Path) -> list[dict[str, Any]]:
    found = read_matrix(folder / MATRIX_LINES)["cells"]
    return [lasting(cell) | {"commit": None} for cell in found]  # which a run beside may change


@pytest.fixture(scope="module")
def serial(study: Study, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("serial")
    swept(folder, study, Serial())
    return cells(folder)


def test_processes_find_what_one_finds(study: Study, serial: list[dict[str, Any]], tmp_path: Path) -> None:
    swept(tmp_path, study, Processes(2))
    assert cells(tmp_path) == serial
    found = read_matrix(tmp_path / MATRIX_LINES)["cells"]
    assert {(cell["seconds"], cell["beside_others"]) for cell in found} == {(None, True)}
    assert not list(tmp_path.glob("*.cells"))
    assert (tmp_path / "gallery-mnist_0_1.png").exists()


def test_two_sweeps_into_one_folder_find_what_one_finds(serial: list[dict[str, Any]], tmp_path: Path) -> None:
    words = ["matrix", "--quick", "--engine", "clear", "--quiet", "--out", str(tmp_path)]
    words += [word for name in DEFENCES for word in ("--defence", name)]
    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(started([*COMMAND, *words, *(word for name in order for word in ("--attack", name))]))
            for order in (ATTACKS, ATTACKS[::-1])
        ]
        for each in both:
            _, complaints = each.communicate()
            assert each.returncode == 0, complaints
    assert cells(tmp_path) == serial
    assert not list(tmp_path.glob("*.cells"))


@pytest.mark.slow
def test_a_cluster_one_of_whose_workers_is_killed_finds_what_one_process_finds(
    study: Study, serial: list[dict[str, Any]], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with cluster(tmp_path, 3) as (address, workers):
        runs = Cluster(address)
        wait_for(lambda: runs.workers() == 3)
        sweep = threading.Thread(target=swept, args=(results, study, runs))
        sweep.start()
        wait_for(lambda: list(results.glob("*.cells/*")) or (results / MATRIX_LINES).exists())
        os.kill(workers[0].pid, signal.SIGKILL)
        sweep.join()
    assert cells(results) == serial


def test_a_study_of_parts_stays_in_its_process(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="run it without --jobs and --scheduler"):
        swept(tmp_path, replace(study, whole=None), Processes(2))
    assert not list(tmp_path.iterdir())
