"""Training rows read off an opened network: exact for every kind of memory, and what defences make of it."""

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
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.mlp.errors import MlpErrors
from mpc_tamper.models.mlp.parameters import MlpParameters, Start
from mpc_tamper.models.registry import get_model
from mpc_tamper.report.leak_reconstruct import (
    LEAK_RECONSTRUCT_JSON,
    LEAK_RECONSTRUCT_MARKDOWN,
    LEAK_RECONSTRUCT_PICTURE,
    write_leak_reconstruct,
)
from mpc_tamper.runs.corruption import Corruption
from mpc_tamper.scenarios.scenario import Scenario
from mpc_tamper.studies.leaks.memory import Memory, MemoryNeurons, least_useful, longest
from mpc_tamper.studies.leaks.reconstruct import reconstruct_rows
from mpc_tamper.workflows.training import train_and_open
from tests.support.images import halves, striped
from tests.support.in_memory import InMemoryRep3

SMALL = MlpParameters(hidden=10, epochs=4, batch_size=9, cap=64.0)  # wide bounds, as those of many steps


@pytest.fixture(scope="module")
def four() -> Task:
    """Four classes, 63 rows, the classes in no order."""
    return striped(4, rows=63)


def _memory(task: Task, parameters: MlpParameters, kind: Memory, rows: list[int]) -> MemoryNeurons:
    errors = Scenario.plain(task, parameters, get_model("mlp")).errors
    assert isinstance(errors, MlpErrors)
    return MemoryNeurons(errors, kind, rows, list(range(2, 2 + kind.neurons(len(rows)))), longest(task.x_test))


@pytest.mark.parametrize("kind", Memory)
@pytest.mark.parametrize("classes", [2, 4])
def test_every_pixel_of_chosen_rows(four: Task, kind: Memory, classes: int) -> None:
    task = four if classes == 4 else halves("two", side=6, rows=60, test_rows=12)
    rows = [0, 17, 58, 59]
    memory = _memory(task, SMALL, kind, rows)
    corruption = Corruption(2, memory.plan())
    for engine in (ClearEngine(), InMemoryRep3()):
        opened = train_and_open(task, SMALL, model=get_model("mlp"), engine=engine, corruption=corruption).opened
        assert memory.images(opened.weights).tolist() == task.x_train[rows].tolist()
        if kind is Memory.OFF:
            assert memory.labels(opened.weights) == task.y_train[rows].tolist()
        else:
            assert memory.labels(opened.weights) is None


def test_no_more_than_two_errors_a_row_and_no_start(four: Task) -> None:
    parameters = replace(SMALL, start=Start.SECRET)
    memory = _memory(four, parameters, Memory.OFF, [5, 6, 7])
    plan = memory.plan()
    assert len(plan) == 6
    assert plan.sites() == {"BACK_ACTIVE", "ACTIVATION"}
    opened = train_and_open(
        four, parameters, model=get_model("mlp"), engine=ClearEngine(), corruption=Corruption(0, plan)
    ).opened
    assert memory.images(opened.weights).tolist() == four.x_train[[5, 6, 7]].tolist()
    assert memory.labels(opened.weights) == four.y_train[[5, 6, 7]].tolist()


@pytest.mark.parametrize("neurons", [[0, 1], [3], [3, 3], [9, 10]])
def test_neurons_that_cannot_remember(four: Task, neurons: list[int]) -> None:
    errors = _memory(four, SMALL, Memory.OFF, [1, 2]).errors
    with pytest.raises(ParameterError, match="expected 2 of the neurons 1 to 9 for 2 rows"):
        MemoryNeurons(errors, Memory.OFF, [1, 2], neurons, 2**20)


def test_the_least_useful_neurons() -> None:
    w1 = np.array([[1.0, 5, 0, 0], [0, 0, 1, 2]])  # the second is always above the cap, the third weaker than the last
    assert least_useful((w1, np.ones((4, 3))), 2.0, np.array([[0], [255]], np.uint8), 2) == [1, 2]


def test_the_record(four: Task, tmp_path: Path) -> None:
    record = reconstruct_rows(
        InMemoryRep3(),
        tmp_path,
        task=four,
        rows=63,
        parameters=SMALL,
        count=3,
        defences=["fine_pruning_strong", "active"],
    )
    assert record == json.loads((tmp_path / LEAK_RECONSTRUCT_JSON).read_text())
    assert [(found["exact"], found["largest_difference"]) for found in record["found"]] == [(36, 0)] * 3
    lines = {(row["defence"], row["adversary"]): row for row in record["defences"]}
    assert list(lines) == [
        ("none", "off"),
        *(("fine_pruning_strong", kind) for kind in ("off", "capped", "quiet_capped")),
        ("active", "off"),
    ]
    assert lines["none", "off"]["exact"] == 3
    assert lines["fine_pruning_strong", "off"]["exact"] == 0  # neurons that are off are pruned
    assert lines["fine_pruning_strong", "capped"]["exact"] == 3
    assert lines["active", "off"]["aborted"]
    text = (tmp_path / LEAK_RECONSTRUCT_MARKDOWN).read_text()
    assert "3 of 3 chosen rows are exact in every pixel, 3 labels are right" in text
    assert "| Active training | plain: neurons that go off | | | aborts | nothing to open |" in text
    assert (tmp_path / LEAK_RECONSTRUCT_PICTURE).read_bytes().startswith(b"\x89PNG")


def test_what_there_is_not(four: Task, tmp_path: Path) -> None:
    engine = ClearEngine()
    with pytest.raises(ParameterError, match="count: expected 1 to 9 rows to read, got 10"):
        reconstruct_rows(engine, tmp_path, task=four, rows=60, parameters=SMALL, count=10)
    with pytest.raises(ParameterError, match="got nothing"):
        reconstruct_rows(engine, tmp_path, task=four, rows=60, parameters=SMALL, count=2, defences=["nothing"])
    with pytest.raises(ParameterError, match="corrupt party: expected 0 to 2, got 3"):
        reconstruct_rows(engine, tmp_path, task=four, rows=60, parameters=SMALL, corrupt_party=3)
    assert not list(tmp_path.iterdir())
    (tmp_path / LEAK_RECONSTRUCT_JSON).write_text("{}")
    with pytest.raises(DataError, match=r"expected a field dataset, got none; .*run mpc-tamper leak reconstruct again"):
        write_leak_reconstruct(tmp_path)


def test_the_command(four: Task, tmp_path: Path, invoke: Callable[..., Result]) -> None:
    t = four
    np.savez(tmp_path / "t.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    options = ("--data", tmp_path / "t.npz", "--rows", "60", "--hidden", "6", "--epochs", "40", "--count", "2")
    result = invoke("leak", "reconstruct", *options, "--no-defences", "--engine", "clear", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "2 of 2 chosen rows are exact in every pixel" in result.stdout
