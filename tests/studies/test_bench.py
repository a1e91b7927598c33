"""The benchmark: what it measures, part by part, and how it is shown. How fast things are depends on the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc_tamper.core.errors import DataError, ParameterError
from mpc_tamper.datasets import Task
from mpc_tamper.engines.registry import get_engine
from mpc_tamper.report.bench import bench_table
from mpc_tamper.report.page.sections import speed
from mpc_tamper.runs.protocols import EngineName
from mpc_tamper.studies import bench, bench_networks, bench_products, bench_scaling, bench_spu, bench_svm, bench_threads

REP3 = get_engine(EngineName.REP3)
COMMITTED = Path(__file__).parents[2] / "results" / "bench.json"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tiny_task: Task) -> None:
    """All parts in sizes that take no time."""
    digits = bench_scaling.random_task(256, 16, 10)
    monkeypatch.setattr(bench_svm, "load_task", lambda name: tiny_task)
    monkeypatch.setattr(bench_svm, "_ACTIVE_ITERATIONS", 3)
    monkeypatch.setattr(bench_networks, "load_task", lambda name: digits)
    for name, value in {"ROWS": 256, "EPOCHS": 3, "WIDTHS": (4,), "EPOCH_ROWS": 256, "EPOCH_WIDTH": 4}.items():
        monkeypatch.setattr(bench_networks, name, value)
    monkeypatch.setattr(bench_threads, "load_task", lambda name: tiny_task if name == "mnist_0_1" else digits)
    monkeypatch.setattr(bench_threads, "_STEPS", {"SVM": 4, "network": 2})
    monkeypatch.setattr(bench_threads, "EPOCH_ROWS", 256)
    monkeypatch.setattr(bench_threads, "_HIDDEN", (4,))
    monkeypatch.setattr(bench_threads, "_WARM_UP", 1)
    monkeypatch.setattr(bench_threads, "REPETITIONS", 2)


def test_the_svm_and_the_network_beside_each_other(small: None, tmp_path: Path) -> None:
    record = bench.bench(REP3, tmp_path, iterations=10, repetitions=2, only=["svm", "networks"])
    assert record == json.loads((tmp_path / "bench.json").read_text())
    for found in (record, record["networks"]["epoch"]):
        for key in ("seconds", "cpu_seconds", "bytes"):
            assert found[f"active_over_passive_{key}"] > 0
        assert found["active_bytes_per_party"] > found["passive_bytes_per_party"]
        assert len(found["active_training_seconds_of_runs"]) == 2
    table = (tmp_path / "bench.md").read_text()
    for row in (
        *("NumPy, plaintext", "rep3 ring", "rep3 mal-rep-ring", "rep3 ring, rows of 3 owners"),
        "network of 4, an epoch of 256 rows with input: rep3 mal-rep-ring",
    ):
        assert row in table
    assert "Active over passive, network:" in table


def test_a_part_joins_the_record_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench.json").write_text(COMMITTED.read_text())
    before = json.loads(COMMITTED.read_text())
    measured = {"help": {"wall_seconds": 12.34, "cpu_seconds": 1.0}}
    monkeypatch.setattr(bench, "start_up", lambda task, progress: measured)
    record = bench.bench(REP3, tmp_path, only=["start_up"])
    assert record["start_up"] == measured
    assert record["rep3_ring_seconds"] == before["rep3_ring_seconds"]
    assert "start_up" in record["commits"]
    assert "| mpc-tamper --help | 12.34 |" in (tmp_path / "bench.md").read_text()


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"expected parts among svm, networks, .*, got speed"):
        bench.bench(REP3, tmp_path, only=["svm", "speed"])
    with pytest.raises(ParameterError, match=r"expected .*bench.json or svm among the parts"):
        bench.bench(REP3, tmp_path, only=["products"])
    with pytest.raises(ParameterError, match="expected at least 10 iterations"):
        bench.bench(REP3, tmp_path, iterations=3)
    (tmp_path / "bench.json").write_text("{")
    with pytest.raises(DataError) as caught:
        bench.bench(REP3, tmp_path)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'bench.json'}: expected a record of mpc-tamper bench, got none: ")
    assert said.endswith("; restore the file, or remove it and run mpc-tamper bench again")
    assert "\n" not in said
    assert (tmp_path / "bench.json").read_text() == "{"  # nothing of the user's is lost


def test_one_party_alone_on_one_thread_and_on_two(small: None) -> None:
    found = bench_threads.bench_threads(REP3, repetitions=2)
    assert [work["work"] for work in found["work"]] == [
        "SVM, a step",
        "SVM, reading a component of the rows",
        "SVM, the proof of 4 steps",
        "network of 4, a step",
        "network of 4, the proof of 2 steps",
        "network of 4, an epoch of 256 rows",
        "network of 4, an epoch of 256 rows, proofs included",
    ]
    passive, active = (work["seconds"] for work in found["work"][-2:])
    assert found["active_over_passive_seconds"] == [active[0] / passive[0], active[1] / passive[1]]
    for work in found["work"]:
        assert min(work["seconds"]) > 0
        assert work["gain"] == work["seconds"][0] / work["seconds"][1]
        assert work["registers_gain"] > 0
    table = bench_table({"threads": found, "environment": _environment()})
    (row,) = [line for line in table.splitlines() if line.startswith("| SVM, a step | ")]
    step = found["work"][0]
    low, high = step["registers_quartiles"]
    assert row.endswith(f"| {step['gain']:.2f} | {step['registers_gain']:.2f} ({low:.2f} to {high:.2f}) |")
    assert "In registers: " in table
    one, two = found["active_over_passive_seconds"]
    assert f"alone: {one:.2f} times the seconds on one thread, {two:.2f} times on two" in table
    del found["active_over_passive_seconds"]  # as in older records
    for work in found["work"]:
        del work["registers_gain"]  # as in older records
    table = bench_table({"threads": found, "environment": _environment()})
    assert f"| {step['gain']:.2f} |  |" in table
    assert "In registers: " not in table
    assert "times on two" not in table


def test_products_against_the_limits_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [
        bench_products.Product("a", 50, 40, 1, "int16", False),
        bench_products.Product("b", 40, 50, 8, "uint64", True),
    ]
    monkeypatch.setattr(bench_products, "products", lambda: shapes)
    monkeypatch.setattr(bench_products, "_SECONDS", 1e-4)
    found = bench_products.bench_products(repetitions=3)
    assert {each["limited_by"] for each in found["products"]} <= {"memory", "multiplications"}
    assert found["products"][1]["limited_by"] == "multiplications"  # of matrices
    assert "| b, 40 x 50 x 8 | uint64 |" in bench_table({"products": found, "environment": _environment()})
    assert min(each["call_seconds"] for each in found["products"]) > 0
    del found["products"][1]["call_seconds"]  # as in older records
    assert "| b, 40 x 50 x 8 | uint64 |" in bench_table({"products": found, "environment": _environment()})


def test_twice_as_much_of_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_scaling, "SVM", {"rows": 60, "columns": 9})
    sizes = {"rows": 64, "columns": 9, "hidden": 3, "batch_size": 8}
    monkeypatch.setattr(bench_scaling, "NETWORK", sizes)
    monkeypatch.setattr(bench_scaling, "TURNS", 2)
    runs: list[str] = []
    found = bench_scaling.bench_scaling(REP3, progress=runs.append)
    for of_model, points in ((runs[:6], 3), (runs[6:], 5)):
        assert of_model == 2 * of_model[:points]  # in turns
    assert [(each["model"], each["what"]) for each in found] == [
        *[("linear_svm", what) for what in ("rows", "columns")],
        *[("mlp", what) for what in sizes],
    ]
    for each in found:
        before, after = each["sizes"]
        assert after == {**before, each["what"]: 2 * before[each["what"]]}
    assert "| network: neurons | 3 | 6 |" in bench_table({"scaling": found, "environment": _environment()})


def test_every_table_has_a_caption_on_the_page(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also tables of parts that the committed record has not."""
    monkeypatch.setattr(bench_products, "_SECONDS", 1e-4)
    monkeypatch.setattr(bench_products, "products", lambda: [bench_products.Product("a", 5, 4, 1, "int16", False)])
    parts = {
        "threads": bench_threads.bench_threads(REP3, repetitions=2),
        "products": bench_products.bench_products(repetitions=3),
    }
    record = json.loads(COMMITTED.read_text()) | parts
    (tmp_path / "bench.json").write_text(json.dumps(record))
    (block,) = speed(tmp_path)
    captions = [re.search("<caption>(.*?)</caption>", each.html) for each in block.pieces if each.kind == "table"]
    assert len(captions) == bench_table(record).count("\n|---")
    assert all(found is not None and found[1] for found in captions)
    assert len({found[1] for found in captions if found}) == len(captions)


def test_where_spu_is_missing_the_record_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bench_spu.PYTHON, "/no/such/python")
    found = bench_spu.bench_spu()
    assert "SPU does not load" in found["missing"]
    record: dict[str, Any] = {**json.loads(COMMITTED.read_text()), "spu": found}
    assert f"SPU: not measured: {found['missing']}." in bench_table(record)


def test_the_network_in_plaintext_has_steps_of_its_own() -> None:
    task = bench_scaling.random_task(200, 8, 10)
    assert np.all(np.array(bench_networks.numpy_step_seconds(task, 4)) > 0)


def _environment() -> dict[str, Any]:
    return dict.fromkeys(("cpu", "cores", "os", "python", "numpy", "commit"), "x")
