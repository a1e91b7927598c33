"""Members of a training told by one label each, and the table of all leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.base import Engine
from mpc_tamper.engines.clear.engine import ClearEngine
from mpc_tamper.models.mlp.parameters import MlpParameters
from mpc_tamper.report.leak_membership import (
    LEAK_MEMBERSHIP_JSON,
    LEAK_MEMBERSHIP_MARKDOWN,
    write_leak_membership,
)
from mpc_tamper.report.leaks import LEAKS_MARKDOWN, leaks_table, write_leaks
from mpc_tamper.studies.leaks.membership import ask_membership
from mpc_tamper.studies.leaks.network import Sides
from tests.support.images import striped
from tests.support.in_memory import InMemoryRep3

SMALL = MlpParameters(hidden=14, epochs=4, batch_size=9, cap=64.0)  # wide bounds, as those of many steps
ROWS = 63


@pytest.fixture(scope="module")
def noise() -> Task:
    """Four classes of images that are noise but for a column."""
    return striped(4, rows=ROWS + 120)


@pytest.mark.parametrize("engine", [ClearEngine(), InMemoryRep3()], ids=["clear", "rep3"])
def test_the_record(noise: Task, tmp_path: Path, engine: Engine) -> None:
    defences = ["secret_start", "active"]
    record = ask_membership(
        engine, tmp_path, task=noise, rows=ROWS, parameters=SMALL, count=4, defences=defences, corrupt_party=2
    )
    assert record == json.loads((tmp_path / LEAK_MEMBERSHIP_JSON).read_text())
    plain = record["defences"][0]
    assert (plain["members_right"], plain["others_right"]) == (4, 4)
    assert [about["said_member"] for about in record["found"]] == [True] * 4 + [False] * 4
    text = (tmp_path / LEAK_MEMBERSHIP_MARKDOWN).read_text()
    assert "4 of 4 members and 4 of 4 others are told rightly" in text
    table = (tmp_path / LEAKS_MARKDOWN).read_text()
    assert "| The model is never opened | no weights | no weights | 4 and 4 of 4 each |" in table
    if engine.active_protocol() is not None:
        assert record["defences"][-1]["aborted"]
        assert "| Active training | | aborts | nothing to ask | |" in text
        assert "| Active training |  |  | aborts |" in table


def test_the_sides_share_no_image() -> None:
    x = np.arange(60, dtype=np.uint8)[:, None]
    y = (np.arange(60) % 2).astype(np.uint8)
    task = Task("numbers", x, y, x[:12] + 100, y[:12], (1, 1), ("0", "1"), "made for tests", "0" * 64)
    sides = Sides.of(task, 20)
    assert sides.task.x_train[:, 0].tolist() == list(range(20))
    assert sides.own.x_train[:, 0].tolist() == list(range(20, 47))
    assert sides.others[0][:, 0].tolist() == list(range(47, 60))
    whole = Sides.of(task, 60)  # then the test images are shared out
    assert whole.own.x_train[:, 0].tolist() == list(range(100, 108))
    assert whole.others[0][:, 0].tolist() == list(range(108, 112))


def test_what_there_is_not(noise: Task, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="count: expected 1 to 6 members and as many others to ask about, got 7"):
        ask_membership(ClearEngine(), tmp_path, task=noise, rows=ROWS, parameters=SMALL, count=7)
    assert not list(tmp_path.iterdir())
    (tmp_path / LEAK_MEMBERSHIP_JSON).write_text("{}")
    with pytest.raises(DataError, match=r"expected a field dataset, got none; .*run mpc-tamper leak membership again"):
        write_leak_membership(tmp_path)
    with pytest.raises(DataError, match="expected a field dataset, got none"):
        write_leaks(tmp_path)


def test_the_command(noise: Task, tmp_path: Path, invoke: Callable[..., Result]) -> None:
    t = noise
    np.savez(tmp_path / "t.npz", x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    options = ("--data", tmp_path / "t.npz", "--rows", "63", "--hidden", "12", "--epochs", "2", "--count", "2")
    result = invoke("leak", "membership", *options, "--no-defences", "--engine", "clear", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "asks for the class of 4 images" in result.stdout


def test_the_best_of_the_attacks_that_know_a_defence() -> None:
    def tried(adversary: str, exact: int, accuracy: float, passed: bool | None = None) -> dict[str, object]:
        about = {"defence": "accuracy", "adversary": adversary, "aborted": False, "rows": 9}
        return about | {"exact": exact, "accuracy": accuracy, "passed": passed}

    lines = [tried("off", 9, 0.9, False), tried("a", 9, 0.1, True), tried("b", 9, 0.8, True), tried("c", 9, 0.9, False)]
    table = leaks_table(None, {"defences": lines}, None)
    assert "| Accuracy threshold |  | does not pass; 9 of 9 by one who knows of it, at 80.0% accuracy |  |" in table
