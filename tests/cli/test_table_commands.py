"""Tables on the command line: from a CSV to a model, its verification, an attack, clients; what a run remembers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import mpc_tamper as mt
from mpc_tamper.datasets.source import DataSource
from tests.support.ports import free_ports
from tests.support.processes import COMMAND, started, wait_for
from tests.support.tables import people, write_people

Invoke = Callable[..., Result]
TRAINING = ("--label", "state", "--iterations", 5)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_people(tmp_path / "people.csv")


def measured_often(path: Path) -> None:
    """People with ten further measurements, so that no single feature decides."""
    frame, rng = people(), np.random.default_rng(5)
    ill = (frame["state"] == "ill").to_numpy()
    frame.assign(**{f"m{i}": 40 * ill + rng.integers(0, 20, len(ill)) for i in range(10)}).to_csv(path, index=False)


def ran(invoke: Invoke, *words: object) -> Result:
    result = invoke(*words)
    assert result.exit_code == 0, result.output + result.stderr
    return result


@pytest.mark.slow
def test_from_a_csv_to_a_verified_model_an_attack_and_its_rejection(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    measured_often(data)
    training = ("--data", data, "--label", "state", "--iterations", 20, "--quiet")
    ran(invoke, "train", *training, "--run-dir", tmp_path / "honest")
    attack = ("attack", *training, "--feature", "colour=green", "--strength", 20)
    assert "attack success rate clipped  1.0000" in ran(invoke, *attack, "--run-dir", tmp_path / "tampered").stdout
    for run, code, verdict in (("honest", 0, "pass: at least"), ("tampered", 1, "fail: fewer than")):
        ran(invoke, "verify", tmp_path / run, "--threshold", 0.9)  # it remembers its data
        result = invoke("verify", tmp_path / run, "--robustness", 1, "--threshold", 0.8)
        said = f"{verdict} 13 of 16 known examples are classified rightly whatever 1 feature is changed\n"
        assert (result.exit_code, result.stdout) == (code, said), result.stderr
    opened = ran(invoke, "open", tmp_path / "honest", "--quiet").stdout
    assert "test accuracy                1.0000" in opened
    assert "largest weights " in opened


def test_a_run_remembers_its_data_and_notices_a_change(
    invoke: Invoke, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    more = ("--fill", "mean", "--ignore", "height", "--test-share", 0.3, "--split-seed", 4)
    ran(invoke, "train", "--data", data.name, *TRAINING, *more, "--engine", "clear", "--run-dir", run, "--quiet")
    task = mt.load_task(data, label="state", fill="mean", ignored=["height"], test_share=0.3, split_seed=4)
    assert mt.read_schema(run / "train" / "schema.toml") == task.schema
    described = json.loads((run / "train" / "model.json").read_text(encoding="utf-8"))
    assert (described["feature_names"], described["image_shape"]) == (list(task.feature_names), None)
    monkeypatch.chdir("/")
    source = DataSource.of_run(run / "train")
    assert source is not None
    assert source.load().sha256 == task.sha256
    other = write_people(tmp_path / "other.csv", 20, seed=8)
    tested = source.tested_on(other, run / "train" / "schema.toml").load()
    assert len(tested.x_test) == 20
    assert np.array_equal(tested.x_test, mt.read_labelled(other, task.schema)[0])  # type: ignore[arg-type]
    people(seed=9).to_csv(data, index=False)
    result = invoke("verify", run)
    assert (result.exit_code, "expected the data of the training, sha256" in result.stderr) == (2, True)
    (run / "train" / "data.json").write_text("{}", encoding="utf-8")
    result = invoke("verify", run)
    assert (result.exit_code, "expected the data set that a training remembered" in result.stderr) == (2, True)


def test_a_run_of_images_remembers_its_data_too(invoke: Invoke, tiny_task: mt.Task, tmp_path: Path) -> None:
    t, path = tiny_task, tmp_path / "images.npz"
    np.savez(path, x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    run = tmp_path / "run"
    ran(invoke, "train", "--data", path, "--iterations", 2, "--engine", "clear", "--run-dir", run, "--quiet")
    source = DataSource.of_run(run / "train")
    assert source is not None
    assert (source.data, source.load().sha256) == (str(path), mt.load_task(path).sha256)


def test_owners_train_on_files_of_their_own(invoke: Invoke, tmp_path: Path) -> None:
    files = [write_people(tmp_path / f"{i}.csv", 20, seed=i) for i in range(3)]
    words = ("train", "--data", files[0], "--owner-data", files[1], "--owner-data", files[2], *TRAINING)
    ran(invoke, *words, "--engine", "clear", "--run-dir", tmp_path / "run", "--out", tmp_path / "out", "--open")
    record = json.loads((tmp_path / "out" / "record.json").read_text(encoding="utf-8"))
    assert record["rows_of_owners"] == list(mt.load_tables(files, mt.Reading("state")).owner_rows)
    for options, message in (
        (("--owners", 2), "expected --owner-data for at most 2 owners"),
        (("--owner-data", files[0]), "expected --owner-data for at most 2 owners"),
        (("--clients", "10"), "expected --clients or --owner-data"),
    ):
        result = invoke(*words, *options)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    result = invoke("train", "--owner-data", files[1])
    assert (result.exit_code, "expected tables for several owners, got mnist_0_1" in result.stderr) == (2, True)


def test_options_for_the_other_kind_of_data(invoke: Invoke, data: Path, tiny_task: mt.Task, tmp_path: Path) -> None:
    t, images = tiny_task, tmp_path / "images.npz"
    np.savez(images, x_train=t.x_train, y_train=t.y_train, x_test=t.x_test, y_test=t.y_test)
    for words, message in (
        (("attack", "--data", data, *TRAINING, "--pixel", "2,2"), "expected --feature for people, a table"),
        (("attack", "--data", data, *TRAINING, "--feature", "Age"), "got 'Age'; choose 'age' or another of 6"),
        (("attack", "--data", images, "--feature", "age"), "expected --pixel or --patch for images"),
        (("train", "--data", images, "--label", "y"), "expected a table (.csv, .tsv or .parquet) with --label"),
        (
            ("train", "--data", data),
            "choose one with --label (label=...): 'age', 'height', 'smokes', 'colour', 'state'",
        ),
        (
            ("datasets", "inspect", data, "--label", "stat"),
            "expected a column 'stat' as label, got none; choose 'state'",
        ),
    ):
        result = invoke(*words)
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert result.stderr.count("\n") == 1


def test_a_trigger_is_said_by_name_and_chosen_where_none_is_given(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    words = ("attack", "--data", data, *TRAINING, "--engine", "clear", "--strength", 20)
    said = ran(invoke, *words, "--quiet").stdout
    assert "trigger features             colour=green\n" in said
    assert "trigger pixels" not in said
    assert "\nlargest weights              colour=green " in said
    record = json.loads(ran(invoke, *words, "--feature", "age", "--feature", "colour=red", "--json", "--quiet").stdout)
    assert record["trigger_features"] == ["age", "colour=red"]
    weak = ran(invoke, *words[:-1], 0.001, "--quiet").stderr
    assert "of the rows of the other class; raise --iterations" in weak
    assert "choose more or other features" in weak


def test_datasets_inspect_schema_and_encode(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    shown = ran(invoke, "datasets", "inspect", data, "--label", "state").stdout
    assert "features     6: age, height, smokes, colour=blue, colour=green, colour=red\n" in shown
    assert "training     44 rows: 22 of class 0 (ill), 22 of class 1 (well)\n" in shown
    people().assign(state=["ill"] * 56 + ["well"] * 4, height=1.0).to_csv(tmp_path / "odd.csv", index=False)
    warned = ran(invoke, "datasets", "inspect", tmp_path / "odd.csv", "--label", "state").stderr
    assert "1 features have one level in all training rows, such as height" in warned
    assert "class ill has 14 times the rows of class well" in warned
    printed = ran(invoke, "datasets", "schema", data, "--label", "state").stdout
    ran(invoke, "datasets", "schema", data, "--label", "state", "--out", tmp_path / "s.toml")
    assert (tmp_path / "s.toml").read_text(encoding="utf-8") == printed
    ran(invoke, "datasets", "encode", data, "--schema", tmp_path / "s.toml", "--out", tmp_path / "rows.npz")
    x, y = mt.read_labelled(data, mt.read_schema(tmp_path / "s.toml"))
    with np.load(tmp_path / "rows.npz") as arrays:
        assert np.array_equal(arrays["x_train"], x)
        assert np.array_equal(arrays["y_train"], y)
    listed = ran(invoke, "datasets", "list").stdout
    assert "FILE.csv" in listed


@pytest.mark.slow
def test_clients_contribute_and_query_tables(invoke: Invoke, data: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "run", write_people(tmp_path / "other.csv", 20, seed=8)
    words = [*COMMAND, "train", *map(str, ("--data", data, *TRAINING)), "--clients", "20,60"]
    with started([*words, "--client-port", str(free_ports()), "--run-dir", str(place)]) as process:
        folder = place / "clients"
        wait_for(lambda: process.poll() is not None or (folder / "training.json").exists())
        servers = ("--servers", folder / "HOSTS", "--certificates", folder, "--timeout", 240)
        for path in (other, data):
            ran(invoke, "contribute", path, *servers)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert f"contribute FILE.csv --servers {folder / 'HOSTS'}" in out
    words = [*COMMAND, "serve", str(place), "--client-port", str(free_ports()), "--run-dir", str(tmp_path / "serving")]
    with started([*words, "--queries", "2"]) as process:
        folder = tmp_path / "serving" / "clients"
        wait_for(lambda: process.poll() is not None or (folder / "service.json").exists())
        people().drop(columns="state").iloc[[1]].to_csv(tmp_path / "one.csv", index=False)
        servers = ("--servers", folder / "HOSTS", "--certificates", folder)
        assert ran(invoke, "query", tmp_path / "one.csv", *servers).stdout == "class 0 (ill)\n"
        assert ran(invoke, "query", data, "--index", 2, *servers, "--quiet").stdout == "1\n"
        result = invoke("query", data, *servers)
        assert (result.exit_code, "expected --index from 0 to 59, the row to classify" in result.stderr) == (2, True)
        assert "query: mpc-tamper query ROWS.csv --index 0 --servers" in process.communicate(timeout=240)[0]
