"""A training row read off an opened model: exact on every engine, and aborted by active training."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.linear_svm.parameters import SvmParameters
from mpc_tamper.report.leak_row import LEAK_ROW_JSON, LEAK_ROW_MARKDOWN, LEAK_ROW_PICTURE, write_leak_row
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.leaks.row import leak_rows, read_row
from mpc_tamper.workflows.training import train_and_open
from tests.support.in_memory import InMemoryRep3

FULL = SvmParameters(learning_rate=0.1, regularisation=0.0, iterations=4)
BATCHES = replace(FULL, batch_size=7)


@pytest.fixture(scope="module")
def noisy(tiny_task: Task) -> Task:
    """Rows of all levels."""
    x = np.random.default_rng(5).integers(0, 256, tiny_task.x_train.shape, np.uint8)
    return replace(tiny_task, x_train=x)


@pytest.mark.parametrize("parameters", [FULL, BATCHES], ids=["full batches", "small batches"])
@pytest.mark.parametrize("corrupt_party", range(3))
def test_each_pixel_of_chosen_rows(noisy: Task, parameters: SvmParameters, corrupt_party: int) -> None:
    scenario = Scenario.plain(noisy, parameters)
    for row in (0, 13, 23):  # the last one is in the smaller batch
        corruption = Corruption(corrupt_party, scenario.errors.only_row(row))
        for engine in (ClearEngine(), InMemoryRep3()):
            weights = train_and_open(noisy, parameters, engine=engine, corruption=corruption).weights
            pixels, label = read_row(scenario, weights, row)
            assert pixels.tolist() == noisy.x_train[row].tolist()
            assert label == noisy.y_train[row]


@pytest.mark.parametrize("engine", [ClearEngine(), InMemoryRep3()], ids=["clear", "rep3"])
def test_the_record(noisy: Task, tmp_path: Path, engine: Engine) -> None:
    record = leak_rows(engine, tmp_path, task=noisy, rows=[3, 4], parameters=FULL)
    assert [(found["exact"], found["largest_difference"]) for found in record["found"]] == [(16, 0), (16, 0)]
    assert record == json.loads((tmp_path / LEAK_ROW_JSON).read_text())
    text = (tmp_path / LEAK_ROW_MARKDOWN).read_text()
    assert "| 3 | 1 | 1 | 16 of 16 | 0 |" in text
    assert "In 2 of 2 trainings every pixel" in text
    assert (tmp_path / LEAK_ROW_PICTURE).read_bytes().startswith(b"\x89PNG")
    if engine.active_protocol() is None:
        assert record["active"] is None
    else:
        assert record["active"]["aborted"]
        assert "the training aborts" in text


def test_rows_that_there_are_not(noisy: Task, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="row: expected one of the 24 training rows from 0, got 24"):
        leak_rows(ClearEngine(), tmp_path, task=noisy, rows=[0, 24], parameters=FULL)
    assert not list(tmp_path.iterdir())
    (tmp_path / LEAK_ROW_JSON).write_text("{}")
    with pytest.raises(DataError, match=r"expected a field dataset, got none; .*run mpc-tamper leak row again"):
        write_leak_row(tmp_path)


def test_the_command(noisy: Task, tmp_path: Path, invoke: Callable[..., Result]) -> None:
    t = noisy
    np.savez(tmp_path / "t.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    options = ("--data", tmp_path / "t.npz", "--engine", "clear", "--row", "2", "--out", tmp_path)
    result = invoke("leak", "row", *options)
    assert result.exit_code == 0
    assert "| 2 | 0 | 0 | 16 of 16 | 0 |" in result.stdout
    assert "row of an owner's data" in result.stderr
