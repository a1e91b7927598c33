"""The benchmark of start-up: what it runs and how it is shown. How fast it is depends on the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mpc_tamper.core.errors import EngineUnavailable
from mpc_tamper.datasets import Task
from mpc_tamper.report.bench import bench_table
from mpc_tamper.studies.start_up import _time, start_up

COMMITTED = Path(__file__).parents[2] / "results" / "bench.json"


def test_each_command_is_timed_with_its_parties(tiny_task: Task) -> None:
    found = start_up(tiny_task, repetitions=1)
    assert list(found) == ["program", "training", "help"]
    for times in found.values():
        assert times["wall_seconds"] > 0
        assert times["cpu_seconds"] > 0
    assert found["program"]["cpu_seconds"] > found["help"]["cpu_seconds"]  # three parties more
    table = bench_table(json.loads(COMMITTED.read_text()) | {"start_up": found})
    row = f"{found['training']['wall_seconds']:.2f} | {found['training']['cpu_seconds']:.2f}"
    assert f"| mpc-tamper train, 300 rows and 3 iterations | {row} |" in table


def test_a_command_that_fails_is_reported_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"none\.mpc: expected a program"):
        _time(["run", "none.mpc"], tmp_path)
