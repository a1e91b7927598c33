"""Runs in an MLflow store of files, for which mlflow-skinny needs nothing more."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.support.places import ROOT

Invoke = Callable[..., Result]
missing = importlib.util.find_spec("mlflow") is None
needs_mlflow = pytest.mark.skipif(missing, reason="needs the extra mlflow: pip install -e '.[mlflow]'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "results"
    place.mkdir()
    for name in ("table1.json", "table1.md", "figure1.png", "leak-membership.json"):
        shutil.copy(ROOT / "results" / name, place)
    lines = (ROOT / "results" / "matrix-own.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [line for line in map(json.loads, lines) if line["kind"] != "cell" or _chosen(line)]
    (place / "matrix-own.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    return place


def _chosen(cell: dict[str, Any]) -> bool:
    return (cell["dataset"], cell["attack"], cell["defence"]) == ("digits_0_1", "sabotage", "none") and cell["seed"] < 3


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "store").as_uri()


def found(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return list(client.search_runs([client.get_experiment_by_name("mine").experiment_id]))


@needs_mlflow
@pytest.mark.slow
def test_runs_are_sent_once(invoke: Invoke, folder: Path, uri: str) -> None:
    send = ("export", "mlflow", folder, "--tracking-uri", uri, "--experiment", "mine", "--quiet")
    assert invoke(*send).stdout == "mine: 20 runs sent, 0 were there\n"
    runs = {run.info.run_name: run for run in found(uri)}
    cell = runs["digits_0_1: sabotage against none"]
    assert cell.info.status == "FINISHED"
    assert cell.data.tags["outcome"] == "delivered"
    assert cell.data.params["attack"] == "sabotage"
    seeds = [run for run in runs.values() if run.data.tags.get("mlflow.parentRunId") == cell.info.run_id]
    assert sorted(run.data.tags["seed"] for run in seeds) == ["0", "1", "2"]
    mean = sum(run.data.metrics["clean_accuracy"] for run in seeds) / 3
    assert cell.data.metrics["clean_accuracy"] == pytest.approx(mean)
    files = Path(runs["table1"].info.artifact_uri.removeprefix("file://"))
    assert {path.name for path in files.iterdir()} == {"record.json", "table1.json", "table1.md", "figure1.png"}
    assert invoke(*send).stdout == "mine: 0 runs sent, 20 were there\n"
    assert len(found(uri)) == 20
    record = json.loads((folder / "table1.json").read_text())
    record["rows"][0]["seconds"] += 1
    (folder / "table1.json").write_text(json.dumps(record))
    assert invoke(*send).stdout == "mine: 7 runs sent, 13 were there\n"


@needs_mlflow
def test_an_export_that_was_broken_off_is_sent_again(
    invoke: Invoke, folder: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    send = ("export", "mlflow", folder, "--tracking-uri", uri, "--experiment", "mine", "--quiet")
    (folder / "matrix-own.jsonl").unlink()
    (folder / "leak-membership.json").unlink()
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_artifact", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        assert invoke(*send).exit_code == 130
    assert [run.info.status for run in found(uri)] == ["FAILED"]
    assert invoke(*send).stdout == "mine: 7 runs sent, 0 were there\n"


@needs_mlflow
def test_a_store_that_is_refused_is_one_line(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    result = invoke("export", "mlflow", folder, "--tracking-uri", f"poem://{tmp_path}")
    assert result.exit_code == 2
    assert "expected a tracking server that MLflow reaches" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_the_extra(invoke: Invoke, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlflow", None)
    result = invoke("export", "mlflow", folder, "--tracking-uri", "http://localhost:1", "--quiet")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: expected MLflow to export to, got no such package; pip install 'mpc-tamper[mlflow]'\n"
    )
